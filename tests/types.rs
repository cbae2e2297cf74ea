//! What the types promise by themselves: threads, constants, sizes, traits.
#![cfg(target_os = "linux")]

mod common;

use std::mem::{align_of, size_of};

use bare_sendfile::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, IntoRawFd, OwnedFd, RawFd};
use bare_sendfile::{
    Count, Errno, Error, FlagsReport, IoSlice, Mechanisms, Moved, Output, PipeCopy, Progress, Report, Result, Sent,
    SfFlags, Slices, Status, Step, StreamCopy, Transfer,
};

const fn send_and_sync<T: Send + Sync>() {}
const fn owned_once<T: Send + Sync + 'static>() {}
const fn owned<T: Send + Sync + Clone + Unpin + 'static>() {}

#[test]
fn all_is_send_and_sync() {
    send_and_sync::<BorrowedFd<'_>>();
    send_and_sync::<OwnedFd>();
    send_and_sync::<IoSlice<'_>>();
    send_and_sync::<Slices<'_>>();
    send_and_sync::<Step<'_>>();
    owned_once::<StreamCopy<[u8; 100]>>();
    owned_once::<StreamCopy<Vec<u8>>>();
    owned_once::<PipeCopy>();
    owned::<Errno>();
    owned::<Error>();
    owned::<Count>();
    owned::<Progress>();
    owned::<Mechanisms>();
    owned::<SfFlags>();
    owned::<FlagsReport>();
    owned::<Sent>();
    owned::<Report>();
    owned::<Moved>();
    owned::<Output>();
    owned::<Status>();
}

/// A connection can own it, hand it to another thread, and keep it from one step to the next.
#[test]
fn d7_a_transfer_is_static_send_sync_and_clone() {
    owned::<Transfer>();
}

