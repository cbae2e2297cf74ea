//! A2 on aarch64: the compiler inlines no trap into code that may hold values in SVE registers, which the kernel zeroes.
#![cfg(all(target_os = "linux", target_arch = "aarch64"))]

use std::slice;

use bare_sendfile::fd::BorrowedFd;
use bare_sendfile::sendfile;

const SVC: u32 = 0xd400_0001;
const RET: u32 = 0xd65f_03c0;

/// Only looked at, never called: it needs no CPU with SVE.
#[target_feature(enable = "sve")]
fn with_sve(out_fd: BorrowedFd<'_>, in_fd: BorrowedFd<'_>, offset: &mut u64) -> bool {
    sendfile(out_fd, in_fd, Some(offset), 1).is_ok()
}

/// The same without SVE: shows that the instructions below are those of the function.
fn trap() -> isize {
    let result: isize;
    // SAFETY: getpid(2), which touches no memory; the registers that it changes are declared.
    unsafe { std::arch::asm!("svc 0", in("x8") 172, lateout("x0") result, options(nostack, preserves_flags)) };
    result
}

/// The instructions of a function up to the first return.
fn body(function: *const u32) -> &'static [u32] {
    // SAFETY: it is the start of a function, which lasts as long as the program and has a return behind what is read.
    let len = (0..).take_while(|&at| unsafe { function.add(at).read() } != RET).count();
    // SAFETY: so many instructions were read just now.
    unsafe { slice::from_raw_parts(function, len) }
}

#[test]
fn a2_no_trap_is_inlined_into_a_function_with_sve() {
    assert!(trap() > 0);
    assert!(body(trap as *const u32).contains(&SVC));
    let with_sve: unsafe fn(_, _, _) -> _ = with_sve;
    assert!(!body(with_sve as *const u32).contains(&SVC));
}
