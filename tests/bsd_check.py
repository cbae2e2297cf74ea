"""Runs examples/bsd_check on an emulated processor, with a model of FreeBSD around it: the program starts as FreeBSD starts one,
its system calls are answered here, and both of its kinds of socket are pairs of the Unix domain.

usage: bsd_check.py PROGRAM CPU [without-sync|without-loopback]

With `without-sync` the model ignores SF_SYNC, with `without-loopback` it has no network. Prints what the program prints, and ends
with its exit status.
"""

import ctypes
import errno
import fcntl
import mmap
import os
import pathlib
import signal
import socket
import stat
import struct
import sys
import termios
import time

import lief
from unicorn import UC_HOOK_INSN, UC_HOOK_INTR, UC_PROT_READ, UC_PROT_WRITE, Uc, x86_const

sys.path.insert(0, str(pathlib.Path(__file__).parent / "abi"))
from machine import ABIS, CPUS, ECALL, PAGE, SVC_0, SYSCALL  # noqa: E402

# sys/sys/errno.h
NUMBERS = {"EAGAIN": 35, "ENOTSOCK": 38, "EADDRNOTAVAIL": 49, "ENOTCONN": 57, "ENOSYS": 78}
SAME = "EPERM ENOENT EINTR EBADF EFAULT EEXIST EINVAL EPIPE".split()
NUMBERS.update((name, getattr(errno, name)) for name in SAME)
SOL_SOCKET, TCP, MSG_NOSIGNAL, SF_SYNC = 0xffff, 6, 0x20000, 4
BUFFER = 65536
STACK, STACK_SIZE, SHARED = 0x6000_0000, 0x80000, 0x7100_0000


def fail(name):
    raise OSError(getattr(errno, name), name)


class Socket:
    """One end of a connection, or a socket that has none yet."""

    def __init__(self, inet, end=None):
        self.inet, self.end, self.options, self.backlog = inet, end, {}, []

    def connected(self):
        return self.end or fail("ENOTCONN")

    def queued(self):
        """What the other end has not read, or more."""
        return struct.unpack("<i", fcntl.ioctl(self.connected(), termios.TIOCOUTQ, bytes(4)))[0]

    def fileno(self):
        return self.connected().fileno()

    def close(self):
        self.end and self.end.close()


class File:
    def __init__(self, fd):
        self.fd = fd

    def fileno(self):
        return self.fd

    def close(self):
        os.close(self.fd)


