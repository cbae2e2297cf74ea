//! Every stub of the target, with number and arguments still needed after the call.

use crate::around::{Io, read};

#[cfg_attr(target_os = "linux", path = "../../../../arch/linux/mod.rs")]
#[cfg_attr(target_os = "freebsd", path = "../../../../arch/freebsd/mod.rs")]
#[cfg_attr(target_os = "macos", path = "../../../../arch/macos/mod.rs")]
mod arch;

/// `probe_NAME`, which calls the stub NAME with the arguments named by their positions.
macro_rules! stubs {
    ($($probe:ident $stub:ident ($($i:literal $type:ty),*))*) => {$(
        #[unsafe(no_mangle)]
        extern "C" fn $probe(io: &mut Io) {
            let number = read(&io.number);
            let arguments = [$(read(&io.arguments[$i])),*];
            // SAFETY: the kernel is a model, which touches no memory but what it is given the address of.
            around!(io, unsafe { arch::$stub(number, $(arguments[$i] as $type),*) });
            io.number_after = number;
            $(io.arguments_after[$i] = arguments[$i];)*
        }
    )*};
}

type Word = *mut ();

stubs! {
    probe_syscall1 syscall1(0 Word)
    probe_syscall3 syscall3(0 Word, 1 Word, 2 Word)
    probe_syscall4 syscall4(0 Word, 1 Word, 2 Word, 3 Word)
    probe_syscall5 syscall5(0 Word, 1 Word, 2 Word, 3 Word, 4 Word)
    probe_syscall6 syscall6(0 Word, 1 Word, 2 Word, 3 Word, 4 Word, 5 Word)
}

#[cfg(target_os = "linux")]
stubs! {
    probe_syscall4_int2 syscall4_int2(0 i32, 1 i32, 2 Word, 3 Word)
}

#[cfg(target_os = "freebsd")]
stubs! {
    probe_syscall7 syscall7(0 Word, 1 Word, 2 Word, 3 Word, 4 Word, 5 Word, 6 Word)
}

/// The kernel writes to a variable of the caller, who has just written and will read it.
#[unsafe(no_mangle)]
extern "C" fn probe_memory(io: &mut Io) {
    let (number, first, last) = (read(&io.number), read(&io.arguments[0]), read(&io.arguments[2]));
    let mut cell = read(&io.cell);
    // SAFETY: the kernel is a model, which writes the eight bytes of `cell`.
    around!(io, unsafe { arch::syscall3(number, first as Word, (&raw mut cell).cast(), last as Word) });
    io.cell = cell;
}
