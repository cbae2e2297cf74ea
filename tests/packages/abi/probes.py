"""What each probe has to make of its inputs: the system calls it makes, and what it leaves."""

import random
import struct

from machine import CPUS, MASK, PAGE, Call, Failure, Int, Memory, Word

NUMBERS = {
    ("linux", "x86_64"): dict(sendfile=40, sendmsg=46, writev=20, pread=17, getsockopt=55, setsockopt=54, lseek=8,
                              splice=275, read=0, close=3, preadv2=327, fadvise=221, statx=332, sigaction=13, sigprocmask=14,
                              sigpending=127, sigtimedwait=128, ppoll=271, ioctl=16, fcntl=72, pipe2=293),
    ("linux", "aarch64"): dict(sendfile=71, sendmsg=211, writev=66, pread=67, getsockopt=209, setsockopt=208, lseek=62,
                               splice=76, read=63, close=57, preadv2=286, fadvise=223, statx=291, sigaction=134, sigprocmask=135,
                               sigpending=136, sigtimedwait=137, ppoll=73, ioctl=29, fcntl=25, pipe2=59),
    ("linux", "powerpc64le"): dict(sendfile=186, sendmsg=341, writev=146, pread=179, getsockopt=340, setsockopt=339, lseek=19,
                                   splice=283, read=3, close=6, preadv2=380, fadvise=233, statx=383, sigaction=173,
                                   sigprocmask=174, sigpending=175, sigtimedwait=176, ppoll=281, ioctl=54, fcntl=55, pipe2=317),
    ("linux", "s390x"): dict(sendfile=187, sendmsg=370, writev=146, pread=180, getsockopt=365, setsockopt=366, lseek=19,
                             splice=306, read=3, close=6, preadv2=376, fadvise=253, statx=379, sigaction=174, sigprocmask=175,
                             sigpending=176, sigtimedwait=177, ppoll=302, ioctl=54, fcntl=55, pipe2=325),
    # arch/arm/tools/syscall.tbl: sendfile64, _llseek, arm_fadvise64_64, fcntl64
    ("linux", "arm"): dict(sendfile=239, sendmsg=296, writev=146, pread=180, getsockopt=295, setsockopt=294, lseek=140,
                           splice=340, read=3, close=6, preadv2=392, fadvise=270, statx=397, sigaction=174, sigprocmask=175,
                           sigpending=176, sigtimedwait=177, ppoll=336, ioctl=54, fcntl=221, pipe2=359),
    # arch/x86/entry/syscalls/syscall_32.tbl: sendfile64, _llseek, fadvise64_64, fcntl64
    ("linux", "x86"): dict(sendfile=239, sendmsg=370, writev=146, pread=180, getsockopt=365, setsockopt=366, lseek=140,
                           splice=313, read=3, close=6, preadv2=378, fadvise=272, statx=383, sigaction=174, sigprocmask=175,
                           sigpending=176, sigtimedwait=177, ppoll=309, ioctl=54, fcntl=221, pipe2=331),
    ("freebsd", "x86_64"): dict(sendfile=393, sendmsg=28, writev=121, pread=475, getsockopt=118, setsockopt=105, lseek=478,
                                read=3, close=6, sigaction=416, sigprocmask=340, sigpending=343, sigtimedwait=345, ioctl=54),
    ("macos", "x86_64"): dict(sendfile=337, sendmsg=28, writev=121, pread=153, getsockopt=118, setsockopt=105, lseek=199,
                              read=3, close=6, sigaction=46, sigprocmask=329, sigpending=52, sigwait=330),
}
NUMBERS["linux", "riscv64"] = NUMBERS["linux", "loongarch64"] = NUMBERS["linux", "aarch64"]
for cpu in "aarch64", "riscv64":
    NUMBERS["freebsd", cpu] = NUMBERS["freebsd", "x86_64"]
NUMBERS["macos", "aarch64"] = NUMBERS["macos", "x86_64"]

# Of <sys/socket.h> and <netinet/tcp.h>. `more` is MSG_MORE, `cork` is TCP_CORK or TCP_NOPUSH.
CONSTANTS = {
    "linux": dict(sol_socket=1, so_type=3, so_protocol=38, ulp=31, cork=3, nodelay=1, nosignal=0x4000, more=0x8000),
    "freebsd": dict(sol_socket=0xffff, so_type=0x1008, so_error=0x1007, cork=4, nodelay=1, nosignal=0x20000, more=0),
    "macos": dict(sol_socket=0xffff, so_type=0x1008, cork=4, nodelay=1, nosignal=0x80000, more=0),
}
TCP, EBADF, EINTR, EIO, EINVAL = 6, 9, 4, 5, 22
# What a probe leaves of an output.
UNKNOWN, NOT_SOCKET, PLAIN, LAYERED, STREAM, NO_STREAM, MPTCP = range(7)

