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


def sendfile(out_fd, in_fd, offset, count, headers=(), trailers=(), flags=0):
    """Copies count bytes from in_fd to out_fd, starting at offset, and returns how many were sent.

    An offset of None is the file's position. With headers, trailers or flags it is the second form: they are sent before and after the
    file, their bytes count, and a count of 0 is to the end of the file. If the file has fewer than count bytes, the trailers are withheld.
    """
    # ctypes would cut them off.
    out_fd, in_fd, count, flags = (_fits(number, bits) for number, bits in ((out_fd, 32), (in_fd, 32), (count, 64), (flags, 32)))
    if offset is not None:
        offset = _fits(offset, 64)
    if not (headers or trailers or flags):
        return _first_form(out_fd, in_fd, offset, count)
    if offset is None:
        raise TypeError("the second form needs an offset")
    if count < 0:
        raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))
    return _second_form(out_fd, in_fd, offset, count, _list(headers, "headers"), _list(trailers, "trailers"), flags)


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
        # A file that ended before the count is no error for Python. A read tells it from a disk that fails.
        of_file = max(0, sent - sum(header.len for header in headers))
        if error == errno.EIO and not os.pread(in_fd, 1, offset + of_file):
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
    try:
        buffers = [one if type(one) is bytes else memoryview(one).tobytes() for one in buffers]
    except TypeError as error:
        raise TypeError(f"sendfile() {name} must be a sequence of bytes-like objects") from error
    return (_Iovec * len(buffers))(*((one, len(one)) for one in buffers))
