//! No processor: the error, and what the rest is compiled against so that it is the only one.

// src/sys/none.rs refuses a system that has not even the interfaces of Unix.
#[cfg(unix)]
compile_error!(
    "bare-sendfile has no system calls for this processor: arch/README.md lists those that it knows on each system. Where Rust has \
     no stable `asm!` (mips, sparc, m68k) no crate without libc can; `rustix::fs::sendfile` goes through libc there"
);

macro_rules! stubs {
    ($($name:ident($($argument:ty),*);)*) => {$(
        /// A system call that there is not.
        ///
        /// # Safety
        ///
        /// None: it cannot be compiled.
        pub(crate) unsafe fn $name(_: usize, $(_: $argument),*) -> isize {
            unreachable!()
        }
    )*};
}

stubs! {
    syscall1(*mut ());
    syscall3(*mut (), *mut (), *mut ());
    syscall4(*mut (), *mut (), *mut (), *mut ());
    syscall4_int2(i32, i32, *mut (), *mut ());
    syscall5(*mut (), *mut (), *mut (), *mut (), *mut ());
    syscall6(*mut (), *mut (), *mut (), *mut (), *mut (), *mut ());
    syscall7(*mut (), *mut (), *mut (), *mut (), *mut (), *mut (), *mut ());
}