# Of structures' numbers, as struct has it.
ORDER = {"s390x": ">"}

# The stubs of each system, by the number of their arguments; int2 takes its first two as C's int.
STUBS = {
    "linux": {"syscall1": 1, "syscall3": 3, "syscall4": 4, "syscall4_int2": 4, "syscall5": 5, "syscall6": 6},
    "freebsd": {"syscall1": 1, "syscall3": 3, "syscall4": 4, "syscall5": 5, "syscall6": 6, "syscall7": 7},
    "macos": {"syscall1": 1, "syscall3": 3, "syscall4": 4, "syscall5": 5, "syscall6": 6},
}


class Case:
    """One run of a probe: its inputs, the calls that it has to make, and fields that it has to leave."""

    def __init__(self, probe, inputs, calls, **leaves):
        self.probe, self.inputs, self.calls, self.leaves = probe, inputs, calls, leaves

    def run(self, machine, seed):
        after = machine.run(self.probe, self.inputs, self.calls, seed)
        for field, expected in self.leaves.items():
            expected = [word & MASK for word in expected] if isinstance(expected, list) else expected & MASK
            found = after[field][: len(expected)] if isinstance(expected, list) else after[field]
            if found != expected:
                raise Failure(f"{field} is {found}, not {expected}")


def bits_of(cpu):
    return CPUS[cpu].bits if cpu in CPUS else 64


def results(noise, bits):
    """Counts of all sizes, the smallest and the largest error and one between."""
    return [0, 1, 0x7fff_f000, noise.getrandbits(bits - 2), -1, -11, -4095]


def stub_cases(os, cpu, noise):
    bits = bits_of(cpu)
    for stub, count in STUBS[os].items():
        for result in results(noise, bits):
            # Numbers of this size fit a move that clears the upper half, others do not.
            for number in noise.getrandbits(9), noise.getrandbits(bits - 1):
                arguments = [noise.getrandbits(bits) for _ in range(7)]
                kinds = [Int if stub.endswith("int2") and i < 2 else Word for i in range(count)]
                call = Call(stub, number, [kind(a) for kind, a in zip(kinds, arguments)], result)
                yield Case(f"probe_{stub}", dict(number=number, arguments=arguments), [call], result=result,
                           number_after=number, arguments_after=arguments[:count])
    number, old, new = noise.getrandbits(9), noise.getrandbits(64), noise.getrandbits(64)
    arguments = [noise.getrandbits(bits) for _ in range(7)]
    order = ORDER.get(cpu, "<")
    memory = Memory(struct.pack(f"{order}Q", old), struct.pack(f"{order}Q", new))
    call = Call("syscall3", number, [Word(arguments[0]), memory, Word(arguments[2])], 8)
    yield Case("probe_memory", dict(number=number, arguments=arguments, cell=old), [call], result=8, cell=new)


class Slices:
    """The address of a list of `struct iovec` that stands for these bytes."""

    def __init__(self, count, content):
        self.count, self.content = count, content

    def check(self, machine, what, value):
        words = machine.words(value, 2 * self.count)
        found = b"".join(machine.memory(base, min(size, PAGE)) for base, size in zip(words[::2], words[1::2]))
        if found != self.content:
            raise Failure(f"{what} says {found}, not {self.content}")


class Message(Slices):
    """The address of a `struct msghdr` with such a list and nothing else."""

    def check(self, machine, what, value):
        layout = f"{machine.order}QIxxxxQQQQi" if machine.os == "linux" else "<QIxxxxQixxxxQIi"
        if machine.bits == 32:
            layout = "<IIIIIIi"
        fields = struct.unpack(layout, machine.memory(value, struct.calcsize(layout)))
        if fields[:2] + fields[3:] != (0, 0, self.count, 0, 0, 0):
            raise Failure(f"{what} has the fields {fields}")
        super().check(machine, what, fields[2])


class Headers(Slices):
    """The address of a `struct sf_hdtr` with such a list as headers and no trailers."""

    def check(self, machine, what, value):
        fields = struct.unpack("<QixxxxQixxxx", machine.memory(value, 32))
        if fields[1:] != (self.count, 0, 0):
            raise Failure(f"{what} has the fields {fields}")
        super().check(machine, what, fields[0])


