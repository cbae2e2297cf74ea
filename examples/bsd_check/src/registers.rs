//! H2, H3: what the kernel leaves in the registers. All but the declared ones are as they were (arch/README.md).

use core::arch::global_asm;

use bare_sendfile::fd::{AsRawFd, OwnedFd};

use crate::kernel::{self, SOCK_STREAM};
use crate::{Checks, connected};

/// General registers, the seventh argument, floating-point registers.
#[repr(C)]
struct Frame {
    general: [u64; 32],
    seventh: u64,
    vector: [u64; 64],
}

unsafe extern "C" {
    /// Loads the registers from the first frame, makes the call that is in them, and stores them to the second one.
    fn bsd_check_call(before: *const Frame, after: *mut Frame);
}

#[cfg(target_arch = "x86_64")]
mod cpu {
    /// rdi, rsi, rdx, r10, r8, r9; rax; rcx, r11; rbx, rbp, r12 to r15.
    pub const ARGUMENTS: [usize; 6] = [0, 1, 2, 3, 4, 5];
    pub const NUMBER: usize = 6;
    pub const RESULT: usize = 6;
    /// It is on the stack.
    pub const SEVENTH: Option<usize> = None;
    pub const USED: usize = 15;
    /// Those that may change: rdx, r10, r8, r9, rax, rcx, r11.
    pub const CHANGED: u64 = 0b1_1111_1100;
    pub const VECTOR: usize = 32;
}

#[cfg(target_arch = "x86_64")]
global_asm!(
    ".globl bsd_check_call",
    "bsd_check_call:",
    "push rbx",
    "push rbp",
    "push r12",
    "push r13",
    "push r14",
    "push r15",
    "push rsi",
    // The seventh argument is behind the slot of a return address.
    "push qword ptr [rdi + 256]",
    "push 0",
    ".irp n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15",
    "movups xmm\\n, [rdi + 264 + 16 * \\n]",
    ".endr",
    "mov rsi, [rdi + 8]",
    "mov rdx, [rdi + 16]",
    "mov r10, [rdi + 24]",
    "mov r8, [rdi + 32]",
    "mov r9, [rdi + 40]",
    "mov rax, [rdi + 48]",
    "mov rcx, [rdi + 56]",
    "mov r11, [rdi + 64]",
    "mov rbx, [rdi + 72]",
    "mov rbp, [rdi + 80]",
    "mov r12, [rdi + 88]",
    "mov r13, [rdi + 96]",
    "mov r14, [rdi + 104]",
    "mov r15, [rdi + 112]",
    "mov rdi, [rdi]",
    "syscall",
    "mov rcx, [rsp + 16]",
    "mov [rcx], rdi",
    "mov [rcx + 8], rsi",
    "mov [rcx + 48], rax",
    "mov [rcx + 72], rbx",
    "mov [rcx + 80], rbp",
    "mov [rcx + 88], r12",
    "mov [rcx + 96], r13",
    "mov [rcx + 104], r14",
    "mov [rcx + 112], r15",
    ".irp n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15",
    "movups [rcx + 264 + 16 * \\n], xmm\\n",
    ".endr",
    "add rsp, 24",
    "pop r15",
    "pop r14",
    "pop r13",
    "pop r12",
    "pop rbp",
    "pop rbx",
    "ret",
);

#[cfg(target_arch = "aarch64")]
mod cpu {
    /// x0 to x30; x18 is the platform's and stays out.
    pub const ARGUMENTS: [usize; 6] = [0, 1, 2, 3, 4, 5];
    pub const NUMBER: usize = 8;
    pub const RESULT: usize = 0;
    pub const SEVENTH: Option<usize> = Some(6);
    pub const USED: usize = 31;
    /// Those that may change: x0 and x1.
    pub const CHANGED: u64 = 0b11 | 1 << 18;
    pub const VECTOR: usize = 64;
}

#[cfg(target_arch = "aarch64")]
global_asm!(
    ".globl bsd_check_call",
    "bsd_check_call:",
    "sub sp, sp, 192",
    "stp x19, x20, [sp]",
    "stp x21, x22, [sp, 16]",
    "stp x23, x24, [sp, 32]",
    "stp x25, x26, [sp, 48]",
    "stp x27, x28, [sp, 64]",
    "stp x29, x30, [sp, 80]",
    "stp d8, d9, [sp, 96]",
    "stp d10, d11, [sp, 112]",
    "stp d12, d13, [sp, 128]",
    "stp d14, d15, [sp, 144]",
    "str x1, [sp, 160]",
    "add x9, x0, 264",
    ".irp n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31",
    "ldr q\\n, [x9], 16",
    ".endr",
    ".irp n, 1, 2, 3, 4, 5, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30",
    "ldr x\\n, [x0, 8 * \\n]",
    ".endr",
    "ldr x6, [x0, 256]",
    "ldr x0, [x0]",
    "svc 0",
    // x1 may change; x0 is the result.
    "ldr x1, [sp, 160]",
    ".irp n, 0, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30",
    "str x\\n, [x1, 8 * \\n]",
    ".endr",
    "add x9, x1, 264",
    ".irp n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31",
    "str q\\n, [x9], 16",
    ".endr",
    "ldp x19, x20, [sp]",
    "ldp x21, x22, [sp, 16]",
    "ldp x23, x24, [sp, 32]",
    "ldp x25, x26, [sp, 48]",
    "ldp x27, x28, [sp, 64]",
    "ldp x29, x30, [sp, 80]",
    "ldp d8, d9, [sp, 96]",
    "ldp d10, d11, [sp, 112]",
    "ldp d12, d13, [sp, 128]",
    "ldp d14, d15, [sp, 144]",
    "add sp, sp, 192",
    "ret",
);

