//! Keeps values in vector registers across a system call, and looks whether they are still right. It is compiled with V or
//! SVE, and runs as PID 1 on a real kernel, which reports its exit code.
#![no_std]
#![no_main]

use core::hint::black_box;

use bare_sendfile::fd::BorrowedFd;
use bare_sendfile::{Errno, sendfile};

type Values = [u64; 32];

/// Half of the computation before the call, half after it: what lies between is in registers. The input is behind a pointer
/// that the kernel could know, so that it is not read after the call instead.
///
/// # Safety
///
/// `input` points to values.
#[inline(never)]
unsafe fn around(fd: BorrowedFd<'_>, input: *mut Values, output: &mut Values) -> Result<usize, Errno> {
    let mut between = [0; 32];
    for (i, value) in between.iter_mut().enumerate() {
        // SAFETY: there are 32.
        let input = unsafe { (*input)[i] };
        *value = input ^ (input << 7);
    }
    let result = sendfile(fd, fd, Some(&mut 0), 1);
    for i in 0..32 {
        output[i] = between[i].wrapping_add(between[i] >> 3);
    }
    result
}

start::main!(main);

/// 42: all is right. 1: a value was lost. 2: the call did not do what it had to.
fn main(start: start::Start) -> u8 {
    let arguments = start.arguments.count();
    // SAFETY: it is not open, which the call tells; nobody opens it.
    let fd = unsafe { BorrowedFd::borrow_raw(1000) };
    for round in 0..100 {
        let mut input: Values = [0; 32];
        for (i, value) in input.iter_mut().enumerate() {
            *value = black_box((i + arguments) as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ round;
        }
        let mut output = [0; 32];
        // SAFETY: it points to `input`.
        if unsafe { around(fd, black_box(&raw mut input), &mut output) } != Err(Errno::EBADF) {
            return 2;
        }
        for i in 0..32 {
            let between = black_box(input[i]) ^ (black_box(input[i]) << 7);
            if black_box(output[i]) != between.wrapping_add(black_box(between) >> 3) {
                return 1;
            }
        }
    }
    42
}
