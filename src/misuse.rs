//! Misuse that does not compile, beside what the documentation itself shows of it. Each line is one mistake, and has the error
//! that it must be; a nightly compiler checks that too.
//!
//! An integer is no descriptor:
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
//! No count is negative:
//!
//! ```compile_fail,E0600
//! # use bare_sendfile::{fd::BorrowedFd, sendfile};
//! # fn f(out_fd: BorrowedFd<'_>, in_fd: BorrowedFd<'_>) {
//! let _ = sendfile(out_fd, in_fd, None, -1);
//! # }
//! ```
//!
//! Nor in the second form, where −1 has often meant "to the end":
//!
//! ```compile_fail,E0277
//! # use bare_sendfile::{SfFlags, fd::BorrowedFd, sendfile_hdtr};
//! # fn f(out_fd: BorrowedFd<'_>, in_fd: BorrowedFd<'_>) {
//! let _ = sendfile_hdtr(out_fd, in_fd, 0, -1_i64, &[], &[], SfFlags::empty());
//! # }
//! ```
//!
//! The second form has no "at the position":
//!
//! ```compile_fail,E0308
//! # use bare_sendfile::{SfFlags, fd::BorrowedFd, sendfile_hdtr};
//! # fn f(out_fd: BorrowedFd<'_>, in_fd: BorrowedFd<'_>) {
//! let _ = sendfile_hdtr(out_fd, in_fd, None, 10_u64, &[], &[], SfFlags::empty());
//! # }
//! ```
//!
//! Flags are no integers:
//!
//! ```compile_fail,E0308
//! # use bare_sendfile::{fd::BorrowedFd, sendfile_hdtr};
//! # fn f(out_fd: BorrowedFd<'_>, in_fd: BorrowedFd<'_>) {
//! let _ = sendfile_hdtr(out_fd, in_fd, 0, 10_u64, &[], &[], 4);
//! # }
//! ```
//!
//! What was sent, and that it may not be all, is not dropped unseen:
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
//! Nor when it was looked at, for what is got of it is a result:
//!
//! ```compile_fail
//! #![deny(unused_must_use)]
//! # use bare_sendfile::{fd::BorrowedFd, sendfile_all};
//! # fn f(out_fd: BorrowedFd<'_>, in_fd: BorrowedFd<'_>) {
//! sendfile_all(out_fd, in_fd, Some(0), 10_u64).bytes();
//! # }
//! ```
//!
//! There is no sum of it without the error:
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
//! Whether a nonblocking call is done is not dropped unseen:
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
//! A step is performed by its transfer, which counts what came of it:
//!
//! ```compile_fail,E0432
//! use bare_sendfile::perform;
//! ```
//!
//! A descriptor is not closed while it is borrowed:
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
//! Borrowing by number is a promise about the number:
//!
//! ```compile_fail,E0133
//! let stdin = bare_sendfile::fd::BorrowedFd::borrow_raw(0);
//! ```
//!
//! Header bytes do not change while a slice lends them:
//!
//! ```compile_fail,E0506
//! use bare_sendfile::IoSlice;
//! let mut bytes = [1, 2, 3];
//! let slice = IoSlice::new(&bytes);
//! bytes[0] = 4;
//! assert_eq!(slice[0], 1);
//! ```
//!
//! A step does not outlive the headers that it wants written:
//!
//! ```compile_fail,E0515
//! use bare_sendfile::{IoSlice, Step, Transfer};
//! fn f(transfer: &mut Transfer) -> Step<'_> {
//!     let headers = [IoSlice::new(b"header")];
//!     transfer.next_step(&headers, &[], 0).unwrap()
//! }
//! ```
//!
//! An errno is made by a constructor that knows the range:
//!
//! ```compile_fail,E0423
//! let errno = bare_sendfile::Errno(5000);
//! ```
//!
//! A buffer that is lent to a copy from a stream holds bytes that exist nowhere else: nobody writes to it:
//!
//! ```compile_fail,E0506
//! use bare_sendfile::{Count, StreamCopy};
//! let mut buffer = [0; 4096];
//! let copy = StreamCopy::new(Count::ToEnd, &mut buffer);
//! buffer[0] = 1;
//! assert!(copy.remainder().is_empty());
//! ```
//!
//! And there are no two copies of it:
//!
//! ```compile_fail,E0599
//! use bare_sendfile::{Count, StreamCopy};
//! let copy = StreamCopy::new(Count::ToEnd, &mut []);
//! let twice = copy.clone();
//! ```
//!
//! What flushes on drop does so on a descriptor that is open:
//!
//! ```compile_fail,E0505
//! use bare_sendfile::{FlushOnDrop, Transfer, fd::{AsFd, OwnedFd}};
//! fn f(transfer: Transfer, out_fd: OwnedFd) {
//!     let guard = FlushOnDrop::new(transfer, out_fd.as_fd());
//!     drop(out_fd);
//!     drop(guard);
//! }
//! ```
