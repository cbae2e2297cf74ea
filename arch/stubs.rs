//! Makes the stubs of a processor: one for each number of arguments, from its file's `trap!` and the names of its argument registers. If the
//! registers cannot be operands, the file has stubs of its own.

/// `stubs!(inline(always); "rdi" "rsi" "rdx" "r10" "r8" "r9");`
#[allow(unused_macros)] // x86 has operands for some of them only, and none.rs has no trap
macro_rules! stubs {
    ($inline:ident($how:ident); $r0:tt $r1:tt $r2:tt $r3:tt $r4:tt $r5:tt $($r6:tt)?) => {
        stub! { $inline($how) syscall1(a0 $r0) }
        stub! { $inline($how) syscall3(a0 $r0, a1 $r1, a2 $r2) }
        stub! { $inline($how) syscall4(a0 $r0, a1 $r1, a2 $r2, a3 $r3) }
        stub! { $inline($how) syscall5(a0 $r0, a1 $r1, a2 $r2, a3 $r3, a4 $r4) }
        stub! { $inline($how) syscall6(a0 $r0, a1 $r1, a2 $r2, a3 $r3, a4 $r4, a5 $r5) }
        $(stub! { $inline($how) syscall7(a0 $r0, a1 $r1, a2 $r2, a3 $r3, a4 $r4, a5 $r5, a6 $r6) })?
    };
}

#[allow(unused_macros)] // none.rs has no trap
macro_rules! stub {
    ($inline:ident($how:ident) $name:ident($($a:ident $r:tt),*)) => {
        /// Makes a system call with this number of arguments.
        ///
        /// # Safety
        ///
        /// The call `nr`, with these arguments, must not break memory that Rust relies on.
        #[allow(clippy::too_many_arguments, dead_code)] // a system call has up to seven, and each system needs some of these only
        #[$inline($how)]
        pub(crate) unsafe fn $name(nr: usize, $($a: *mut ()),*) -> isize {
            // SAFETY: the caller vouches for the effects of the call, and `trap` declares the registers that it changes.
            unsafe { trap!(nr; $(in($r) $a),*) }
        }
    };
}

/// `stub_int2!("rdi" "rsi" "rdx" "r10");`
#[allow(unused_macros)] // for Linux only, and not for x86, where an `int` is a word
macro_rules! stub_int2 {
    ($r0:tt $r1:tt $r2:tt $r3:tt) => {
        /// Makes a system call with four arguments, the first two of them C `int`s. As in the C calling convention the upper half of
        /// their registers is not specified (the kernel ignores it), so they need not be extended.
        ///
        /// # Safety
        ///
        /// The call `nr`, with these arguments, must not break memory that Rust relies on.
        #[inline(always)] // on every processor: where stubs must not be inlined, the first form around this one is not
        pub(crate) unsafe fn syscall4_int2(nr: usize, a0: i32, a1: i32, a2: *mut (), a3: *mut ()) -> isize {
            // SAFETY: the caller vouches for the effects of the call, and `trap` declares the registers that it changes.
            unsafe { trap!(nr; in($r0) a0, in($r1) a1, in($r2) a2, in($r3) a3) }
        }
    };
}
