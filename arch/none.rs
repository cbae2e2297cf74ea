//! No processor: what the rest is compiled against where the crate is not supported, so that the one error that
//! `src/lib.rs` has for such a target is the only one.

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
