//! What the two kernels have in common, on the side of the library that the program has as `sys`.

use bare_sendfile::Errno;

use crate::caught::{Seen, on, possible};
use crate::fd::BorrowedFd;
use crate::iovec::IoSlice;
use crate::simulated::model;
use crate::{SENDFILE, errno, sys};

/// The socket and the file.
pub(crate) fn fds() -> (BorrowedFd<'static>, BorrowedFd<'static>) {
    // SAFETY: the model does not look at them.
    unsafe { (BorrowedFd::borrow_raw(8), BorrowedFd::borrow_raw(7)) }
}

fn kernel(room: usize, errno: Option<Errno>) -> model::Kernel {
    model::Kernel { file: b"contents".to_vec(), room, errno, ..Default::default() }
}

/// Its own type of the same numbers.
fn number(errno: Option<errno::Errno>) -> Option<i32> {
    errno.map(errno::Errno::raw_os_error)
}

#[test]
fn first_form() {
    if !possible() {
        return;
    }
    let (socket, file) = fds();
    let mut kernel = kernel(5, Some(Errno::EAGAIN));
    let mut offset = 1;
    let (result, seen) = on(&mut kernel, || sys::sendfile(socket, file, Some(&mut offset), 99));
    assert_eq!((result, offset), (Ok(5), 6), "bytes count beside an error");
    assert_eq!(seen, Some(Seen { number: SENDFILE, flags: 0 }));
    let (result, _) = on(&mut kernel, || sys::sendfile(socket, file, Some(&mut offset), 99));
    assert_eq!((number(result.err()), offset), (Some(Errno::EAGAIN.raw_os_error()), 6));
    kernel.errno = None;
    let (result, _) = on(&mut kernel, || sys::sendfile(socket, file, Some(&mut offset), 99));
    assert_eq!((result, offset), (Ok(2), 8));
    let (result, _) = on(&mut kernel, || sys::sendfile(socket, file, Some(&mut offset), 99));
    assert_eq!((result, offset), (Ok(0), 8), "the end");
    assert_eq!(kernel.received, b"ontents");
}

#[test]
fn first_form_without_a_call() {
    if !possible() {
        return;
    }
    let (socket, file) = fds();
    let mut kernel = kernel(5, None);
    let mut offset = 1;
    assert_eq!(on(&mut kernel, || sys::sendfile(socket, file, Some(&mut offset), 0)), (Ok(0), None));
    let (result, seen) = on(&mut kernel, || sys::sendfile(socket, file, None, 1));
    assert_eq!((number(result.err()), seen), (Some(Errno::EINVAL.raw_os_error()), None));
    for count in [isize::MAX as usize + 1, usize::MAX] {
        let (result, seen) = on(&mut kernel, || sys::sendfile(socket, file, Some(&mut offset), count));
        assert_eq!((number(result.err()), seen), (Some(Errno::EINVAL.raw_os_error()), None));
    }
    // The same of a transfer's step.
    assert_eq!(on(&mut kernel, || sys::send(socket, file, Some(1), 0, &[], 0)), ((0, None), None));
    for (offset, count) in [(None, 1), (Some(1), isize::MAX as usize + 1)] {
        let ((bytes, errno), seen) = on(&mut kernel, || sys::send(socket, file, offset, count, &[], 0));
        assert_eq!((bytes, number(errno), seen), (0, Some(Errno::EINVAL.raw_os_error()), None));
    }
    assert_eq!(kernel.received, b"");
    let (result, _) = on(&mut kernel, || sys::sendfile(socket, file, Some(&mut offset), isize::MAX as usize));
    assert_eq!((result, offset), (Ok(7), 8), "the largest count");

    // At the largest offset no count is left, and beyond it there is no offset.
    for (mut offset, expected) in [(i64::MAX as u64, Ok(0)), (1 << 63, Err(Errno::EINVAL.raw_os_error()))] {
        let (result, seen) = on(&mut kernel, || sys::sendfile(socket, file, Some(&mut offset), 1));
        assert_eq!((result.map_err(errno::Errno::raw_os_error), seen), (expected, None));
    }
}

