"""Runs examples/bsd_check on an emulated processor, with a model of FreeBSD around it: the program starts as FreeBSD starts one,
its system calls are answered here, and both of its kinds of socket are pairs of the Unix domain. What the program calls TCP has a send
buffer in front of the pair, with what decides about waiting: the low-water mark, TCP_NOPUSH and the persist timer. Its time is simulated:
where a real connection would wait for that timer, the program's clock goes on by its 5 seconds.

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
import select
import signal
import socket
import stat
import struct
import sys
import termios
import time

import lief
from unicorn import UC_HOOK_INSN, UC_HOOK_INTR, UC_PROT_READ, UC_PROT_WRITE, Uc, riscv_const, x86_const

sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / "packages/abi"))
from machine import ABIS, CPUS, ECALL, PAGE, SVC_0, SYSCALL  # noqa: E402

# sys/sys/errno.h
ECONNABORTED = 53
NUMBERS = {"EAGAIN": 35, "ENOTSOCK": 38, "EADDRNOTAVAIL": 49, "ECONNRESET": 54, "ENOTCONN": 57, "ENOSYS": 78}
SAME = "EPERM ENOENT EINTR EIO EBADF EFAULT EBUSY EEXIST EINVAL EPIPE".split()
NUMBERS.update((name, getattr(errno, name)) for name in SAME)
NUMBERS["EKEYREJECTED"] = 93  # ENOTCAPABLE, which Linux has not
SOL_SOCKET, TCP, MSG_NOSIGNAL, SF_SYNC = 0xffff, 6, 0x20000, 4
TCP_NODELAY, TCP_NOPUSH = 1, 4
BUFFER, LOWAT = 65536, 2048
# Of loopback, and the persist timer in seconds.
SEGMENT, PERSIST = 16332, 5
# sys/sys/mdioctl.h, and the start of the FAT file system's clusters, in sectors.
MD_FORCE, CLUSTERS = 0x20, 3
# sys/sys/capsicum.h
CAP_READ, CAP_WRITE, CAP_PREAD, CAP_GETSOCKOPT, CAP_SETSOCKOPT, CAP_IOCTL = 1, 2, 0xd, 1 << 34, 1 << 37, 1 << 63
STACK, STACK_SIZE, SHARED = 0x6000_0000, 0x80000, 0x7100_0000


def fail(name):
    raise OSError(getattr(errno, name), name)


class Socket:
    """One end of a connection, or a socket that has none yet."""

    rights = ~0

    def __init__(self, inet, end=None):
        self.inet, self.end, self.options, self.backlog = inet, end, {}, []
        self.size, self.lowat, self.errors, self.gone = BUFFER, LOWAT, [], False
        # What TCP holds back, what it has sent, and how much of that (in each direction) was read, in whatever process.
        self.held, self.sent = bytearray(), 0
        self.taken = self.taking = None

    def connected(self):
        return self.end or fail("ENOTCONN")

    def flying(self):
        """What the other end has not read, or more."""
        if self.inet:
            return self.sent - int.from_bytes(self.taken[:8], "little")
        return struct.unpack("<i", fcntl.ioctl(self.connected(), termios.TIOCOUTQ, bytes(4)))[0]

    def queued(self):
        return self.flying() + len(self.held)

    def space(self):
        return self.size - self.queued()

    def check(self):
        if self.gone:
            fail("EPIPE")
        polled = select.poll()
        polled.register(self.connected(), 0)
        if polled.poll(0):
            fail("EPIPE")

    def put(self, data):
        """pru_send."""
        if self.inet:
            self.held += data
            self.output()
        else:
            self.connected().sendall(data, socket.MSG_NOSIGNAL)

    def output(self, force=False):
        """tcp_output. (Acknowledgements come when the other end reads; Nagle's algorithm waits for none of them.)"""
        while self.held and (force or len(self.held) >= SEGMENT or not self.options.get(TCP_NOPUSH)):
            self.connected().sendall(self.held[:SEGMENT], socket.MSG_NOSIGNAL)
            self.sent += len(self.held[:SEGMENT])
            del self.held[:SEGMENT]

    def read(self, size):
        data = os.read(self.fileno(), size)
        if self.inet:
            self.taking[:8] = (int.from_bytes(self.taking[:8], "little") + len(data)).to_bytes(8, "little")
        return data

    def shut(self):
        """sendfile_iodone, after a read that failed: what waits is gone, and the error is kept. Before that, TCP's pr_abort keeps one of its
        own, which the program can read first: here it always does."""
        self.gone, self.errors = True, [ECONNABORTED, errno.EIO] if self.inet else [errno.EIO]
        self.held.clear()
        self.connected().shutdown(socket.SHUT_RDWR)

    def fileno(self):
        return self.connected().fileno()

    def close(self):
        if self.end and self.held:
            try:
                self.output(True)
            except OSError:
                pass
        self.end and self.end.close()


class File:
    rights = ~0

    def __init__(self, fd, bad=1 << 62):
        self.fd, self.bad = fd, bad

    def read(self, size):
        return os.read(self.fd, size)

    def fileno(self):
        return self.fd

    def close(self):
        os.close(self.fd)


class MemoryDisk:
    """/dev/mdctl, and the one disk that it has made."""

    rights = ~0

    def close(self):
        pass


class Model:
    def __init__(self, path, cpu, lacks):
        self.cpu, self.abi, self.lacks = CPUS[cpu], ABIS["freebsd", cpu], lacks
        self.descriptors, self.listener, self.mapped = {}, None, []
        self.clock, self.interrupted, self.mounted = 0, False, None
        self.disk, self.main, self.cuts = None, os.getpid(), 0
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
        if cpu == "riscv64":
            # As the kernel does at the first use: the floating-point registers are on (mstatus.FS).
            uc.reg_write(riscv_const.UC_RISCV_REG_MSTATUS, 3 << 13)
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
                 22: "unmount", 136: "mkdir", 137: "rmdir", 378: "nmount",
                 28: "sendmsg", 30: "accept", 32: "getsockname", 41: "dup", 54: "ioctl", 83: "setitimer", 92: "fcntl",
                 97: "socket", 98: "connect", 104: "bind", 105: "setsockopt", 106: "listen", 118: "getsockopt", 121: "writev",
                 135: "socketpair", 202: "sysctl", 232: "clock_gettime", 240: "nanosleep", 340: "sigprocmask",
                 343: "sigpending", 345: "sigtimedwait", 393: "sendfile", 416: "sigaction", 475: "pread", 477: "mmap", 480: "ftruncate",
                 533: "cap_rights_limit", 571: "shm_open2"}
        return getattr(self, "sys_" + names[number])(*arguments)

    # Descriptors.

    def add(self, what):
        fd = next(fd for fd in range(3, 900) if fd not in self.descriptors)
        self.descriptors[fd] = what
        return fd

    def get(self, fd, rights=0):
        what = self.descriptors.get(fd & 0xffff_ffff) or fail("EBADF")
        return what if what.rights & rights == rights else fail("EKEYREJECTED")

    def get_socket(self, fd, rights=0):
        what = self.get(fd, rights)
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
        assert os.getpid() != self.main or self.disk is self.mounted is None, "a disk is left"
        os._exit(status & 0xff)

    def sys_fork(self, *_):
        return os.fork()

    def sys_wait4(self, pid, *_):
        return os.waitpid(pid, 0)[0]

    def sys_getpid(self, *_):
        return os.getpid()

    def sys_read_(self, fd, address, size, *_):
        data = self.get(fd).read(size)
        self.uc.mem_write(address, data)
        return len(data)

    def sys_write_(self, fd, address, size, *_):
        data = bytes(self.uc.mem_read(address, size))
        return os.write(1 if fd == 1 else self.get(fd).fileno(), data)

    def sys_pread(self, fd, address, size, offset, *_):
        file = self.get(fd, CAP_PREAD)
        data = os.pread(file.fileno(), size, offset)
        data and offset + len(data) > getattr(file, "bad", 1 << 62) and fail("EIO")
        self.uc.mem_write(address, data)
        return len(data)

    def sys_open(self, address, flags, mode, *_):
        path = self.path(address)
        if path == b"/dev/mdctl":
            return self.add(MemoryDisk())
        if path == b"/dev/md3":
            return self.add(File(os.dup(self.disk)))
        if self.mounted and path == self.mounted + b"/BAD.BIN":
            return self.add(self.file_of_disk())
        linux = {0: os.O_RDONLY, 0xa02: os.O_RDWR | os.O_CREAT | os.O_EXCL}[flags]
        return self.add(File(os.open(path, linux, mode)))

    def file_of_disk(self):
        """The file of the FAT file system: its clusters one after the other, those behind the disk's end bad. A cluster that only reaches
        beyond the end is not: g_io_check cuts such a read short, without an error."""
        image = os.pread(self.disk, 1 << 20, 0)
        assert image[1024:1035] == b"BAD     BIN"
        sectors, cluster, size = image[13], *struct.unpack("<HI", image[1024 + 26:1024 + 32])
        bad, count = None, 0
        while cluster < 0xff8:
            if bad is None and (CLUSTERS + (cluster - 2) * sectors) * 512 > len(image):
                bad = count * sectors * 512
            word, = struct.unpack_from("<H", image, 512 + cluster * 3 // 2)
            cluster, count = word >> 4 if cluster % 2 else word & 0xfff, count + 1
        assert count * sectors * 512 == size and bad, "no cluster is behind the end"
        fd = os.memfd_create("file")
        os.truncate(fd, size)
        return File(fd, bad)

    def sys_mkdir(self, address, mode, *_):
        os.mkdir(self.path(address), mode)

    def sys_rmdir(self, address, *_):
        os.rmdir(self.path(address))

    def sys_nmount(self, options, count, flags, *_):
        assert (count, flags) == (6, 1), "MNT_RDONLY"
        words = self.memory("<12Q", options)
        options = [bytes(self.uc.mem_read(base, size)) for base, size in zip(words[::2], words[1::2])]
        assert options[:3] + options[4:] == [b"fstype\0", b"msdosfs\0", b"fspath\0", b"from\0", b"/dev/md3\0"]
        # mountmsdosfs: the boot sector, the medium in the table of clusters, and no more sectors than the disk has.
        image = os.pread(self.disk, 1 << 20, 0)
        stated, = struct.unpack_from("<H", image, 19)
        if image[510:512] != b"\x55\xaa" or image[512:514] != bytes([image[21], 0xff]) or stated * 512 > len(image):
            fail("EINVAL")
        self.mounted = options[3][:-1]
        assert os.path.isdir(self.mounted)

    def sys_unmount(self, address, flags, *_):
        assert flags == 0x80000, "MNT_FORCE"
        self.path(address) == self.mounted or fail("EINVAL")
        self.mounted = None

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
        *interval, seconds, microseconds = self.memory("<4q", value)
        assert interval == [0, 0]
        signal.setitimer(signal.ITIMER_REAL, seconds + microseconds / 1e6)

    def sys_sigaction(self, number, action, *_):
        assert number == 14
        handler, flags, *mask = self.memory("<Qi4I", action)
        assert handler and flags == 0 and mask == [0] * 4

        def interrupt(*_):
            self.interrupted = True

        signal.signal(signal.SIGALRM, interrupt)

    def sys_clock_gettime(self, which, value, *_):
        assert which == 4, "CLOCK_MONOTONIC"
        self.uc.mem_write(value, struct.pack("<2q", *divmod(time.monotonic_ns() + self.clock * 10**9, 10**9)))

    def sys_dup(self, fd, *_):
        what = self.get(fd)
        assert isinstance(what, File)
        return self.add(File(os.dup(what.fd), what.bad))

    def sys_ftruncate(self, fd, size, *_):
        os.ftruncate(self.get(fd).fileno(), size)

    def sys_cap_rights_limit(self, fd, rights, *_):
        first, second = self.memory("<2Q", rights)
        assert (first >> 57, second >> 57) == (1, 2), "the version, and which word it is"
        self.get(fd).rights &= first & ~(1 << 57)

    def sys_ioctl(self, fd, request, value, *_):
        if isinstance(self.get(fd), MemoryDisk):
            version, unit, kind, _, size, sector, options = self.memory("<4I8xqII", value)
            if request == 0xc1c0_6d00:
                assert (version, kind, size, sector, options) == (0, 0, 65536, 512, 4)
                self.disk = os.memfd_create("disk")
                os.truncate(self.disk, size)
                self.uc.mem_write(value + 4, struct.pack("<I", 3))
            else:
                assert request == 0xc1c0_6d01 and unit == 3
                (size or options & ~MD_FORCE) and fail("EINVAL")
                # GEOM has it open, to taste it.
                options & MD_FORCE or fail("EBUSY")
                os.close(self.disk)
                self.disk = None
            return
        assert request == 0x4004_6676, "FIONSPACE"
        space = self.get_socket(fd, CAP_IOCTL).space()
        self.uc.mem_write(value, struct.pack("<i", max(space, 0)))

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
        sender = self.get_socket(fd)
        sender.end, theirs = socket.socketpair()
        receiver = Socket(True, theirs)
        sender.taken = receiver.taking = mmap.mmap(-1, PAGE)
        sender.taking = receiver.taken = mmap.mmap(-1, PAGE)
        self.listener.backlog.append(receiver)

    def sys_accept(self, fd, *_):
        return self.add(self.get_socket(fd).backlog.pop())

    def sys_setsockopt(self, fd, level, option, value, size, *_):
        what = self.get_socket(fd, CAP_SETSOCKOPT)
        if level == TCP:
            what.inet or fail("EINVAL")
            what.gone and fail("ECONNRESET")
            assert option in (TCP_NODELAY, TCP_NOPUSH) and size == 4
            what.options[option], = self.memory("<i", value)
            what.end and what.output()
            return
        assert level == SOL_SOCKET
        if option in (0x1005, 0x1006):
            assert self.memory("<2q", value) == (10, 0) and size == 16
            linux = {0x1005: socket.SO_SNDTIMEO, 0x1006: socket.SO_RCVTIMEO}[option]
            what.end and what.end.setsockopt(socket.SOL_SOCKET, linux, struct.pack("<2q", 10, 0))
        else:
            assert option in (0x1001, 0x1002) and size == 4
            if option == 0x1001:
                what.size, = self.memory("<i", value)
                what.lowat = min(what.lowat, what.size)

    def sys_getsockopt(self, fd, level, option, value, size, *_):
        what = self.get_socket(fd, CAP_GETSOCKOPT)
        assert self.memory("<I", size) == (4,)
        if level == TCP:
            what.inet or fail("EINVAL")
            what.gone and fail("ECONNRESET")
            answer = what.options.get(option, 0) * 4
        elif option == 0x1007:
            answer = what.errors.pop(0) if what.errors else 0
        else:
            assert (level, option) == (SOL_SOCKET, 0x1008)
            answer = what.end.type if what.end else 1
        self.uc.mem_write(value, struct.pack("<i", answer))

    def sys_sendmsg(self, fd, message, flags, *_):
        assert flags == MSG_NOSIGNAL
        name, name_len, slices, count, control, control_len, _ = self.memory("<QIxxxxQixxxxQIi", message)
        assert (name, name_len, control, control_len) == (0, 0, 0, 0)
        return self.send(self.get_socket(fd, CAP_WRITE), self.slices(slices, count))

    def wait(self, to):
        """sbwait, on a blocking socket. Nobody reads what is held back: the persist timer."""
        os.get_blocking(to.fileno()) or fail("EAGAIN")
        if self.interrupted:
            self.interrupted = False
            fail("EINTR")
        if to.held and to.flying() == 0:
            self.clock += PERSIST
            to.output(True)
        time.sleep(0.001)

    def send(self, to, data):
        """sosend."""
        if not to.inet:
            to.gone and fail("EPIPE")
            return to.connected().send(data, socket.MSG_NOSIGNAL)
        sent = 0
        while data:
            try:
                to.check()
                if len(data) > to.space() and to.space() < to.lowat:
                    self.wait(to)
                    continue
            except OSError:
                if sent:
                    break
                raise
            space = to.space()
            to.put(data[:space])
            sent, data = sent + len(data[:space]), data[space:]
        return sent

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
        file = self.get(fd, CAP_PREAD)
        self.sent = 0
        try:
            self.send_file(file, out, offset, count, headers, trailers, flags)
        finally:
            sbytes and self.uc.mem_write(sbytes, struct.pack("<q", self.sent))

    def send_file(self, file, out, offset, count, headers, trailers, flags):
        """kern_sendfile.c, vn_sendfile."""
        if isinstance(file, Socket) or not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            fail("EINVAL")
        to = self.get_socket(out, CAP_WRITE)
        if to.end and to.end.type != socket.SOCK_STREAM:
            fail("EINVAL")
        end = min(os.fstat(file.fileno()).st_size, offset + (count or 1 << 62))
        try:
            while offset < end:
                # Less than half a buffer is no room, if there is more to send.
                to.lowat = max(to.lowat, to.size // 2)
                to.connected()
                to.check()
                space = to.space()
                if space < end - offset and (space <= 0 or space < to.lowat):
                    self.wait(to)
                    continue
                now, headers = headers[:space], headers[space:]
                space = min(space - len(now), end - offset)
                if PAGE < space < end - offset:
                    space -= (offset + space) % PAGE
                data = os.pread(file.fileno(), space, offset)
                if space and not data:
                    # The file was cut. Every second time, as if it was cut while the pages were read, which count as sent.
                    self.cuts += 1
                    if self.cuts % 2 == 0:
                        self.sent += len(now) + space
                        to.shut()
                    break
                to.put(now + data)
                self.sent, offset = self.sent + len(now) + len(data), offset + len(data)
                if offset > file.bad:
                    # The disk is read meanwhile. It fails, and so does what comes next.
                    to.shut()
            if trailers:
                to.connected()
                self.sent += self.send(to, trailers)
        finally:
            while self.sent and flags & SF_SYNC and self.lacks != "without-sync" and to.queued():
                if to.held and to.flying() == 0:
                    self.clock += PERSIST
                    to.output(True)
                time.sleep(0.01)


def main(program, cpu, lacks=None):
    model = Model(program, cpu, lacks)
    model.uc.emu_start(model.entry, 0)
    sys.exit("it came to an end")


main(*sys.argv[1:])
