//! A transfer that can be dropped at any point.

use core::ops::{Deref, DerefMut};

use super::{Status, perform};
use crate::errno::Result;
use crate::fd::AsFd;
use crate::iovec::IoSlice;
use crate::transfer::{Error, Step, Transfer};

/// A [`Transfer`] with its output. When the guard is dropped, it performs the flush that is owed. It is for code that can be left at any
/// point, such as an async task.
///
/// System calls on drop: those of [`Step::Flush`].
#[derive(Debug)]
pub struct FlushOnDrop<Fd: AsFd> {
    transfer: Transfer,
    out_fd: Fd,
}

impl<Fd: AsFd> FlushOnDrop<Fd> {
    /// Makes a guard of `transfer`, whose steps are performed on `out_fd`.
    pub const fn new(transfer: Transfer, out_fd: Fd) -> Self {
        Self { transfer, out_fd }
    }

    /// Returns the output.
    pub const fn out_fd(&self) -> &Fd {
        &self.out_fd
    }

    /// Calls [`Transfer::perform`] on the guard's output.
    ///
    /// # Errors
    ///
    /// Those of [`Transfer::perform`].
    pub fn perform(&mut self, step: &Step<'_>, in_fd: impl AsFd, buffer: &mut [u8]) -> Result<(), Error> {
        self.transfer.perform(step, &self.out_fd, in_fd, buffer)
    }

    /// Calls [`Transfer::poll_send`] on the guard's output.
    ///
    /// # Errors
    ///
    /// Those of [`Transfer::poll_send`].
    pub fn poll_send(
        &mut self,
        in_fd: impl AsFd,
        headers: &[IoSlice<'_>],
        trailers: &[IoSlice<'_>],
        buffer: &mut [u8],
    ) -> Result<Status, Error> {
        self.transfer.poll_send(&self.out_fd, in_fd, headers, trailers, buffer)
    }
}

impl<Fd: AsFd> Deref for FlushOnDrop<Fd> {
    type Target = Transfer;

    fn deref(&self) -> &Transfer {
        &self.transfer
    }
}

impl<Fd: AsFd> DerefMut for FlushOnDrop<Fd> {
    fn deref_mut(&mut self) -> &mut Transfer {
        &mut self.transfer
    }
}

impl<Fd: AsFd> Drop for FlushOnDrop<Fd> {
    fn drop(&mut self) {
        perform::flush(&mut self.transfer, false, self.out_fd.as_fd());
    }
}
