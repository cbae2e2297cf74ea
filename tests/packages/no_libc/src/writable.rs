//! Writes to data of each kind, and exits with 0 if it then is what was written and the code still runs. It does not where the
//! linker's flags make the writable segment share a page with another one.
#![no_std]
#![no_main]

use core::arch::global_asm;
use core::hint::black_box;
use core::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed, Release};
use core::sync::atomic::{AtomicPtr, AtomicU8, AtomicU64};

/// `.data`
static COUNTER: AtomicU64 = AtomicU64::new(41);
/// `.bss`, of several pages.
static ZEROS: [AtomicU64; 4096] = [const { AtomicU64::new(0) }; 4096];
/// A pointer in `.data`.
static NAME: AtomicPtr<AtomicU64> = AtomicPtr::new((&raw const COUNTER).cast_mut());
/// Pointers in `.data.rel.ro`.
static TABLE: [fn() -> u64; 2] = [once, from_got];

/// A static that whoever comes first makes, in any thread.
static STATE: AtomicU8 = AtomicU8::new(0);
static VALUE: AtomicU64 = AtomicU64::new(0);

fn once() -> u64 {
    if STATE.compare_exchange(0, 1, AcqRel, Acquire).is_ok() {
        VALUE.store(7, Relaxed);
        STATE.store(2, Release);
    }
    while STATE.load(Acquire) != 2 {
        core::hint::spin_loop();
    }
    VALUE.load(Relaxed)
}

// The address of a symbol that nobody defines, out of `.got`: not in a way that linkers turn into something without.
#[cfg(target_arch = "x86_64")]
global_asm!(".weak nobody", "from_got_of_nobody:", "push qword ptr [rip + nobody@GOTPCREL]", "pop rax", "ret");
#[cfg(target_arch = "aarch64")]
global_asm!(
    ".weak nobody",
    "from_got_of_nobody:",
    "adrp x0, :got:nobody",
    "nop",
    "ldr x0, [x0, :got_lo12:nobody]",
    "ret"
);
#[cfg(target_arch = "riscv64")]
global_asm!(
    ".weak nobody",
    "from_got_of_nobody:",
    ".option push",
    ".option norelax",
    ".option pic",
    "la a0, nobody",
    ".option pop",
    "ret"
);
#[cfg(target_arch = "arm")]
global_asm!(
    ".weak nobody",
    ".arm",
    ".p2align 2",
    ".type from_got_of_nobody, %function",
    "from_got_of_nobody:",
    "ldr r0, 3f",
    "2: ldr r0, [pc, r0]",
    "bx lr",
    "3: .word nobody(GOT_PREL) - ((2b + 8) - 3b)"
);

unsafe extern "C" {
    safe fn from_got_of_nobody() -> usize;
}

fn from_got() -> u64 {
    from_got_of_nobody() as u64
}

start::main!(main);

/// The status to exit with.
fn main(start: start::Start) -> u8 {
    let arguments = start.arguments.count();
    let counter = black_box(&COUNTER);
    if counter.fetch_add(black_box(1), Relaxed) != 41 || counter.load(Relaxed) != 42 {
        return 1;
    }
    for zero in black_box(&ZEROS) {
        if zero.swap(arguments as u64, Relaxed) != 0 {
            return 2;
        }
    }
    if !core::ptr::eq(black_box(&NAME).load(Relaxed), counter) {
        return 3;
    }
    let [once, from_got] = black_box(&TABLE);
    if (once(), once(), from_got()) != (7, 7, 0) {
        return 4;
    }
    0
}
