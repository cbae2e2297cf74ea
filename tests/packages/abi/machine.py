"""An emulated processor that runs a probe, and the system call ABI of each kernel that this crate speaks to.

The tables below are written from the kernels' documentation and sources, not from the crate's stubs.
"""

import random
import re
import struct

import lief
from unicorn import UC_ARCH_ARM, UC_ARCH_ARM64, UC_ARCH_RISCV, UC_ARCH_X86, UC_HOOK_CODE, UC_HOOK_INSN, UC_HOOK_INTR
from unicorn import UC_MODE_32, UC_MODE_64, UC_MODE_ARM, UC_MODE_RISCV64, Uc, UcError, arm64_const, arm_const, riscv_const, x86_const

MASK = (1 << 64) - 1
PAGE = 0x1000
IO, STACK, STACK_SIZE, STOP = 0x7000_0000, 0x6000_0000, 0x20000, 0x5000_0000
VALUES = 32
# Words of the processor, and numbers of 64 bits.
WORDS = {"number", "arguments", "number_after", "arguments_after"}
LAYOUT = {"number": 1, "arguments": 7, "values": VALUES, "result": 1, "cell": 1, "number_after": 1,
          "arguments_after": 7, "values_after": VALUES, "flags_after": 4}


class Failure(Exception):
    """What the crate did wrong."""


class Cpu:
    def __init__(self, unicorn, consts, prefix, names, sp, pc, saved, io, flags, link=None, bits=64):
        self.unicorn, self.sp, self.pc, self.saved, self.io, self.link = unicorn, sp, pc, saved, io, link
        self.bits = bits
        self.ids = {name: getattr(consts, prefix + name.upper()) for name in names}
        # Register of the condition flags, those bits of it that a computation leaves, and the carry.
        self.flags = flags


def numbered(prefix, count):
    return [f"{prefix}{i}" for i in range(count)]


CPUS = {
    "x86_64": Cpu(
        (UC_ARCH_X86, UC_MODE_64), x86_const, "UC_X86_REG_",
        "rax rbx rcx rdx rsi rdi rbp rsp r8 r9 r10 r11 r12 r13 r14 r15 rip eflags".split(),
        sp="rsp", pc="rip", saved="rbx rbp r12 r13 r14 r15".split(), io="rdi", flags=("eflags", 0x8d5, 1)),
    # An argument is on the stack.
    "x86": Cpu(
        (UC_ARCH_X86, UC_MODE_32), x86_const, "UC_X86_REG_", "eax ebx ecx edx esi edi ebp esp eip".split(),
        sp="esp", pc="eip", saved="ebx ebp esi edi".split(), io=None, flags=None, bits=32),
    "aarch64": Cpu(
        (UC_ARCH_ARM64, UC_MODE_ARM), arm64_const, "UC_ARM64_REG_", [*numbered("x", 31), "sp", "pc", "nzcv"],
        sp="sp", pc="pc", saved=[f"x{i}" for i in range(19, 30)], io="x0", flags=("nzcv", 0xf000_0000, 0x2000_0000),
        link="x30"),
    "arm": Cpu(
        (UC_ARCH_ARM, UC_MODE_ARM), arm_const, "UC_ARM_REG_", [*numbered("r", 13), "sp", "lr", "pc", "cpsr"],
        sp="sp", pc="pc", saved=[f"r{i}" for i in range(4, 12)], io="r0", flags=("cpsr", 0xf000_0000, 0x2000_0000),
        link="lr", bits=32),
    "riscv64": Cpu(
        (UC_ARCH_RISCV, UC_MODE_RISCV64), riscv_const, "UC_RISCV_REG_",
        ["ra", "sp", "gp", "tp", *numbered("t", 7), *numbered("s", 12), *numbered("a", 8), "pc"],
        sp="sp", pc="pc", saved=["gp", "tp", *numbered("s", 12)], io="a0", flags=None, link="ra"),
}


class Abi:
    """Where a kernel finds number and arguments, how it tells an error, and what else of the integer registers and the flags
    is not what it was before. `trap` is the instruction, `base` is a part of every number."""

    def __init__(self, number, arguments, error, changed, trap, flags=False, base=0):
        self.number, self.arguments, self.error, self.changed = number, arguments.split(), error, changed.split()
        self.trap, self.flags, self.base = bytes.fromhex(trap), flags, base