class Fill:
    """The address of a buffer, which the kernel fills."""

    def __init__(self, content):
        self.content = content

    def check(self, machine, what, value):
        machine.memory(value, len(self.content))
        machine.store(value, self.content)


class Calls:
    """Expected system calls of an operating system, on two files."""

    def __init__(self, os, cpu, out_fd, in_fd):
        self.os, self.number, self.constant, self.bits = os, NUMBERS[os, cpu], CONSTANTS[os], bits_of(cpu)
        self.out_fd, self.in_fd = out_fd, in_fd
        self.order = ORDER.get(cpu, "<")
        # A pair of registers begins at an even one.
        self.even = cpu == "arm"
        self.dont_need = 6 if cpu == "s390x" else 4
        self.fionread = 0x4004_667f if cpu == "powerpc64le" else 0x541b
        self.send_timeout = 19 if cpu == "powerpc64le" else 21

    def call(self, name, arguments, result):
        return Call(name, self.number[name], arguments, result)

    def sendfile(self, offset, count, sent, error=0, headers=None, flags=0):
        """The BSDs' sendfile: `sent` is None where the kernel leaves the variable as it is."""
        files, word = [Int(self.in_fd), Int(self.out_fd), Word(offset)], lambda n: struct.pack(f"{self.order}Q", n)
        then = None if sent is None else word(sent)
        if self.os == "freebsd":
            arguments = [*files, Word(count), headers or Word(0), Memory(bytes(8), then), Int(flags)]
        else:
            arguments = [*files, Memory(word(count + (8 if headers else 0)), then), headers or Word(0), Int(flags)]
        return self.call("sendfile", arguments, -error)

    def halves(self, number):
        """An argument of 64 bits: a register, or two, lower half first."""
        return [Word(number)] if self.bits == 64 else [Word(number), Word(number >> 32)]

    def pread(self, buffer, count, offset, result):
        even = [Word(0)] if self.even else []
        return self.call("pread", [Int(self.in_fd), buffer, Word(count), *even, *self.halves(offset)], result)

    def seek(self, distance, answer):
        """From the position. _llseek has the upper half first, and a variable for the answer."""
        if self.bits == 64:
            return self.call("lseek", [Int(self.in_fd), Word(distance), Int(1)], answer)
        position = Memory(bytes(8), struct.pack("<Q", max(answer, 0)))
        return self.call("lseek", [Int(self.in_fd), *self.halves(distance)[::-1], position, Int(1)], min(answer, 0))

    def advise(self, start, length, advice):
        """arm_fadvise64_64 has the advice where it fills the gap before a pair."""
        wide = [*self.halves(start), *self.halves(length)]
        return self.call("fadvise", [Int(self.in_fd), *([Int(advice), *wide] if self.even else [*wide, Int(advice)])], 0)

    def option(self, name, level, option, value, answer=None, size=4, error=0):
        memory = Memory(struct.pack(f"{self.order}i", value), None if answer is None else struct.pack(f"{self.order}i", answer))
        size = Int(4) if name == "setsockopt" else Memory(struct.pack(f"{self.order}I", 4), struct.pack(f"{self.order}I", size))
        return self.call(name, [Int(self.out_fd), Int(level), Int(self.constant[option]), memory, size], -error)

    def get(self, option, answer, **rest):
        return self.option("getsockopt", TCP, option, 0, answer, **rest)

    def set(self, option, value):
        return self.option("setsockopt", TCP, option, value)

    def of_socket(self, option, answer, **rest):
        return self.option("getsockopt", self.constant["sol_socket"], option, 0, answer, **rest)

    def identify(self):
        """The output is plain TCP: on Linux it is enough that nothing lies on top of it."""
        return self.get("ulp", None, size=0) if self.os == "linux" else self.of_socket("so_type", 1)

    def send(self, message, result, more=False):
        flags = self.constant["nosignal"] | (self.constant["more"] if more else 0)
        return self.call("sendmsg", [Int(self.out_fd), message, Int(flags)], result)


def counted(result, asked, too_much=-EINVAL):
    """What a transfer makes of the answer to a write: of something nothing, or more than there was, is an error. (Of what was read, a
    part may be all that was asked for, so the driver looks itself.)"""
    error = result if result < 0 else -EIO if result == 0 else too_much if result > asked else 0
    return dict(result=error, cell=min(max(result, 0), asked))


