//! Values with numbers for names, as many as there is room for at the start.

use core::mem::MaybeUninit;

use rustix::io::Result;

use crate::memory;

enum Slot<T> {
    /// The next free slot, or `NONE`.
    Free(u32),
    Used(T),
}

const NONE: u32 = u32::MAX;

/// A table in which each value keeps its place.
pub struct Slab<T: 'static> {
    slots: &'static mut [MaybeUninit<Slot<T>>],
    /// The slots before this one were written; memory behind them was never touched.
    written: usize,
    free: u32,
    used: usize,
}

impl<T> Slab<T> {
    pub fn new(capacity: u32) -> Result<Self> {
        Ok(Self { slots: memory::slots(capacity as usize)?, written: 0, free: NONE, used: 0 })
    }

    pub fn is_full(&self) -> bool {
        self.used == self.slots.len()
    }

    pub fn is_empty(&self) -> bool {
        self.used == 0
    }

    /// Above the largest number in use.
    pub fn end(&self) -> u32 {
        self.written as u32
    }

    /// Stores the value and names its number; gives it back if there is no room.
    pub fn insert(&mut self, value: T) -> core::result::Result<u32, T> {
        let id = if self.free == NONE { self.written as u32 } else { self.free };
        if self.free != NONE {
            if let Some(slot) = self.slot(id)
                && let Slot::Free(next) = *slot
            {
                *slot = Slot::Used(value);
                self.free = next;
            }
        } else if let Some(slot) = self.slots.get_mut(self.written) {
            slot.write(Slot::Used(value));
            self.written += 1;
        } else {
            return Err(value);
        }
        self.used += 1;
        Ok(id)
    }

    pub fn get(&mut self, id: u32) -> Option<&mut T> {
        match self.slot(id)? {
            Slot::Used(value) => Some(value),
            Slot::Free(_) => None,
        }
    }

    /// Takes the value out.
    pub fn remove(&mut self, id: u32) -> Option<T> {
        self.get(id)?;
        let next = self.free;
        let slot = core::mem::replace(self.slot(id)?, Slot::Free(next));
        self.free = id;
        self.used -= 1;
        match slot {
            Slot::Used(value) => Some(value),
            Slot::Free(_) => None,
        }
    }

    fn slot(&mut self, id: u32) -> Option<&mut Slot<T>> {
        let slot = self.slots.get_mut(..self.written)?.get_mut(id as usize)?;
        // SAFETY: the slots before `written` were written, and nothing is ever moved out of one without a replacement.
        Some(unsafe { slot.assume_init_mut() })
    }
}