#[cfg(target_arch = "riscv64")]
mod cpu {
    /// x0 to x31, of which x0 is always 0, x2 the stack and x3, x4 the program's and the thread's.
    pub const ARGUMENTS: [usize; 6] = [10, 11, 12, 13, 14, 15];
    pub const NUMBER: usize = 5;
    pub const RESULT: usize = 10;
    pub const SEVENTH: Option<usize> = Some(16);
    pub const USED: usize = 32;
    /// Those that may change: t0, a0, a1.
    pub const CHANGED: u64 = 0b11101 | 1 << 5 | 1 << 10 | 1 << 11;
    pub const VECTOR: usize = 32;
}

#[cfg(target_arch = "riscv64")]
global_asm!(
    ".globl bsd_check_call",
    "bsd_check_call:",
    ".option push",
    ".option arch, +d",
    "addi sp, sp, -512",
    ".irp n, 1, 8, 9, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27",
    "sd x\\n, 8 * \\n(sp)",
    "fsd f\\n, 256 + 8 * \\n(sp)",
    ".endr",
    "sd a1, 0(sp)",
    ".irp n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31",
    "fld f\\n, 264 + 8 * \\n(a0)",
    ".endr",
    ".irp n, 1, 5, 6, 7, 8, 9, 11, 12, 13, 14, 15, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31",
    "ld x\\n, 8 * \\n(a0)",
    ".endr",
    "ld a6, 256(a0)",
    "ld a0, 80(a0)",
    "ecall",
    // a1 may change; a0 is the result.
    "ld a1, 0(sp)",
    ".irp n, 1, 5, 6, 7, 8, 9, 10, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31",
    "sd x\\n, 8 * \\n(a1)",
    ".endr",
    ".irp n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31",
    "fsd f\\n, 264 + 8 * \\n(a1)",
    ".endr",
    ".irp n, 1, 8, 9, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27",
    "ld x\\n, 8 * \\n(sp)",
    "fld f\\n, 256 + 8 * \\n(sp)",
    ".endr",
    "addi sp, sp, 512",
    "ret",
    ".option pop",
);

/// A call with other values in all registers: the result, and a bit for each register that has changed although it may not; bit 63 is for the
/// floating-point registers.
fn call(number: usize, arguments: [usize; 7]) -> (u64, u64) {
    let pattern = |i: usize| 0x0101_0101_0101_0101_u64.wrapping_mul(i as u64 + 1) ^ 0x5a5a_0000_a5a5_0000;
    let mut before = Frame {
        general: core::array::from_fn(pattern),
        seventh: arguments[6] as u64,
        vector: core::array::from_fn(pattern),
    };
    for (place, argument) in cpu::ARGUMENTS.into_iter().zip(arguments) {
        before.general[place] = argument as u64;
    }
    before.general[cpu::NUMBER] = number as u64;
    if let Some(place) = cpu::SEVENTH {
        before.general[place] = before.seventh;
    }
    let mut after = Frame { general: [0; 32], seventh: 0, vector: [0; 64] };
    // SAFETY: both frames are as it wants them, and the arguments are of calls that the callers below know.
    unsafe { bsd_check_call(&before, &mut after) };
    let mut changed = 0;
    for i in 0..cpu::USED {
        changed |= u64::from(before.general[i] != after.general[i]) << i;
    }
    let vector = before.vector[..cpu::VECTOR] != after.vector[..cpu::VECTOR];
    (after.general[cpu::RESULT], changed & !cpu::CHANGED | u64::from(vector) << 63)
}

/// After success, an error, a call that waited, and one that a signal has ended.
pub fn unchanged(checks: &mut Checks, file: &OwnedFd) {
    const SENDFILE: usize = 393;
    const EINTR: u64 = 4;
    let (pid, changed) = call(kernel::GETPID, [0; 7]);
    checks.equal("registers: success", (pid, changed), (kernel::process() as u64, 0));
    let (error, changed) = call(kernel::READ, [usize::MAX, 0, 0, 0, 0, 0, 0]);
    checks.equal("registers: an error", (error, changed), (9, 0));

    let (sender, receiver) = connected(kernel::socket_pair(SOCK_STREAM));
    let sendfile = |count| {
        let (file, socket) = (file.as_raw_fd() as usize, sender.as_raw_fd() as usize);
        call(SENDFILE, [file, socket, 0, count, 0, 0, 0])
    };
    checks.equal("registers: sendfile", sendfile(1), (0, 0));
    let reader = kernel::fork(60, || {
        kernel::sleep_milliseconds(200);
        let mut buffer = [0; 4096];
        let mut left = crate::SIZE + 1;
        while left > 0 {
            match kernel::read(&receiver, &mut buffer) {
                0 => break,
                read => left -= read,
            }
        }
    });
    checks.equal("registers: a sendfile that waits", sendfile(crate::SIZE), (0, 0));
    kernel::wait(reader);
    // Nobody reads any more, but the other end is open.
    let found = kernel::shared_bytes().cast::<[u64; 2]>();
    let interrupted = kernel::fork(60, || {
        kernel::interrupt_after(200);
        let result = sendfile(crate::SIZE).into();
        // SAFETY: it is mapped, aligned and shared, and read when this process has ended.
        unsafe { found.write_volatile(result) };
    });
    kernel::wait(interrupted);
    // SAFETY: as above.
    checks.equal("registers: a sendfile that a signal ends", unsafe { found.read_volatile() }, [EINTR, 0]);
}