def call_cases(os, cpu, noise):
    bits = bits_of(cpu)
    for result in [*results(noise, bits), 3]:
        out_fd, in_fd = noise.getrandbits(31), noise.getrandbits(31)
        calls = Calls(os, cpu, out_fd, in_fd)
        offset = noise.getrandbits(62)
        inputs = dict(arguments=[out_fd, in_fd, 0, 7], cell=offset)
        message, written = Message(2, b"onethree"), Slices(2, b"onethree")

        yield Case("probe_send", inputs, [calls.send(message, result)], **counted(result, 8))
        yield Case("probe_send_more", inputs, [calls.send(message, result, more=True)], **counted(result, 8))
        sent = calls.call("writev", [Int(out_fd), written, Int(2)], result)
        yield Case("probe_write", inputs, [sent], **counted(result, 8))

        content, copied = noise.randbytes(16), dict(arguments=[out_fd, in_fd, 0, 16], cell=offset)
        read = lambda answer: calls.pread(Fill(content), 16, offset, answer)
        sent = calls.send(Message(1, content), result)
        yield Case("probe_copy", copied, [read(16), sent], **counted(result, 16, -EIO))
        yield Case("probe_copy", copied, [read(-EIO)], result=-EIO, cell=0)
        # Of a file to its end: a short read is taken for the end, so that no more follows.
        sent = calls.send(Message(1, content), result, more=True)
        yield Case("probe_copy_more", copied, [read(16), sent], **counted(result, 16, -EIO))
        sent = calls.send(Message(1, content[:15]), 15)
        yield Case("probe_copy_more", copied, [read(15), sent], result=0, cell=15)

        # At the position, which moves before, and back by what was not sent; if it cannot move, nothing is sent.
        seek = calls.seek
        before = [seek(0, offset), read(16)]
        moved = max(result, 0)
        back = [] if moved >= 16 else [seek(moved - 16, offset)]
        sent = calls.send(Message(1, content), result)
        yield Case("probe_copy_at_position", copied, [*before, seek(16, offset + 16), sent, *back], **counted(result, 16, -EIO))
        yield Case("probe_copy_at_position", copied, [*before, seek(16, offset)], result=-29, cell=0)
        yield Case("probe_copy_at_position", copied, [seek(0, -29)], result=-29, cell=0)

        # Headers, file and trailers; without the trailers if the file is shorter.
        def read_file(bytes):
            return calls.pread(Fill(content[:bytes]), 7, offset, bytes)

        sent = calls.send(Message(1, b"onethree" + content[:7] + b"end"), result)
        yield Case("probe_gather", inputs, [read_file(7), sent], **counted(result, 18, -EIO))
        sent = calls.send(Message(1, b"onethree" + content[:6]), 14)
        yield Case("probe_gather", inputs, [read_file(6), sent], result=0, cell=14)

        # sendfile has returned 0: a byte that is read after all, the end of a file that is too short, a signal.
        for found, outcome in ((1, 0), (0, -EIO), (-EINTR, -EINTR), (-EBADF, -EBADF)):
            read_byte = calls.pread(Fill(content[:1]), 1, offset, found)
            yield Case("probe_at_end", inputs, [read_byte], result=outcome, cell=0)

        # What splice refuses is read and written.
        whole = [calls.call("read", [Int(in_fd), Fill(content), Word(16)], 16),
                 calls.call("writev", [Int(out_fd), Slices(1, content), Int(1)], 16)]
        spliced = [Int(in_fd), Word(0), Int(out_fd), Word(0), Word(16), Int(0)]
        if os == "linux":
            # The caller's cork, under which nothing is flushed.
            no_pipe = calls.call("fcntl", [Int(in_fd), Int(1032), Word(0)], -EBADF)
            yield Case("probe_stream", copied, [no_pipe, calls.call("splice", spliced, 16), calls.get("cork", 1)], result=16)
            # No more than the pipe holds.
            pipe, socket = calls.call("fcntl", no_pipe.arguments, PAGE), calls.get("ulp", None, size=0)
            holds = calls.call("ioctl", [Int(in_fd), Int(calls.fionread), Memory(bytes(4), struct.pack(f"{calls.order}i", 16))], 0)
            yield Case("probe_stream", copied, [pipe, socket, holds, calls.call("splice", spliced, 16), calls.get("cork", 1)], result=16)
            whole[:0] = [no_pipe, calls.call("splice", spliced, -EINVAL)]
        yield Case("probe_stream", copied, whole, result=16)
        yield Case("probe_stream", copied, [*whole[:-2], calls.call("read", whole[-2].arguments, -EIO)], result=-EIO)
        yield Case("probe_close", inputs, [calls.call("close", [Int(out_fd)], -EIO)], result=0)

    yield from identify_cases(calls)
    yield from signal_cases(calls)

    nobody = [Int(-1), Int(-1)] + [Word(0)] * 2
    if os == "freebsd":
        nobody += [Word(0)] * 3
    elif os == "macos":
        nobody[3:] = [Memory(bytes(8)), Word(0), Int(0)]
    yield Case("probe_available", {}, [calls.call("sendfile", nobody, -EBADF)], result=0)
    yield Case("probe_available", {}, [calls.call("sendfile", nobody, -1)], result=-1)
    yield from (linux_cases if os == "linux" else bsd_cases)(calls, noise)