SYSCALL, INT_80, SVC_0, SVC_80, ECALL, SVC_ARM, SVC_THUMB = "0f05", "cd80", "010000d4", "011000d4", "73000000", "000000ef", "00df"
THUMB = 1 << 5
ABIS = {
    # syscall(2); arch/x86/entry/entry_64.S
    ("linux", "x86_64"): Abi("rax", "rdi rsi rdx r10 r8 r9", "negative", "rcx r11", SYSCALL),
    # arch/x86/entry/entry_32.S, entry_INT80_32
    ("linux", "x86"): Abi("eax", "ebx ecx edx esi edi ebp", "negative", "", INT_80),
    ("linux", "aarch64"): Abi("x8", "x0 x1 x2 x3 x4 x5", "negative", "", SVC_0),
    ("linux", "riscv64"): Abi("a7", "a0 a1 a2 a3 a4 a5", "negative", "", ECALL),
    ("linux", "arm"): Abi("r7", "r0 r1 r2 r3 r4 r5", "negative", "", SVC_ARM),
    # arch/s390/kernel/entry.S; Documentation/arch/powerpc/syscall64-abi.rst; arch/loongarch/kernel/entry.S
    ("linux", "s390x"): Abi("r1", "r2 r3 r4 r5 r6 r7", "negative", "", "0a00"),
    ("linux", "powerpc64le"): Abi("r0", "r3 r4 r5 r6 r7 r8", "carry",
                                  "r0 r4 r5 r6 r7 r8 r9 r10 r11 r12 ctr xer", "02000044", flags=True),
    ("linux", "loongarch64"): Abi("a7", "a0 a1 a2 a3 a4 a5", "negative", " ".join(f"t{i}" for i in range(9)), "00002b00"),
    # sys/*/*/trap.c, cpu_fetch_syscall_args; vm_machdep.c, cpu_set_syscall_retval; amd64/exception.S, fast_syscall
    ("freebsd", "x86_64"): Abi("rax", "rdi rsi rdx r10 r8 r9", "carry", "rcx r11 rdx r10 r8 r9", SYSCALL, flags=True),
    ("freebsd", "aarch64"): Abi("x8", "x0 x1 x2 x3 x4 x5 x6", "carry", "x1", SVC_0, flags=True),
    ("freebsd", "riscv64"): Abi("t0", "a0 a1 a2 a3 a4 a5 a6", "t0", "a1", ECALL),
    # bsd/dev/i386/systemcalls.c, bsd/dev/arm/systemcalls.c; changed is what a function of C may change
    ("macos", "x86_64"): Abi("rax", "rdi rsi rdx r10 r8 r9", "carry", "rcx r11 rdi rsi rdx r10 r8 r9", SYSCALL, flags=True,
                             base=2 << 24),
    ("macos", "aarch64"): Abi("x16", "x0 x1 x2 x3 x4 x5", "carry", " ".join(f"x{i}" for i in range(1, 18)), SVC_80,
                              flags=True),
}


def rotate(value, by):
    return (value << by | value >> (64 - by)) & MASK if by else value