class Model:
    def __init__(self, path, cpu, lacks):
        self.cpu, self.abi, self.lacks = CPUS[cpu], ABIS["freebsd", cpu], lacks
        self.descriptors, self.listener, self.mapped = {}, None, []
        image = lief.parse(path)
        uc = self.uc = Uc(*self.cpu.unicorn)
        pages = {a // PAGE for s in image.segments if s.type == lief.ELF.Segment.TYPE.LOAD
                 for a in range(s.virtual_address, s.virtual_address + s.virtual_size + PAGE - 1, PAGE)}
        for page in pages:
            uc.mem_map(page * PAGE, PAGE)
        for segment in image.segments:
            if segment.type == lief.ELF.Segment.TYPE.LOAD:
                uc.mem_write(segment.virtual_address, bytes(segment.content))
        uc.mem_map(STACK, STACK_SIZE)
        self.entry = image.entrypoint
        # exec_setregs: the arguments' address is in the first register; on amd64 the stack is as behind a call.
        arguments = STACK + STACK_SIZE - 256
        self.write(self.cpu.io, arguments)
        self.write(self.cpu.sp, arguments - 8 if cpu == "x86_64" else arguments)
        if cpu == "x86_64":
            uc.hook_add(UC_HOOK_INSN, lambda uc, _: self.trap(SYSCALL), None, 1, 0, x86_const.UC_X86_INS_SYSCALL)
        else:
            uc.hook_add(UC_HOOK_INTR, lambda uc, *_: self.trap(ECALL if cpu == "riscv64" else SVC_0))

    def read(self, name):
        return self.uc.reg_read(self.cpu.ids[name])

    def write(self, name, value):
        self.uc.reg_write(self.cpu.ids[name], value & (1 << 64) - 1)

    def memory(self, layout, address):
        return struct.unpack(layout, self.uc.mem_read(address, struct.calcsize(layout)))

    def trap(self, instruction):
        try:
            at = self.read(self.cpu.pc) - (0 if instruction == SYSCALL else 4)
            assert self.uc.mem_read(at, len(self.abi.trap)).hex() == instruction
            arguments = [self.read(name) for name in self.abi.arguments]
            if len(arguments) < 7:
                arguments += self.memory("<Q", self.read(self.cpu.sp) + 8)
            number = self.read(self.abi.number)
            try:
                result, error = self.call(number, *arguments), 0
            except OSError as failure:
                result, error = NUMBERS[errno.errorcode[failure.errno]], 1
            for name in self.abi.changed:
                self.write(name, 0x5555_5555_5555_5555)
            self.write("rax" if instruction == SYSCALL else self.abi.arguments[0], result or 0)
            if instruction == ECALL:
                self.write("t0", error)
            elif instruction == SYSCALL:
                self.write("eflags", 0x202 | error)
            else:
                self.write("nzcv", error << 29)
        except BaseException as failure:  # which unicorn would not pass on
            print(f"{type(failure).__name__}: {failure}", flush=True)
            os._exit(254)

    def call(self, number, *arguments):
        names = {1: "exit", 2: "fork", 3: "read_", 4: "write_", 5: "open", 6: "close", 7: "wait4", 10: "unlink", 20: "getpid",
                 28: "sendmsg", 30: "accept", 32: "getsockname", 83: "setitimer", 92: "fcntl", 97: "socket", 98: "connect",
                 104: "bind", 105: "setsockopt", 106: "listen", 118: "getsockopt", 121: "writev", 135: "socketpair",
                 202: "sysctl", 240: "nanosleep", 340: "sigprocmask", 343: "sigpending", 345: "sigtimedwait", 393: "sendfile",
                 475: "pread", 477: "mmap", 571: "shm_open2"}
        return getattr(self, "sys_" + names[number])(*arguments)

    # Descriptors.

    def add(self, what):
        fd = next(fd for fd in range(3, 900) if fd not in self.descriptors)
        self.descriptors[fd] = what
        return fd

    def get(self, fd):
        return self.descriptors.get(fd & 0xffff_ffff) or fail("EBADF")

    def get_socket(self, fd):
        what = self.get(fd)
        return what if isinstance(what, Socket) else fail("ENOTSOCK")

    def path(self, address):
        path = bytes()
        while not path.endswith(b"\0"):
            path += self.uc.mem_read(address + len(path), 1)
        return path[:-1]

    def slices(self, address, count):
        words = self.memory(f"<{2 * count}Q", address)
        return b"".join(bytes(self.uc.mem_read(base, size)) for base, size in zip(words[::2], words[1::2]) if size)

    # System calls.

    def sys_exit(self, status, *_):
        os._exit(status & 0xff)

    def sys_fork(self, *_):
        return os.fork()

    def sys_wait4(self, pid, *_):
        return os.waitpid(pid, 0)[0]

    def sys_getpid(self, *_):
        return os.getpid()

    def sys_read_(self, fd, address, size, *_):
        data = os.read(self.get(fd).fileno(), size)
        self.uc.mem_write(address, data)
        return len(data)

    def sys_write_(self, fd, address, size, *_):
        data = bytes(self.uc.mem_read(address, size))
        return os.write(1 if fd == 1 else self.get(fd).fileno(), data)

    def sys_pread(self, fd, address, size, offset, *_):
        data = os.pread(self.get(fd).fileno(), size, offset)
        self.uc.mem_write(address, data)
        return len(data)

    def sys_open(self, address, flags, mode, *_):
        linux = {0: os.O_RDONLY, 0xa02: os.O_RDWR | os.O_CREAT | os.O_EXCL}[flags]
        return self.add(File(os.open(self.path(address), linux, mode)))

    def sys_unlink(self, address, *_):
        os.unlink(self.path(address))

    def sys_close(self, fd, *_):
        self.get(fd).close()
        del self.descriptors[fd]

    def sys_shm_open2(self, path, flags, mode, more, *_):
        assert (path, flags, more) == (1, 2, 2)
        return self.add(File(os.memfd_create("shm")))

    def sys_fcntl(self, fd, command, flags, *_):
        assert (command, flags) == (4, 4), "F_SETFL, O_NONBLOCK"
        os.set_blocking(self.get(fd).fileno(), False)

    def sys_mmap(self, address, size, protection, flags, fd, *_):
        assert (size, protection, flags) == (4096, 3, 0x1001)
        memory = mmap.mmap(-1, size)
        place = SHARED + PAGE * len(self.mapped)
        self.mapped.append(memory)
        pointer = ctypes.addressof(ctypes.c_char.from_buffer(memory))
        self.uc.mem_map_ptr(place, size, UC_PROT_READ | UC_PROT_WRITE, pointer)
        return place

    def sys_sysctl(self, name, count, value, size, *_):
        assert (self.memory("<2i", name), count) == ((1, 24), 2)
        self.uc.mem_write(value, struct.pack("<I", 1302001))

    def sys_setitimer(self, which, value, *_):
        assert which == 0
        interval, _, seconds, _ = self.memory("<4q", value)
        assert interval == 0
        signal.alarm(seconds)

    def sys_nanosleep(self, wanted, *_):
        seconds, nanoseconds = self.memory("<2q", wanted)
        time.sleep(seconds + nanoseconds / 1e9)

    def sys_sigprocmask(self, how, given, before, *_):
        assert how & 0xffff_ffff in (1, 2) and self.memory("<4I", given) == (1 << 12, 0, 0, 0)
        self.uc.mem_write(before, bytes(16))

    def sys_sigpending(self, given, *_):
        self.uc.mem_write(given, bytes(16))

    def sys_sigtimedwait(self, *_):
        fail("EAGAIN")

    def sys_socket(self, domain, kind, *_):
        assert (domain, kind) == (2, 1)
        return self.add(Socket(True))

    def sys_socketpair(self, domain, kind, protocol, address, *_):
        assert domain == 1
        ends = socket.socketpair(socket.AF_UNIX, {1: socket.SOCK_STREAM, 2: socket.SOCK_DGRAM}[kind])
        self.uc.mem_write(address, struct.pack("<2i", *(self.add(Socket(False, end)) for end in ends)))

    def sys_bind(self, fd, name, size, *_):
        assert size == 16 and bytes(self.uc.mem_read(name, 16)) == bytes([16, 2, 0, 0, 127, 0, 0, 1]) + bytes(8)
        if self.lacks == "without-loopback":
            fail("EADDRNOTAVAIL")

    def sys_listen(self, fd, *_):
        self.listener = self.get_socket(fd)

    def sys_getsockname(self, fd, name, size, *_):
        assert self.memory("<I", size) == (16,)
        self.uc.mem_write(name + 2, b"\x12\x34")

    def sys_connect(self, fd, name, size, *_):
        assert size == 16 and bytes(self.uc.mem_read(name + 2, 2)) == b"\x12\x34"
        ours, theirs = socket.socketpair()
        self.get_socket(fd).end = ours
        self.listener.backlog.append(theirs)

    def sys_accept(self, fd, *_):
        return self.add(Socket(True, self.get_socket(fd).backlog.pop()))

    def sys_setsockopt(self, fd, level, option, value, size, *_):
        what = self.get_socket(fd)
        if level == TCP:
            what.inet or fail("EINVAL")
            assert option in (1, 4) and size == 4
            what.options[option], = self.memory("<i", value)
            return
        assert level == SOL_SOCKET
        if option in (0x1005, 0x1006):
            assert self.memory("<2q", value) == (10, 0) and size == 16
            linux = {0x1005: socket.SO_SNDTIMEO, 0x1006: socket.SO_RCVTIMEO}[option]
            what.end and what.end.setsockopt(socket.SOL_SOCKET, linux, struct.pack("<2q", 10, 0))
        else:
            assert option in (0x1001, 0x1002) and size == 4

    def sys_getsockopt(self, fd, level, option, value, size, *_):
        what = self.get_socket(fd)
        assert self.memory("<I", size) == (4,)
        if level == TCP:
            what.inet or fail("EINVAL")
            answer = what.options.get(option, 0) * 4
        else:
            assert (level, option) == (SOL_SOCKET, 0x1008)
            answer = what.end.type if what.end else 1
        self.uc.mem_write(value, struct.pack("<i", answer))

    def sys_sendmsg(self, fd, message, flags, *_):
        assert flags == MSG_NOSIGNAL
        name, name_len, slices, count, control, control_len, _ = self.memory("<QIxxxxQixxxxQIi", message)
        assert (name, name_len, control, control_len) == (0, 0, 0, 0)
        return self.get_socket(fd).connected().send(self.slices(slices, count), socket.MSG_NOSIGNAL)

    def sys_writev(self, fd, slices, count, *_):
        return os.write(self.get(fd).fileno(), self.slices(slices, count))

    def sys_sendfile(self, fd, out, offset, count, hdtr, sbytes, flags):
        if offset >> 63:
            fail("EINVAL")
        headers = trailers = b""
        if hdtr:
            list, headers, other, trailers = self.memory("<Qi4xQi4x", hdtr)
            headers = self.slices(list, headers)
            trailers = self.slices(other, trailers)
        self.get(fd)
        self.sent = 0
        try:
            self.send_file(self.get(fd), out, offset, count, headers, trailers, flags)
        finally:
            sbytes and self.uc.mem_write(sbytes, struct.pack("<q", self.sent))

    def send_file(self, file, out, offset, count, headers, trailers, flags):
        """kern_sendfile.c, vn_sendfile."""
        if isinstance(file, Socket) or not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            fail("EINVAL")
        to = self.get_socket(out)
        if to.end and to.end.type != socket.SOCK_STREAM:
            fail("EINVAL")
        rest = os.pread(file.fileno(), count or 1 << 30, offset)
        try:
            while rest:
                # Less than half a buffer is no room, if there is more to send.
                space = BUFFER - to.queued()
                if space < min(len(rest), BUFFER // 2):
                    os.get_blocking(to.fileno()) or fail("EAGAIN")
                    time.sleep(0.001)
                    continue
                now, headers = headers[:space], headers[space:]
                space = min(space - len(now), len(rest))
                if PAGE < space < len(rest):
                    space -= (offset + space) % PAGE
                to.end.sendall(now + rest[:space], socket.MSG_NOSIGNAL)
                self.sent += len(now) + space
                rest, offset = rest[space:], offset + space
            if trailers:
                self.sent += to.connected().send(trailers, socket.MSG_NOSIGNAL)
        finally:
            while self.sent and flags & SF_SYNC and self.lacks != "without-sync" and to.queued():
                time.sleep(0.01)


def main(program, cpu, lacks=None):
    model = Model(program, cpu, lacks)
    model.uc.emu_start(model.entry, 0)
    sys.exit("it came to an end")


main(*sys.argv[1:])
