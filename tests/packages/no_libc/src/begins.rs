//! What `start` promises, to be seen from outside: it writes its arguments and its environment, a line each, and exits with 7; with 1 to 6
//! if a memory function does not do what it should. With the argument `panic` it panics.
#![no_std]
#![no_main]

use core::ffi::{c_char, c_int, c_void};
use core::hint::black_box;

use bare_sendfile::fd::BorrowedFd;
use bare_sendfile::{Count, IoSlice, sendfile_hdtr_all};
use start::Start;

start::main!(main);

unsafe extern "C" {
    fn memcpy(to: *mut c_void, from: *const c_void, count: usize) -> *mut c_void;
    fn memmove(to: *mut c_void, from: *const c_void, count: usize) -> *mut c_void;
    fn memset(to: *mut c_void, byte: c_int, count: usize) -> *mut c_void;
    fn memcmp(a: *const c_void, b: *const c_void, count: usize) -> c_int;
    fn bcmp(a: *const c_void, b: *const c_void, count: usize) -> c_int;
    fn strlen(string: *const c_char) -> usize;
}

/// The status to exit with.
fn main(start: Start) -> u8 {
    for (code, right) in (1..).zip([
        copies(memcpy, false),
        copies(memmove, true),
        sets(),
        compares(memcmp, true),
        compares(bcmp, false),
        measures(),
    ]) {
        if !right {
            return code;
        }
    }
    // SAFETY: who starts it opens both, and nobody closes them.
    let (input, output) = unsafe { (BorrowedFd::borrow_raw(0), BorrowedFd::borrow_raw(1)) };
    for string in start.arguments.chain(start.environment) {
        let line = [IoSlice::new(string.to_bytes()), IoSlice::new(b"\n")];
        if sendfile_hdtr_all(output, input, Some(0), Count::Bytes(0), &line, &[], &mut []).bytes().is_err() {
            return 8;
        }
    }
    let count = start.arguments.count();
    assert!(start.arguments.skip_first().next() != Some(c"panic"), "as asked: {count}");
    7
}

const SIZE: usize = 80;

/// Byte `i` of what is copied.
fn byte(i: usize) -> u8 {
    (i * 37 + 200) as u8
}

/// Filled by none of the functions in question.
fn filled() -> [u8; SIZE] {
    let mut bytes = [0; SIZE];
    for (i, place) in bytes.iter_mut().enumerate() {
        *place = black_box(byte(i));
    }
    bytes
}

fn copies(copy: unsafe extern "C" fn(*mut c_void, *const c_void, usize) -> *mut c_void, overlapping: bool) -> bool {
    for count in 0..=SIZE / 2 {
        for (to, from) in [(0, 0), (0, 40), (40, 0), (1, 0), (0, 1), (7, 20), (20, 7), (33, 40), (40, 39)] {
            if !overlapping && usize::abs_diff(to, from) < count {
                continue;
            }
            let mut bytes = filled();
            let start = bytes.as_mut_ptr();
            // SAFETY: both are within the array, and so is what is copied.
            let right = unsafe {
                let to = start.add(to).cast();
                black_box(copy)(to, start.add(from).cast(), count) == to
            };
            let wanted = |i| if (to..to + count).contains(&i) { byte(i - to + from) } else { byte(i) };
            if !right || !bytes.iter().enumerate().all(|(i, &found)| found == wanted(i)) {
                return false;
            }
        }
    }
    true
}

fn sets() -> bool {
    (0..=SIZE - 3).all(|count| {
        let mut bytes = filled();
        // SAFETY: it is within the array. Of the second argument the lowest byte counts.
        let right = unsafe {
            let to = bytes.as_mut_ptr().add(3).cast();
            black_box(memset as unsafe extern "C" fn(_, _, _) -> _)(to, 0x1ab, count) == to
        };
        let wanted = |i| if (3..3 + count).contains(&i) { 0xab } else { byte(i) };
        right && bytes.iter().enumerate().all(|(i, &found)| found == wanted(i))
    })
}

/// `ordered`: the sign says which is the lesser, its bytes taken as unsigned.
fn compares(compare: unsafe extern "C" fn(*const c_void, *const c_void, usize) -> c_int, ordered: bool) -> bool {
    (0..SIZE).all(|different| {
        let (a, mut b) = (filled(), filled());
        b[different] ^= 0x80;
        // SAFETY: they are as long.
        let compared = |count| unsafe { black_box(compare)(a.as_ptr().cast(), b.as_ptr().cast(), count) };
        let unequal = compared(SIZE);
        compared(different) == 0 && unequal != 0 && (!ordered || (unequal < 0) == (byte(different) < 0x80))
    })
}

fn measures() -> bool {
    (0..SIZE).all(|len| {
        let mut bytes = [b'x'; SIZE];
        bytes[len] = 0;
        // SAFETY: the string ends with a zero byte.
        let found = unsafe { black_box(strlen as unsafe extern "C" fn(_) -> _)(bytes.as_ptr().cast()) };
        found == len
    })
}