class Machine:
    order, io, bits = "<", IO, 64

    def __init__(self, path, os, cpu):
        self.cpu = CPUS[cpu]
        self.bits = self.cpu.bits
        self.load(path, os, ABIS[os, cpu])

    def load(self, path, os, abi):
        self.os, self.abi, self.mask = os, abi, (1 << self.bits) - 1
        image = lief.parse(str(path))
        self.symbols = {symbol.name.removeprefix("_") if os == "macos" else symbol.name: symbol.value
                        for symbol in image.symbols}
        self.segments = [(s.virtual_address, bytes(s.content), s.virtual_size) for s in image.segments if s.virtual_size]
        self.traps = [address + match.start() for address, content, _ in self.segments
                      for match in re.finditer(re.escape(abi.trap), content)]

    def run(self, probe, inputs, calls, seed):
        """Calls `probe`, answers its system calls by `calls` and returns what it left."""
        if probe not in self.symbols:
            raise Failure("no such probe")
        noise = random.Random(seed)
        uc = self.uc = Uc(*self.cpu.unicorn)
        pages = {a // PAGE for address, _, size in self.segments for a in range(address, address + size + PAGE - 1, PAGE)}
        for page in pages:
            uc.mem_map(page * PAGE, PAGE)
        for address, content, _ in self.segments:
            uc.mem_write(address, content)
        for address, size in (IO, PAGE), (STACK, STACK_SIZE), (STOP, PAGE):
            uc.mem_map(address, size)
        # Whatever is read without having been written is noise.
        uc.mem_write(STACK, noise.randbytes(STACK_SIZE))

        self.noise, self.calls, self.failure = noise, list(calls), None
        for name in self.cpu.ids:
            if name not in (self.cpu.sp, self.cpu.pc, "eflags", "nzcv", "cpsr"):
                self.write(name, noise.getrandbits(64))
        if "gp" in self.cpu.ids:
            self.write("gp", self.symbols.get("__global_pointer$", 0))
        if "cpsr" in self.cpu.ids:
            # Floating point is on, as every kernel has it for a program.
            uc.reg_write(arm_const.UC_ARM_REG_C1_C0_2, 0xf << 20)
            uc.reg_write(arm_const.UC_ARM_REG_FPEXC, 1 << 30)
        before = self.fill(inputs, noise)

        sp = STACK + STACK_SIZE - 64
        if self.cpu.io:
            self.write(self.cpu.io, IO)
        else:
            uc.mem_write(sp, struct.pack(f"<{self.word}", IO))
        if self.cpu.link:
            self.write(self.cpu.link, STOP)
        else:
            sp -= self.bits // 8
            uc.mem_write(sp, struct.pack(f"<{self.word}", STOP))
        self.write(self.cpu.sp, sp)
        saved = {name: self.read(name) for name in self.cpu.saved}

        # 8 and 2: environment call from user mode, supervisor call. Of x86 it is the number in the instruction.
        if "rax" in self.cpu.ids:
            # Unicorn 2.1 has wrong flags in the hook of `syscall`, and right ones just before that instruction.
            def keep_flags(*_):
                self.eflags = self.read("eflags")
            for at in self.traps:
                uc.hook_add(UC_HOOK_CODE, keep_flags, None, at, at)
            uc.hook_add(UC_HOOK_INSN, lambda uc, _: self.trap(), None, 1, 0, x86_const.UC_X86_INS_SYSCALL)
        else:
            expected = 0x80 if "eax" in self.cpu.ids else 8 if "ra" in self.cpu.ids else 2
            uc.hook_add(UC_HOOK_INTR, lambda uc, number, _: self.trap(None if number == expected else number))
        try:
            uc.emu_start(self.symbols[probe], STOP, count=1_000_000)
        except UcError as error:
            raise self.failure or Failure(f"{error} at {self.read(self.cpu.pc):#x}")
        if self.failure:
            raise self.failure
        if self.read(self.cpu.pc) != STOP:
            raise Failure("it does not end")
        return self.ended(before, {**saved, self.cpu.sp: sp if self.cpu.link else sp + self.bits // 8})

    def fill(self, inputs, noise):
        numbers = []
        for field, count in LAYOUT.items():
            given = inputs.get(field, [])
            given = given if isinstance(given, list) else [given]
            mask = self.mask if field in WORDS else MASK
            numbers += [number & mask for number in given + [noise.getrandbits(64) for _ in range(count - len(given))]]
        self.store(self.io, struct.pack(self.layout(), *numbers))
        return self.fields()

    @property
    def word(self):
        """The letter that `struct` has for it."""
        return {64: "Q", 32: "I"}[self.bits]

    def layout(self):
        return self.order + "".join(f"{count}{self.word if field in WORDS else 'Q'}" for field, count in LAYOUT.items())

    def ended(self, before, saved):
        """What a probe leaves that has returned, once nothing was lost: `saved` are the registers to be restored."""
        if self.calls:
            raise Failure(f"{len(self.calls)} calls were not made: {self.calls[0].name}")
        for name, value in saved.items():
            if self.read(name) != value:
                raise Failure(f"{name} was not restored")
        after = self.fields()
        self.unharmed(before, after)
        return after

    def unharmed(self, before, after):
        """The computation around the call gave what it had to."""
        values = before["values"]
        for i, value in enumerate(after["values_after"]):
            if value != rotate(values[i], i):
                raise Failure(f"value {i} was lost")
        p, q = values[0], values[1]
        if after["flags_after"] != [p - q & MASK, int(p < q), p + q & MASK, p + q >> 64]:
            raise Failure("a comparison was lost")

    def fields(self):
        layout = self.layout()
        numbers, fields = struct.unpack(layout, self.memory(self.io, struct.calcsize(layout))), {}
        for field, count in LAYOUT.items():
            fields[field] = list(numbers[:count]) if count > 1 else numbers[0]
            numbers = numbers[count:]
        return fields

    def end(self):
        """Nothing is left of a case."""

    def read(self, name):
        return self.uc.reg_read(self.cpu.ids[name])

    def write(self, name, value):
        self.uc.reg_write(self.cpu.ids[name], value & self.mask)

    def words(self, address, count):
        """Words of the processor."""
        return list(struct.unpack(f"{self.order}{count}{self.word}", self.memory(address, self.bits // 8 * count)))

    def store(self, address, content):
        self.uc.mem_write(address, content)

    def memory(self, address, size):
        try:
            return bytes(self.uc.mem_read(address, size))
        except UcError:
            raise Failure(f"no memory at {address:#x}") from None

    def trap(self, exception=None):
        try:
            if "eflags" in self.cpu.ids:
                self.write("eflags", self.eflags)
            self.kernel(exception)
        except Failure as failure:
            self.failure = failure
            self.uc.emu_stop()

    def kernel(self, exception):
        if exception is not None:
            raise Failure(f"exception {exception}")
        if not self.calls:
            raise Failure(f"call {self.read(self.abi.number)} too many")
        call, abi = self.calls.pop(0), self.abi
        # The program counter is at `syscall`, and behind the other instructions.
        trap = abi.trap
        if "cpsr" in self.cpu.ids and self.read("cpsr") & THUMB:
            trap = bytes.fromhex(SVC_THUMB)
        at = self.read(self.cpu.pc) - (0 if "rax" in self.cpu.ids else len(trap))
        if self.memory(at, len(trap)) != trap:
            raise Failure(f"{self.memory(at, len(trap)).hex()} is another trap")
        number = self.read(abi.number)
        if number != call.number | abi.base:
            raise Failure(f"{call.name} is {call.number | abi.base}, not {number}")
        for i, expected in enumerate(call.arguments):
            expected.check(self, f"argument {i + 1} of {call.name}", self.argument(i))

        for name in abi.changed:
            self.write(name, self.noise.getrandbits(64))
        if abi.flags:
            register, bits, _ = self.cpu.flags
            self.write(register, self.read(register) & ~bits | self.noise.getrandbits(32) & bits)
        self.answer(call.result)

    def argument(self, i):
        if i < len(self.abi.arguments):
            return self.read(self.abi.arguments[i])
        # On the stack, behind the place of a return address.
        return self.words(self.read(self.cpu.sp) + 8 * (i - len(self.abi.arguments) + 1), 1)[0]

    def answer(self, result):
        """A negative result is an error number."""
        register = next((name for name in ("rax", "eax") if name in self.cpu.ids), self.abi.arguments[0])
        error = result < 0
        self.write(register, -result if error and self.abi.error != "negative" else result)
        if self.abi.error == "carry":
            flags, _, carry = self.cpu.flags
            self.write(flags, self.read(flags) & ~carry | carry * error)
        elif self.abi.error == "t0":
            self.write("t0", self.noise.getrandbits(63) + 1 if error else 0)


class Word:
    """An argument that is a word."""

    def __init__(self, value):
        self.value = value

    def check(self, machine, what, value):
        expected = self.value & machine.mask
        if value != expected:
            raise Failure(f"{what} is {value:#x}, not {expected:#x}")


class Int(Word):
    """An argument that is an int of C: the upper half of its register counts for nothing."""

    def __init__(self, value):
        self.value = value & 0xffff_ffff

    def check(self, machine, what, value):
        super().check(machine, what, value & 0xffff_ffff)


class Memory:
    """The address of these bytes, which the kernel reads and, if told so, overwrites."""

    def __init__(self, content, then=None):
        self.content, self.then = content, then

    def check(self, machine, what, value):
        found = machine.memory(value, len(self.content))
        if found != self.content:
            raise Failure(f"{what} points to {found.hex()}, not {self.content.hex()}")
        if self.then:
            machine.store(value, self.then)


class Call:
    """A system call that is expected, and the answer: negative is an error number."""

    def __init__(self, name, number, arguments, result):
        self.name, self.number, self.arguments, self.result = name, number, arguments, result