#[test]
fn constants() {
    const ERRNO: Option<Errno> = Errno::from_raw_os_error(32);
    const NUMBER: i32 = Errno::EPIPE.raw_os_error();
    const NAME: Option<&str> = Errno::EPIPE.name();
    const DESCRIPTION: &str = Errno::EPIPE.description();
    const ERROR: Errno = Error::Errno(Errno::EPIPE).errno();
    static HEADERS: [IoSlice<'static>; 2] = [IoSlice::new(b"a: b"), IoSlice::new(b"\r\n")];
    const NEWLINE: &[u8] = HEADERS_IN_CONST[1].as_slice();
    const HEADERS_IN_CONST: [IoSlice<'static>; 2] = [IoSlice::new(b"a: b"), IoSlice::new(b"\r\n")];
    const FLAGS: Option<SfFlags> = SfFlags::NODISKIO.union(SfFlags::USER_READAHEAD).with_readahead(3);
    const PAGES: u16 = FLAGS.unwrap().readahead();
    const TOTAL: u64 = Progress { headers: 1, file: 2, trailers: 3 }.total();
    // SAFETY: the standard input is never closed here, and not used.
    const STDIN: BorrowedFd<'static> = unsafe { BorrowedFd::borrow_raw(0) };
    assert_eq!((ERRNO, NUMBER, NAME, ERROR), (Some(Errno::EPIPE), 32, Some("EPIPE"), Errno::EPIPE));
    assert_eq!((DESCRIPTION, NEWLINE, PAGES, TOTAL), ("Broken pipe", &b"\r\n"[..], 3, 6));
    assert_eq!((HEADERS[0].len(), STDIN.as_raw_fd()), (4, 0));
}

#[test]
fn an_errno_is_a_word_with_a_niche() {
    let word = size_of::<usize>();
    assert_eq!(size_of::<Errno>(), word);
    assert_eq!(size_of::<Option<Errno>>(), word);
    assert_eq!(size_of::<Result<()>>(), word);
    assert_eq!(size_of::<Result<usize>>(), 2 * word, "two registers");
}

#[test]
fn a_transfer_has_at_most_128_bytes() {
    assert!(size_of::<Transfer>() <= 128, "{}", size_of::<Transfer>());
}

#[test]
fn descriptors_are_as_wide_as_the_kernels() {
    assert_eq!(size_of::<RawFd>(), 4);
    assert_eq!(size_of::<BorrowedFd<'_>>(), 4);
    assert_eq!(size_of::<OwnedFd>(), 4);
}

#[test]
fn an_io_slice_is_a_struct_iovec() {
    assert_eq!(size_of::<IoSlice<'_>>(), size_of::<libc::iovec>());
    assert_eq!(align_of::<IoSlice<'_>>(), align_of::<libc::iovec>());
    let slices = [IoSlice::new(b"first"), IoSlice::new(b""), IoSlice::new(b"third")];
    for (index, slice) in slices.iter().enumerate() {
        // SAFETY: the test is that it is one: size and alignment are the same, and so are its two words.
        let vector = unsafe { slices.as_ptr().cast::<libc::iovec>().add(index).read() };
        assert_eq!((vector.iov_base.cast_const().cast(), vector.iov_len), (slice.as_ptr(), slice.len()));
    }
}

#[test]
fn an_io_slice_is_its_bytes() {
    let bytes = *b"bytes";
    let slice = IoSlice::new(&bytes);
    assert_eq!((&*slice, slice.as_slice(), &*IoSlice::from(&bytes[..])), (&bytes[..], &bytes[..], &bytes[..]));
    assert_eq!(format!("{slice:?}"), format!("{bytes:?}"));
    assert!(IoSlice::new(&[]).is_empty());
}

#[test]
fn an_io_slice_is_made_of_arrays_and_text() {
    fn bytes<'a>(slice: impl Into<IoSlice<'a>>) -> &'a [u8] {
        slice.into().as_slice()
    }
    let (array, text) = (*b"array", String::from("text"));
    assert_eq!([bytes(&array), bytes(b""), bytes(&*text), bytes("")], [&b"array"[..], b"", b"text", b""]);
    let list: [IoSlice<'_>; 2] = ["HTTP/1.1 200 OK\r\n", "\r\n"].map(IoSlice::from);
    assert_eq!(list.map(|slice| slice.len()), [17, 2]);
}

#[test]
fn a_list_of_c_is_a_list_of_io_slices() {
    let vector =
        |bytes: &'static [u8]| libc::iovec { iov_base: bytes.as_ptr().cast_mut().cast(), iov_len: bytes.len() };
    let nothing = libc::iovec { iov_base: std::ptr::null_mut(), iov_len: 0 };
    let list = [vector(b"first"), nothing, vector(b"third")];
    // SAFETY: the list outlives the slices, the bytes are static, and nobody changes either.
    let slices = unsafe { IoSlice::from_raw_parts(list.as_ptr().cast(), list.len()) };
    assert_eq!(slices.as_ptr().addr(), list.as_ptr().addr(), "nothing is copied");
    assert!(slices.iter().map(|slice| slice.as_slice()).eq([&b"first"[..], b"", b"third"]));
    // SAFETY: there is none.
    assert!(unsafe { IoSlice::from_raw_parts(std::ptr::null(), 0) }.is_empty());
}

#[test]
#[cfg(feature = "std")]
fn from_std_copies_nothing() {
    let theirs = [std::io::IoSlice::new(b"first"), std::io::IoSlice::new(b""), std::io::IoSlice::new(b"third")];
    let ours = IoSlice::from_std(&theirs);
    assert_eq!(ours.as_ptr().addr(), theirs.as_ptr().addr());
    assert!(ours.iter().map(|slice| slice.as_slice()).eq(theirs.iter().map(|slice| &**slice)));
    assert!(IoSlice::from_std(&[]).is_empty());
}

/// Ambiguous, and so an error, for a type that lends a descriptor.
trait LendsNone<Proof> {
    fn check() {}
}
impl<T: ?Sized> LendsNone<()> for T {}
impl<T: ?Sized + AsFd> LendsNone<u8> for T {}

#[test]
fn integers_lend_no_descriptor() {
    <i32 as LendsNone<_>>::check();
    <u32 as LendsNone<_>>::check();
    <i64 as LendsNone<_>>::check();
    <usize as LendsNone<_>>::check();
    <isize as LendsNone<_>>::check();
    <&i32 as LendsNone<_>>::check();
}

#[test]
#[allow(clippy::needless_borrows_for_generic_args)] // the borrows are what is tested
fn descriptors_and_references_to_them_lend() {
    fn number(fd: impl AsFd) -> RawFd {
        fd.as_fd().as_raw_fd()
    }
    let file = common::file(b"");
    let raw = std::os::fd::AsRawFd::as_raw_fd(&file);
    let mut borrowed = common::fd(&file);
    assert_eq!([number(borrowed), number(&borrowed), number(&mut borrowed), number(&&borrowed)], [raw; 4]);
    assert_eq!(format!("{borrowed:?}"), format!("BorrowedFd {{ fd: {raw} }}"));
}

#[test]
fn an_owned_descriptor_is_closed_on_drop_and_not_before() {
    let open = |fd: RawFd| std::fs::symlink_metadata(format!("/proc/self/fd/{fd}")).is_ok();
    let (reader, writer) = std::io::pipe().unwrap();
    let raw = std::os::fd::IntoRawFd::into_raw_fd(writer);
    // SAFETY: `into_raw_fd` gave it up.
    let owned = unsafe { OwnedFd::from_raw_fd(raw) };
    assert_eq!((owned.as_raw_fd(), owned.as_fd().as_raw_fd()), (raw, raw));
    assert_eq!(format!("{owned:?}"), format!("OwnedFd {{ fd: {raw} }}"));
    assert_eq!(owned.into_raw_fd(), raw);
    assert!(open(raw), "given up, not closed");
    // SAFETY: as above.
    drop(unsafe { OwnedFd::from_raw_fd(raw) });
    // Another thread may have the number by now, but the pipe knows that nobody writes to it.
    rustix::fs::fcntl_setfl(&reader, rustix::fs::OFlags::NONBLOCK).unwrap();
    assert_eq!(std::io::Read::read(&mut &reader, &mut [0]).unwrap(), 0);
}

#[test]
fn a_number_is_a_raw_descriptor() {
    // SAFETY: it becomes an integer, which owns nothing.
    let raw = unsafe { RawFd::from_raw_fd(7) };
    assert_eq!((raw.as_raw_fd(), raw.into_raw_fd()), (7, 7));
}