/// A sandbox refuses the call before the kernel's function runs. macOS's count of the bytes is then still the caller's.
#[test]
fn a_refused_call_sends_nothing() {
    if !possible() {
        return;
    }
    let (socket, file) = fds();
    let header = [IoSlice::new(b"head")];
    // By the other kernel's numbers.
    for expected in [errno::Errno::EPERM, errno::Errno::ENOSYS].map(|errno| Some(errno.raw_os_error())) {
        let mut kernel = model::Kernel { refused: expected.and_then(Errno::from_raw_os_error), ..kernel(0, None) };
        let mut offset = 1;
        let (result, seen) = on(&mut kernel, || sys::sendfile(socket, file, Some(&mut offset), 3));
        assert_eq!((result.map_err(errno::Errno::raw_os_error).err(), offset), (expected, 1));
        assert_eq!(seen, Some(Seen { number: SENDFILE, flags: 0 }));
        let ((bytes, errno), _) = on(&mut kernel, || sys::send(socket, file, Some(1), 3, &header, 0));
        assert_eq!((bytes, number(errno)), (0, expected), "a step of a transfer");
        let ((bytes, errno), _) = on(&mut kernel, || sys::sendfile_hdtr(socket, file, 1, 3, &header, &header, 0));
        assert_eq!((bytes, number(errno)), (0, expected), "the system's own call");
    }
    // The same error from the kernel's function, which has written the bytes that it sent before.
    let mut kernel = kernel(5, Some(Errno::EPERM));
    let ((bytes, errno), _) = on(&mut kernel, || sys::send(socket, file, Some(0), 8, &[], 0));
    assert_eq!((bytes, number(errno)), (5, Some(Errno::EPERM.raw_os_error())));
}

/// A7: on descriptors that cannot be open.
#[test]
fn a7_the_probe_is_a_call() {
    if !possible() {
        return;
    }
    let (result, seen) = on(&mut kernel(5, None), sys::sendfile_probe);
    assert_eq!(result.raw_os_error(), Errno::EBADF.raw_os_error());
    assert_eq!(seen, Some(Seen { number: SENDFILE, flags: 0 }));
}

#[test]
fn splice_is_not_there() {
    if !possible() {
        return;
    }
    let (socket, file) = fds();
    let (result, seen) = on(&mut kernel(5, None), || sys::splice(file, socket, 1, false));
    assert_eq!((number(result.err()), seen), (Some(errno::Errno::ENOSYS.raw_os_error()), None));
}

/// C6: pages to read ahead are in the upper half of the flags. H7: the caught call reads `struct sf_hdtr` by a layout of its own.
#[test]
fn second_form() {
    if !possible() {
        return;
    }
    let (socket, file) = fds();
    let (headers, trailers) = ([IoSlice::new(b"he"), IoSlice::new(b"ad")], [IoSlice::new(b"tail")]);
    let mut kernel = kernel(0, None);
    // More of the caller's values than there are registers, which must all come through.
    let values: [u64; 24] = std::array::from_fn(|i| std::hint::black_box(i as u64) * 0x0101_0101);
    let (result, seen) = on(&mut kernel, || sys::sendfile_hdtr(socket, file, 2, 3, &headers, &trailers, 0x7_0004));
    assert_eq!(values, std::array::from_fn(|i| i as u64 * 0x0101_0101));
    assert_eq!(result, (11, None));
    assert_eq!(kernel.received, b"headntetail");
    assert_eq!(seen, Some(Seen { number: SENDFILE, flags: 0x7_0004 }));

    // As many headers as trailers.
    kernel.received.clear();
    let (result, _) = on(&mut kernel, || sys::sendfile_hdtr(socket, file, 2, 3, &headers[..1], &trailers, 0));
    assert_eq!((result, &kernel.received[..]), ((9, None), &b"hentetail"[..]));

    (kernel.room, kernel.errno) = (6, Some(Errno::EINTR));
    let ((moved, errno), _) = on(&mut kernel, || sys::sendfile_hdtr(socket, file, 0, 8, &headers, &[], 0));
    assert_eq!((moved, number(errno)), (6, Some(Errno::EINTR.raw_os_error())));
    assert!(kernel.received.ends_with(b"headco"));
}

/// C8: the list of no trailers is null, which the caught call insists on.
#[test]
fn to_the_end() {
    if !possible() {
        return;
    }
    let (socket, file) = fds();
    let mut kernel = kernel(0, None);
    let (result, _) = on(&mut kernel, || sys::sendfile_hdtr(socket, file, 2, 0, &[IoSlice::new(b"head")], &[], 0));
    assert_eq!(result, (10, None));
    assert_eq!(kernel.received, b"headntents");
}
