"""The same for processors that unicorn has not: QEMU runs the program, and its debugger's interface stands for the kernel.

A breakpoint stops the program before each trap, which is never executed. What the kernel would have done to registers and
memory is done from here, and the program goes on behind it.
"""

import pathlib
import random
import re
import socket
import struct
import subprocess
import tempfile
import time

from machine import ABIS, MASK, Failure, Machine, numbered

# Of the program's own stack, from its top down.
ROOM, DEPTH = 0x4000, 0x4000


class Registers:
    """The numbers that QEMU's debugger has for registers, those of 32 bits, and what else is to be known of a processor."""

    def __init__(self, qemu, order, ids, sp, pc, link, saved, io, flags=None, short=(), fixed=()):
        self.qemu, self.order, self.ids, self.sp, self.pc, self.link = qemu, order, ids, sp, pc, link
        self.saved, self.io, self.flags, self.short, self.fixed = saved, io, flags, short, fixed


def ids(names, first=0):
    return {name: first + i for i, name in enumerate(names)}


CPUS = {
    "s390x": Registers(
        "s390x", ">", {"pswa": 1, **ids(numbered("r", 16), 2)}, sp="r15", pc="pswa", link="r14",
        saved=[f"r{i}" for i in range(6, 14)], io="r2"),
    # r13 is the thread's. A function finds its data by r12, its own address.
    "powerpc64le": Registers(
        "ppc64le", "<", {**ids(numbered("r", 32)), **ids("pc msr cr lr ctr xer".split(), 64)}, sp="r1", pc="pc", link="lr",
        saved=[f"r{i}" for i in range(14, 32)], io="r3", flags=("cr", 0xff00_0fff, 1 << 28), short=("cr", "xer"),
        fixed=("msr", "r2", "r13")),
    # r21 is nobody's.
    "loongarch64": Registers(
        "loongarch64", "<", {**ids(["zero", "ra", "tp", "sp", *numbered("a", 8), *numbered("t", 9), "r21", "fp",
                                    *numbered("s", 9)]), "pc": 33},
        sp="sp", pc="pc", link="ra", saved=["fp", *numbered("s", 9)], io="a0", fixed=("zero", "tp", "r21")),
}


class Debugger:
    """QEMU with a program that has not begun, and the packets of GDB's remote protocol."""

    def __init__(self, qemu, program):
        self.folder = tempfile.TemporaryDirectory()
        path = str(pathlib.Path(self.folder.name) / "gdb")
        self.process = subprocess.Popen([f"qemu-{qemu}", "-g", path, program], stdin=subprocess.DEVNULL)
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(20)
        for _ in range(2000):
            try:
                self.socket.connect(path)
                break
            except OSError:
                if self.process.poll() is not None:
                    raise Failure(f"qemu-{qemu} ended with {self.process.returncode}") from None
                time.sleep(0.01)  # between two looks
        else:
            raise Failure(f"qemu-{qemu} does not listen")
        self.received = b""
        # Who has not asked for the description of the registers is not let at a single one.
        self.ask("qXfer:features:read:target.xml:0,ffb")

    def ask(self, packet):
        self.socket.sendall(b"$%b#%02x" % (packet.encode(), sum(packet.encode()) & 0xff))
        while not (match := re.match(rb"\+*\$([^#]*)#..", self.received)):
            more = self.socket.recv(1 << 16)
            if not more:
                raise Failure("the program ended")
            self.received += more
        self.received = self.received[match.end():]
        self.socket.sendall(b"+")
        return match[1].decode()

    def end(self):
        self.process.kill()
        self.process.wait()
        self.socket.close()
        self.folder.cleanup()


class Debugged(Machine):
    def __init__(self, path, os, cpu):
        self.path, self.cpu, self.debugger = path, CPUS[cpu], None
        self.order = self.cpu.order
        self.load(path, os, ABIS[os, cpu])
        self.stop = self.symbols["rust_eh_personality"]  # nobody calls it

    def begin(self, noise):
        self.debugger = Debugger(self.cpu.qemu, self.path)
        # Above it lie the arguments.
        top = self.read(self.cpu.sp) // 0x1000 * 0x1000
        self.io, self.top = top - 0x2000, top - 0x3000
        # Whatever is read without having been written is noise, or what another case has left.
        for address in range(self.top - DEPTH, self.top, 0x400):
            self.store(address, noise.randbytes(0x400))
        for address in {self.stop, *self.traps}:
            if self.debugger.ask(f"Z0,{address:x},{len(self.abi.trap)}") != "OK":
                raise Failure("no breakpoint")

    def run(self, probe, inputs, calls, seed):
        if probe not in self.symbols:
            raise Failure("no such probe")
        noise = random.Random(seed)
        if not self.debugger:
            self.begin(noise)
        self.noise, self.calls = noise, list(calls)
        try:
            return self.through(probe, inputs, noise)
        except (Failure, OSError) as failure:
            # The program is somewhere.
            self.end()
            raise Failure(str(failure)) from None

    def through(self, probe, inputs, noise):
        for name in self.cpu.ids:
            if name not in (self.cpu.sp, self.cpu.pc, *self.cpu.fixed):
                self.write(name, noise.getrandbits(32 if name in self.cpu.short else 64))
        before = self.fill(inputs, noise)
        start = self.symbols[probe]
        sp = self.top - 0x200
        for name, value in {self.cpu.io: self.io, self.cpu.sp: sp, self.cpu.pc: start, self.cpu.link: self.stop}.items():
            self.write(name, value)
        if "lr" in self.cpu.ids:
            self.write("r12", start)
        saved = {name: self.read(name) for name in self.cpu.saved}

        while (answer := self.debugger.ask("c"))[:3] == "T05" and (at := self.read(self.cpu.pc)) != self.stop:
            self.write(self.cpu.pc, at + len(self.abi.trap))
            self.kernel(None)
        if answer[:3] != "T05":
            raise Failure(f"it stopped with {answer}")
        return self.ended(before, {**saved, self.cpu.sp: sp})

    def end(self):
        if self.debugger:
            self.debugger.end()
        self.debugger = None

    def size(self, name):
        return f"{self.order}{'I' if name in self.cpu.short else 'Q'}"

    def read(self, name):
        answer = self.debugger.ask(f"p{self.cpu.ids[name]:x}")
        return struct.unpack(self.size(name), bytes.fromhex(answer))[0]

    def write(self, name, value):
        bytes = struct.pack(self.size(name), value & (0xffff_ffff if name in self.cpu.short else MASK))
        if self.debugger.ask(f"P{self.cpu.ids[name]:x}={bytes.hex()}") != "OK":
            raise Failure(f"{name} cannot be written")

    def memory(self, address, size):
        answer = self.debugger.ask(f"m{address:x},{size:x}")
        if answer[:1] == "E":
            raise Failure(f"no memory at {address:#x}")
        return bytes.fromhex(answer)

    def store(self, address, content):
        if self.debugger.ask(f"M{address:x},{len(content):x}:{content.hex()}") != "OK":
            raise Failure(f"no memory at {address:#x}")
