//! Misuse that does not compile. The documentation shows more. Each example is one mistake, and names its error, which a nightly compiler
//! checks too.
//!
//! An integer is not a descriptor:
//!
//! ```compile_fail,E0277
//! use bare_sendfile::sendfile;
//! let _ = sendfile(1, 0, None, 10);
//! ```
//!
//! The offset is written to:
//!
//! ```compile_fail,E0308
//! # use bare_sendfile::{fd::BorrowedFd, sendfile};
//! # fn f(out_fd: BorrowedFd<'_>, in_fd: BorrowedFd<'_>) {
//! let offset = 0;
//! let _ = sendfile(out_fd, in_fd, Some(&offset), 10);
//! # }
//! ```
//!
//! A count cannot be negative:
//!
//! ```compile_fail,E0600
//! # use bare_sendfile::{fd::BorrowedFd, sendfile};
//! # fn f(out_fd: BorrowedFd<'_>, in_fd: BorrowedFd<'_>) {
//! let _ = sendfile(out_fd, in_fd, None, -1);
//! # }
//! ```
//!
//! Nor can it in the second form, where other interfaces take −1 for "to the end":
//!
//! ```compile_fail,E0277
//! # use bare_sendfile::{SfFlags, fd::BorrowedFd, sendfile_hdtr};
//! # fn f(out_fd: BorrowedFd<'_>, in_fd: BorrowedFd<'_>) {
//! let _ = sendfile_hdtr(out_fd, in_fd, 0, -1_i64, &[], &[], SfFlags::empty());
//! # }
//! ```
//!
//! The second form needs an offset:
//!
//! ```compile_fail,E0308
//! # use bare_sendfile::{SfFlags, fd::BorrowedFd, sendfile_hdtr};
//! # fn f(out_fd: BorrowedFd<'_>, in_fd: BorrowedFd<'_>) {
//! let _ = sendfile_hdtr(out_fd, in_fd, None, 10_u64, &[], &[], SfFlags::empty());
//! # }
//! ```
//!
//! Flags are not integers:
//!
//! ```compile_fail,E0308
//! # use bare_sendfile::{fd::BorrowedFd, sendfile_hdtr};
//! # fn f(out_fd: BorrowedFd<'_>, in_fd: BorrowedFd<'_>) {
//! let _ = sendfile_hdtr(out_fd, in_fd, 0, 10_u64, &[], &[], 4);
//! # }
//! ```
//!
//! The result cannot be ignored:
//!
//! ```compile_fail
//! #![deny(unused_must_use)]
//! # use bare_sendfile::{SfFlags, fd::BorrowedFd, sendfile_hdtr};
//! # fn f(out_fd: BorrowedFd<'_>, in_fd: BorrowedFd<'_>) {
//! sendfile_hdtr(out_fd, in_fd, 0, 10_u64, &[], &[], SfFlags::empty());
//! # }
//! ```
//!
//! ```compile_fail
//! #![deny(unused_must_use)]
//! # use bare_sendfile::{fd::BorrowedFd, sendfile_all};
//! # fn f(out_fd: BorrowedFd<'_>, in_fd: BorrowedFd<'_>) {
//! sendfile_all(out_fd, in_fd, Some(0), 10_u64);
//! # }
//! ```
//!
//! Nor can the `Result` that it converts to:
//!
//! ```compile_fail
//! #![deny(unused_must_use)]
//! # use bare_sendfile::{fd::BorrowedFd, sendfile_all};
//! # fn f(out_fd: BorrowedFd<'_>, in_fd: BorrowedFd<'_>) {
//! sendfile_all(out_fd, in_fd, Some(0), 10_u64).bytes();
//! # }
//! ```
//!
//! The bytes cannot be read without the error:
//!
//! ```compile_fail,E0599
//! # use bare_sendfile::{fd::BorrowedFd, sendfile_all};
//! # fn f(out_fd: BorrowedFd<'_>, in_fd: BorrowedFd<'_>) -> u64 {
//! sendfile_all(out_fd, in_fd, Some(0), 10_u64).total()
//! # }
//! ```
//!
//! ```compile_fail,E0616
//! # use bare_sendfile::{fd::BorrowedFd, sendfile_all};
//! # fn f(out_fd: BorrowedFd<'_>, in_fd: BorrowedFd<'_>) -> u64 {
//! sendfile_all(out_fd, in_fd, Some(0), 10_u64).report.progress.total()
//! # }
//! ```
//!
//! The status of a nonblocking call cannot be ignored:
//!
//! ```compile_fail
//! #![deny(unused_must_use)]
//! # use bare_sendfile::{Error, Transfer, fd::BorrowedFd};
//! # fn f(transfer: &mut Transfer, out_fd: BorrowedFd<'_>, in_fd: BorrowedFd<'_>) -> Result<(), Error> {
//! transfer.poll_send(out_fd, in_fd, &[], &[], &mut [])?;
//! # Ok(())
//! # }
//! ```
//!
//! A step is performed by its transfer, which counts the result:
//!
//! ```compile_fail,E0432
//! use bare_sendfile::perform;
//! ```
//!
//! A descriptor cannot be closed while it is borrowed:
//!
//! ```compile_fail,E0505
//! use bare_sendfile::{fd::{AsFd, OwnedFd}, sendfile};
//! fn f(out_fd: OwnedFd, in_fd: OwnedFd) {
//!     let borrowed = out_fd.as_fd();
//!     drop(out_fd);
//!     let _ = sendfile(borrowed, in_fd, None, 10);
//! }
//! ```
//!
//! A descriptor has one owner:
//!
//! ```compile_fail,E0382
//! use bare_sendfile::{fd::OwnedFd, sendfile};
//! fn f(out_fd: OwnedFd, in_fd: OwnedFd) {
//!     drop(out_fd);
//!     let _ = sendfile(out_fd, in_fd, None, 10);
//! }
//! ```
//!
//! Borrowing by number is unsafe:
//!
//! ```compile_fail,E0133
//! let stdin = bare_sendfile::fd::BorrowedFd::borrow_raw(0);
//! ```
//!
//! Header bytes cannot change while a slice borrows them:
//!
//! ```compile_fail,E0506
//! use bare_sendfile::IoSlice;
//! let mut bytes = [1, 2, 3];
//! let slice = IoSlice::new(&bytes);
//! bytes[0] = 4;
//! assert_eq!(slice[0], 1);
//! ```
//!
//! A step cannot outlive its headers:
//!
//! ```compile_fail,E0515
//! use bare_sendfile::{IoSlice, Step, Transfer};
//! fn f(transfer: &mut Transfer) -> Step<'_> {
//!     let headers = [IoSlice::new(b"header")];
//!     transfer.next_step(&headers, &[], 0).unwrap()
//! }
//! ```
//!
//! An errno cannot be made without the check of its range:
//!
//! ```compile_fail,E0423
//! let errno = bare_sendfile::Errno(5000);
//! ```
//!
//! A buffer that a `StreamCopy` borrows may hold bytes that exist nowhere else, so it cannot be written to:
//!
//! ```compile_fail,E0506
//! use bare_sendfile::{Count, StreamCopy};
//! let mut buffer = [0; 4096];
//! let copy = StreamCopy::new(Count::ToEnd, &mut buffer);
//! buffer[0] = 1;
//! assert!(copy.remainder().is_empty());
//! ```
//!
//! Nor can the copy be cloned:
//!
//! ```compile_fail,E0599
//! use bare_sendfile::{Count, StreamCopy};
//! let copy = StreamCopy::new(Count::ToEnd, &mut []);
//! let twice = copy.clone();
//! ```
//!
//! A guard cannot outlive its descriptor:
//!
//! ```compile_fail,E0505
//! use bare_sendfile::{FlushOnDrop, Transfer, fd::{AsFd, OwnedFd}};
//! fn f(transfer: Transfer, out_fd: OwnedFd) {
//!     let guard = FlushOnDrop::new(transfer, out_fd.as_fd());
//!     drop(out_fd);
//!     drop(guard);
//! }
//! ```
