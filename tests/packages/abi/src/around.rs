//! The computation around a call.

/// What goes into a probe, and what it leaves. `machine.py` has the same layout.
#[repr(C)]
pub struct Io {
    /// The number of the system call.
    pub number: usize,
    pub arguments: [usize; 7],
    pub values: [u64; VALUES],
    pub result: u64,
    /// A variable of which the kernel was given the address.
    pub cell: u64,
    pub number_after: usize,
    pub arguments_after: [usize; 7],
    pub values_after: [u64; VALUES],
    pub flags_after: [u64; 4],
}

/// More than any of the processors has registers, so that each register that may hold a value across the call does.
pub const VALUES: usize = 32;

/// Reads once: the compiler cannot leave the value in memory and read it again after the call.
pub fn read<T: Copy>(place: &T) -> T {
    // SAFETY: it comes from a reference.
    unsafe { core::ptr::from_ref(place).read_volatile() }
}

/// Writes `$io.result` by `$call`, between two halves of a computation: 32 values and two comparisons live across it.
macro_rules! around {
    ($io:ident, $call:expr) => {
        around!($io, $call,
            v0 0 v1 1 v2 2 v3 3 v4 4 v5 5 v6 6 v7 7 v8 8 v9 9 v10 10 v11 11 v12 12 v13 13 v14 14 v15 15
            v16 16 v17 17 v18 18 v19 19 v20 20 v21 21 v22 22 v23 23 v24 24 v25 25 v26 26 v27 27 v28 28 v29 29 v30 30 v31 31)
    };
    ($io:ident, $call:expr, $($v:ident $i:literal)*) => {{
        $(let $v = $crate::around::read(&$io.values[$i]).rotate_left($i);)*
        // Subtractions leave in the flags what the comparisons after the call ask for.
        let (p, q) = ($crate::around::read(&$io.values[0]), $crate::around::read(&$io.values[1]));
        let difference = p.wrapping_sub(q);
        let (sum, carry) = p.overflowing_add(q);
        $io.result = $call as u64;
        $io.flags_after = [difference, (p < q).into(), sum, carry.into()];
        $($io.values_after[$i] = $v;)*
    }};
}