def identify_cases(calls):
    def case(*made, kind=UNKNOWN, error=0):
        return Case("probe_identify", dict(arguments=[calls.out_fd, calls.in_fd]), made, result=-error, cell=kind)

    # Of what is not TCP, and before Linux 4.13: ENOPROTOOPT. 88 and 38 are ENOTSOCK.
    other = []
    if calls.os == "linux":
        other = [calls.get("ulp", None, error=92)]
        yield case(calls.get("ulp", None, size=0), kind=PLAIN)
        yield case(calls.get("ulp", 0x736c74, size=4), kind=LAYERED)
        yield case(calls.get("ulp", struct.unpack(f"{calls.order}i", b"mptc")[0], size=4), kind=MPTCP)
        yield case(calls.get("ulp", None, error=88), kind=NOT_SOCKET)
    stream = [*other, calls.of_socket("so_type", 1)]
    if calls.os == "linux":
        for protocol, kind in ((0, STREAM), (TCP, PLAIN), (262, MPTCP), (132, LAYERED)):
            yield case(*stream, calls.of_socket("so_protocol", protocol), kind=kind)
        yield case(*stream, calls.of_socket("so_protocol", None, error=EBADF), error=EBADF)
    else:
        yield case(*stream, kind=PLAIN)
    yield case(*other, calls.of_socket("so_type", None, error=88 if calls.os == "linux" else 38), kind=NOT_SOCKET)
    yield case(*other, calls.of_socket("so_type", None, error=EBADF), error=EBADF)
    yield case(*other, calls.of_socket("so_type", 2), kind=NO_STREAM, error=EINVAL)


