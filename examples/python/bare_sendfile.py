"""os.sendfile with both of its forms, on Linux too.

    import bare_sendfile
    bare_sendfile.sendfile(out_fd, in_fd, offset, count)
    bare_sendfile.sendfile(out_fd, in_fd, offset, count, headers=[b"HTTP/1.1 200 OK\\r\\n\\r\\n"], trailers=[], flags=0)

The signature is os.sendfile's, and so is what comes back. The library is `libbare_sendfile.so` of capi/ (`cargo build --release` there);
BARE_SENDFILE names another place.
"""

import ctypes
import errno
import operator
import os
from pathlib import Path

# Of FreeBSD, where os has them: the nearest that Linux can do.
SF_NODISKIO = 0x01
SF_MNOWAIT = 0x02
SF_SYNC = 0x04
SF_NOCACHE = 0x10


class _Iovec(ctypes.Structure):
    _fields_ = [("base", ctypes.c_char_p), ("len", ctypes.c_size_t)]


class _SfHdtr(ctypes.Structure):
    _fields_ = [
        ("headers", ctypes.POINTER(_Iovec)),
        ("hdr_cnt", ctypes.c_int),
        ("trailers", ctypes.POINTER(_Iovec)),
        ("trl_cnt", ctypes.c_int),
    ]


_BUILT = Path(__file__).resolve().parents[2] / "capi/target/release/libbare_sendfile.so"
_library = ctypes.CDLL(os.environ.get("BARE_SENDFILE", _BUILT))
_first = _library.bare_sendfile
_first.restype = ctypes.c_ssize_t
_first.argtypes = [ctypes.c_int, ctypes.c_int, ctypes.POINTER(ctypes.c_int64), ctypes.c_size_t]
_second = _library.bare_sendfile_hdtr
_second.restype = ctypes.c_int
_second.argtypes = [
    ctypes.c_int, ctypes.c_int, ctypes.c_int64, ctypes.c_size_t,
    ctypes.POINTER(_SfHdtr), ctypes.POINTER(ctypes.c_int64), ctypes.c_int,
]  # fmt: skip


# In the place of (), () and 0, which a caller can give.
_NOT_GIVEN = object()
_BITS_OF_SIZE_T = 8 * ctypes.sizeof(ctypes.c_size_t)


def sendfile(out_fd, in_fd, offset, count, headers=_NOT_GIVEN, trailers=_NOT_GIVEN, flags=_NOT_GIVEN):
    """Copies count bytes from in_fd to out_fd, starting at offset, and returns how many were sent.

    With these four it is Linux's own call. An offset of None is the file's position then.

    If headers, trailers or flags is given, empty or 0 too, it is the second form. They are sent before and after the file, their bytes
    count, and a count of 0 is to the end of the file. If the file has fewer than count bytes, the trailers are withheld.
    """
    # ctypes would cut them off.
    out_fd, in_fd, count = _fits(out_fd, 32), _fits(in_fd, 32), _fits(count, _BITS_OF_SIZE_T)
    if offset is not None:
        offset = _fits(offset, 64)
    if headers is trailers is flags is _NOT_GIVEN:
        return _first_form(out_fd, in_fd, offset, count)
    flags = 0 if flags is _NOT_GIVEN else _fits(flags, 32)
    headers, trailers = _list(headers, "headers"), _list(trailers, "trailers")
    if offset is None:
        raise TypeError("the second form needs an offset")
    if count < 0:
        raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))
    return _second_form(out_fd, in_fd, offset, count, headers, trailers, flags)


def _first_form(out_fd, in_fd, offset, count):
    while True:
        at = None if offset is None else ctypes.c_int64(offset)
        sent = _first(out_fd, in_fd, at, count)
        if sent >= 0:
            return sent
        # PEP 475; its handler has run by now, and has not raised.
        if sent != -errno.EINTR:
            raise OSError(-sent, os.strerror(-sent))


def _second_form(out_fd, in_fd, offset, count, headers, trailers, flags):
    hdtr, sbytes = _SfHdtr(headers, len(headers), trailers, len(trailers)), ctypes.c_int64()
    while True:
        error = -_second(in_fd, out_fd, offset, count, hdtr, sbytes, flags)
        sent = sbytes.value
        if not error:
            return sent
        if sent and error in (errno.EAGAIN, errno.EBUSY, errno.EINTR):
            return sent
        # A file that ended before the count is no error for Python. The library says EIO for it, as the kernel does for a disk or an
        # output that fails. It is the file if the headers are sent, bytes of it are missing, and a read finds none.
        of_file = sent - sum(header.len for header in headers)
        if error == errno.EIO and 0 <= of_file < count and not os.pread(in_fd, 1, offset + of_file):
            return sent
        if error != errno.EINTR:
            raise OSError(error, os.strerror(error))


def _fits(number, bits):
    number = operator.index(number)
    if not -1 << bits - 1 <= number < 1 << bits - 1:
        raise OverflowError("Python int too large to convert to C")
    return number


def _list(buffers, name):
    """An array of struct iovec, which keeps the bytes alive. What is not bytes is copied."""
    if buffers is _NOT_GIVEN:
        buffers = ()
    # A sequence as PySequence_Check of os.sendfile sees it.
    if isinstance(buffers, dict) or not hasattr(buffers, "__getitem__"):
        raise TypeError(f"sendfile() {name} must be a sequence")
    buffers = [one if type(one) is bytes else memoryview(one).tobytes() for one in buffers]
    return (_Iovec * len(buffers))(*((one, len(one)) for one in buffers))