def signal_cases(calls):
    """SIGPIPE is blocked; what came of it is taken out, and the mask put back, unless it was pending and blocked before."""
    layout = {"linux": f"{calls.order}Q", "freebsd": "<I12x", "macos": "<I"}[calls.os]
    block = 0 if calls.os == "linux" else 1
    size = [Int(8)] if calls.os == "linux" else []
    empty, pipe, others = (struct.pack(layout, bits) for bits in (0, 1 << 12, 1 << 14))

    def mask(how, before, result=0):
        return calls.call("sigprocmask", [Int(how), Memory(pipe), Memory(empty, before), *size], result)

    def pending(signals):
        return calls.call("sigpending", [Memory(empty, signals), *size], 0)

    if calls.os == "macos":
        take = [pending(pipe), calls.call("sigwait", [Memory(pipe), Memory(bytes(4), struct.pack(f"{calls.order}i", 13))], 0)]
    else:
        take = [calls.call("sigtimedwait", [Memory(pipe), Word(0), Memory(bytes(calls.bits // 4)), *size], 13)]
    yield Case("probe_sigpipe", {}, [mask(block, others), pending(others), *take, mask(block + 1, pipe)], result=0)
    yield Case("probe_sigpipe", {}, [mask(block, pipe), pending(pipe)], result=0)
    yield Case("probe_sigpipe", {}, [mask(block, empty, -1)], result=-1)
    # SIG_IGN, and whatever follows is 0.
    ignore = Memory(struct.pack(f"{calls.order}{'Q' if calls.bits == 64 else 'I'}", 1) + bytes(2 * calls.bits // 8 + 8))
    for result in 0, -1:
        yield Case("probe_ignore_sigpipe", {}, [calls.call("sigaction", [Int(13), ignore, Word(0), *size], result)], result=result)


def linux_cases(calls, noise):
    fds = [calls.out_fd, calls.in_fd]
    for result in results(noise, calls.bits):
        count, offset, moved = noise.getrandbits(calls.bits), noise.getrandbits(63), noise.getrandbits(63)
        inputs = dict(arguments=[*fds, 0, count], cell=offset)
        files = [Int(fd) for fd in fds]
        advanced = Memory(struct.pack(f"{calls.order}Q", offset), struct.pack(f"{calls.order}Q", moved))
        yield Case("probe_sendfile", inputs, [calls.call("sendfile", [*files, advanced, Word(count)], result)],
                   result=result, cell=moved)
        yield Case("probe_sendfile_position", inputs, [calls.call("sendfile", [*files, Word(0), Word(count)], result)],
                   result=result)

    # The count of a step is what one call can move, and no more was sent.
    for result in 1, 0x7fff_f000, 0, -1, -11, -4095:
        count, offset = 0x7fff_f000, noise.getrandbits(62)
        inputs, same = dict(arguments=[*fds, 0, count], cell=offset), Memory(struct.pack(f"{calls.order}Q", offset))
        sends = calls.call("sendfile", [*files, same, Word(count)], result)
        yield Case("probe_send_file", inputs, [sends], result=min(result, 0), cell=max(result, 0))

    inputs = dict(arguments=[*fds, 0, 7], cell=offset)
    yield Case("probe_cork", inputs, [calls.get("cork", 0), calls.set("cork", 1)], result=0, cell=1)
    yield Case("probe_cork", inputs, [calls.get("cork", 1)], result=0, cell=0)
    push = [calls.get("nodelay", 0), calls.set("nodelay", 1), calls.set("nodelay", 0)]
    yield Case("probe_flush", inputs, [calls.set("cork", 0), *push], result=0, cell=0)
    yield Case("probe_push", inputs, [calls.get("cork", 0), *push], result=0, cell=0)
    yield Case("probe_push", inputs, [calls.get("cork", 1)], result=0, cell=0)

    # Of a layered output no more is asked for than the file states to have: from the offset on, or anything if it cannot tell.
    for size, asked in ((offset + 5, 5), (offset + 10**9, 7), (offset, 0), (0, 0)):
        stated = Memory(bytes(256), bytes(40) + struct.pack(f"{calls.order}Q", size) + noise.randbytes(208))
        ask = [files[1], Memory(b"\0"), Int(0x1000), Int(0x200), stated]
        yield Case("probe_size", inputs, [calls.call("statx", ask, 0)], result=0, cell=asked)
    yield Case("probe_size", inputs, [calls.call("statx", [*ask[:4], Memory(bytes(256))], -38)], result=-38, cell=0)

    # Pages ahead, a page that is there, a short call, and what it has sent is let go of.
    start, place = offset & ~(PAGE - 1), lambda n: Memory(struct.pack(f"{calls.order}Q", start + n))
    advise = lambda length, advice: calls.advise(start, length, advice)
    # Two words for the offset, whatever their size.
    upper = lambda n: Word(0 if calls.bits == 64 else start + n >> 32)
    there = lambda n: calls.call("preadv2", [files[1], Slices(1, bytes(1)), Int(1), Word(start + n), upper(n), Int(8)], 1)
    begun = [advise(3 * PAGE, 3), calls.identify(), there(0), calls.call("sendfile", [*files, place(0), Word(7)], 3)]
    flush = [calls.get("cork", 0), calls.get("nodelay", 0), calls.set("nodelay", 1), calls.set("nodelay", 0)]
    # Fewer bytes, and the file goes on: a signal, unless the socket is nonblocking, has failed, or has a limit of time.
    flags = lambda result: [calls.pread(Fill(b"x"), 1, start + 3, 1), calls.call("fcntl", [files[0], Int(3), Word(0)], result)]
    rest = [there(3), advise(3, calls.dont_need), calls.call("sendfile", [*files, place(3), Word(4)], 4), *flush]
    yield Case("probe_hints", dict(arguments=[*fds, 0, 7], cell=start), [*begun, *flags(0o4000), *rest], result=7)
    word, no_time = calls.bits // 8, Memory(bytes(calls.bits // 4))
    size = Memory(struct.pack(f"{calls.order}I", 2 * word))
    for happened, seconds in ((8, 0), (0, 1), (0, 0)):
        failed = Memory(struct.pack(f"{calls.order}ihh", calls.out_fd, 0, 0), struct.pack(f"{calls.order}ihh", calls.out_fd, 0, happened))
        seen = [calls.call("ppoll", [failed, Word(1), no_time, Word(0), Word(8)], int(happened > 0))]
        if not happened:
            limit = Memory(bytes(2 * word), struct.pack(calls.order + ("qq" if word == 8 else "ii"), seconds, 0))
            seen.append(calls.call("getsockopt", [files[0], Int(1), Int(calls.send_timeout), limit, size], 0))
        waits = not happened and not seconds
        case = [*begun, *flags(0), *seen, *(flush if waits else rest)]
        yield Case("probe_hints", dict(arguments=[*fds, 0, 7], cell=start), case, result=-1 if waits else 7)
    headers = calls.send(Message(2, b"onethree"), 8, more=True)
    yield Case("probe_second_form", dict(arguments=[*fds, 0, 7], cell=start),
               [calls.identify(), headers, calls.call("sendfile", [*files, place(0), Word(7)], 7)], result=15)

    # A copy that would block asks which side it is.
    def asked(events, happened, result):
        fds = [struct.pack(f"{calls.order}ihh", fd, event, 0) for fd, event in events]
        then = [struct.pack(f"{calls.order}ihh", fd, event, found) for (fd, event), found in zip(events, happened)]
        arguments = [Memory(b"".join(fds), b"".join(then)), Word(len(fds)), Memory(bytes(calls.bits // 4)), Word(0), Word(8)]
        return calls.call("ppoll", arguments, result)

    def spliced(result):
        return calls.call("splice", [files[1], Word(0), files[0], Word(0), Word(2 << 20), Int(2)], result)

    both = [(calls.in_fd, 1), (calls.out_fd, 4)]
    no_pipe = calls.call("fcntl", [files[1], Int(1032), Word(0)], -EBADF)
    yield Case("probe_poll", inputs, [no_pipe, spliced(-11), asked(both, [1, 0], 1)], result=2)
    yield Case("probe_poll", inputs, [no_pipe, spliced(-11), asked(both, [0, 8], 1)], result=3)
    yield Case("probe_poll", inputs, [no_pipe, spliced(-11), asked(both, [0, 0], -1)], result=-11)

    # Nothing comes: from no socket and no pipe, and from a socket of messages whose peer has gone.
    def kind(answer, result):
        size, memory = Memory(struct.pack(f"{calls.order}I", 4)), Memory(bytes(4), struct.pack(f"{calls.order}i", answer))
        return calls.call("getsockopt", [files[1], Int(1), Int(3), memory, size], result)

    # A terminal, by its type.
    typed = Memory(bytes(256), bytes(28) + struct.pack(f"{calls.order}H", 0o020620) + bytes(226))
    is_regular = calls.call("statx", [files[1], Memory(b"\0"), Int(0x1000), Int(1), typed], 0)
    yield Case("probe_poll", inputs, [no_pipe, spliced(0), kind(0, -88), no_pipe, is_regular], result=0)
    unread = calls.call("ioctl", [files[1], Int(calls.fionread), Memory(bytes(4))], 0)
    yield Case("probe_poll", inputs, [no_pipe, spliced(0), kind(5, 0), asked([(calls.in_fd, 0x2000)], [0x10], 1), unread], result=0)

    ends = Memory(struct.pack(f"{calls.order}ii", -1, -1), struct.pack(f"{calls.order}ii", 3, 4))
    closed = [calls.call("close", [Int(fd)], 0) for fd in (3, 4)]
    yield Case("probe_pipe", {}, [calls.call("pipe2", [ends, Int(0o2000000), Word(0)], 0), *closed], result=0)
    yield Case("probe_pipe", {}, [calls.call("pipe2", [Memory(struct.pack(f"{calls.order}ii", -1, -1)), Int(0o2000000), Word(0)], -24)],
               result=-24)

    # Exactly -4095 to -1 are errors.
    for result, number in ((-4096, 0), (-4095, 4095), (-1, 1), (0, 0), (1 << calls.bits - 1, 0)):
        sends = calls.call("sendfile", [*files, Memory(bytes(8)), Word(1)], result)
        yield Case("probe_error", inputs, [sends], result=number)


def bsd_cases(calls, noise):
    fds = [calls.out_fd, calls.in_fd]

    def case(probe, count, sends, result, cell):
        return Case(probe, dict(arguments=[*fds, 0, count], cell=offset), sends, result=result, cell=cell)

    for error in 0, 1, 35, 4095:
        count, offset, sent = noise.getrandbits(62) + 1, noise.getrandbits(62), noise.getrandbits(62) + 1
        # Bytes that were sent count, also beside an error; there are errors that leave the variable alone.
        yield case("probe_sendfile", count, [calls.sendfile(offset, count, sent, error)], sent, offset + sent)
        yield case("probe_sendfile", count, [calls.sendfile(offset, count, 0, error)], -error, offset)
        # A transfer asks for no more than Linux would take, and has the error beside the bytes.
        count, sent = 0x7fff_f000, noise.getrandbits(30) + 1
        yield case("probe_send_file", count, [calls.sendfile(offset, count, sent, error)], -error, sent)
        yield case("probe_send_file", count, [calls.sendfile(offset, count, 0, error)], -error, 0)
        if error and calls.os == "freebsd":
            yield case("probe_sendfile", count, [calls.sendfile(offset, count, None, error)], -error, offset)
            yield case("probe_send_file", count, [calls.sendfile(offset, count, None, error)], -error, 0)
    # Having sent all, macOS looks for room before it finds that there is nothing more to send.
    yield case("probe_send_file", count, [calls.sendfile(offset, count, count, 35)], 0, count)
    # What the kernel would take for the whole file, or for a negative number, never comes to it.
    yield case("probe_sendfile", 0, [], 0, offset)
    yield case("probe_sendfile", 1 << 63, [], -EINVAL, offset)
    inputs = dict(arguments=[*fds, 0, 7])
    yield Case("probe_sendfile_position", inputs, [], result=-EINVAL)
    for error in 1, 35, 4095:
        yield Case("probe_error", inputs, [calls.sendfile(0, 1, 0, error)], result=error)
    yield Case("probe_error", inputs, [calls.sendfile(0, 1, 1)], result=0)

    headers = Headers(2, b"onethree")
    inputs = dict(arguments=[*fds, 0, 7], cell=offset)
    for error, sent in ((0, 15), (35, 3), (0, 0), (35, 0)):
        sends = [calls.sendfile(offset, 7, sent, error, headers)]
        yield Case("probe_native", inputs, sends, result=-error, cell=sent)
        if calls.os == "freebsd":
            yield Case("probe_hdtr", inputs, sends, result=-error, cell=sent)
    yield case("probe_native", 0, [], -EINVAL, 0)

    # The whole second form with a flag, SF_SYNC.
    if calls.os == "freebsd":
        sequence = [calls.identify(), calls.sendfile(offset, 7, 15, 0, headers, flags=4)]
        # The cork needs room for twice the 7 bytes and the trailers' 3, and three pages and their buffers.
        room = lambda bytes, error=0: calls.call(
            "ioctl", [Int(fds[0]), Word(0x4004_6676), Memory(struct.pack("<i", 0), struct.pack("<i", bytes))], -error)
        cork = [calls.get("cork", 0), room(13076), calls.set("cork", 1)]
        for none in room(13075), room(-1), room(1 << 20, 93):
            yield Case("probe_cork", inputs, [calls.get("cork", 0), none], result=0, cell=0)
        # What stands behind EPIPE: an error that the socket keeps.
        for kept, told in ((5, -5), (54, -54), (0, -32)):
            ask = calls.of_socket("so_error", kept)
            yield Case("probe_send", inputs, [calls.send(Message(2, b"onethree"), -32), ask], result=told, cell=0)
            for sent in 0, 3:
                yield case("probe_send_file", 7, [calls.sendfile(offset, 7, sent, 32), ask], told, sent)
        ask = calls.of_socket("so_error", 5, error=93)
        yield Case("probe_send", inputs, [calls.send(Message(2, b"onethree"), -32), ask], result=-32, cell=0)
        push = [calls.get("nodelay", 0), calls.set("nodelay", 1), calls.set("cork", 0), calls.set("nodelay", 0)]
        theirs = [calls.get("cork", 4)]
    else:
        cork, theirs, push = [calls.get("nodelay", 0), calls.set("nodelay", 1)], [calls.get("nodelay", 4)], [calls.set("nodelay", 0)]
        sequence = [calls.identify(), *cork, calls.send(Message(2, b"onethree"), 8), calls.sendfile(offset, 7, 7), *push]
    yield Case("probe_second_form", inputs, sequence, result=15)
    # The flags of FreeBSD go into the call, pages and all; macOS's takes none.
    flags = 3 << 16 | 0x19 if calls.os == "freebsd" else 0
    sent = calls.sendfile(offset, 7, 7, 0, flags=flags)
    yield Case("probe_hints", inputs, [calls.identify(), *(cork + [sent] + push if calls.os == "macos" else [sent])], result=7)
    yield Case("probe_cork", inputs, cork, result=0, cell=1)
    yield Case("probe_cork", inputs, theirs, result=0, cell=0)
    yield Case("probe_flush", inputs, push, result=0, cell=0)
    if calls.os == "freebsd":
        nothing = [calls.get("cork", 0), *push[:2], calls.set("cork", 1), *push[2:]]
        yield Case("probe_push", inputs, nothing, result=0, cell=0)
        yield Case("probe_push", inputs, theirs, result=0, cell=0)


def cases(os, cpu):
    noise = random.Random(f"{os} {cpu}")
    calls = call_cases(os, cpu, noise) if (os, cpu) in NUMBERS else []
    return [*stub_cases(os, cpu, noise), *calls]
