/*
 * bare-sendfile: Python's os.sendfile, both forms, straight to the kernel. No libc, no allocation, no state of its own.
 *
 * Errors are negative error numbers: -EPIPE. `bare_errno(...)` around a call turns them into -1 and errno.
 *
 * A descriptor that is not open is -EBADF. Pointers that go to the kernel (on Linux an offset, the bytes of headers and trailers, unless a buffer
 * is lent) are -EFAULT when they point to no memory. A null pointer is -EFAULT wherever something must be. What is read here instead (a struct,
 * its lists, a lent buffer) has to be there, as for any function of C.
 *
 * SIGPIPE is raised beside EPIPE, as by sendfile(2): ignore it, or hold a `struct bare_sigpipe_guard`.
 *
 * The library refers to nothing but memcpy, memmove, memset and memcmp, which GCC and Clang ask of every program. On 32-bit ARM its tables for
 * unwinding name __aeabi_unwind_cpp_pr0, which is GCC's and never called: a program without a C library defines an empty one.
 *
 * Made by cbindgen of capi/src.
 */

#ifndef BARE_SENDFILE_H
#define BARE_SENDFILE_H


#include <stddef.h>
#include <stdint.h>

#if defined(__FreeBSD__) || defined(__APPLE__)
#include <sys/types.h>
#include <sys/socket.h>
#include <sys/uio.h>
#else
/* Of <sys/uio.h>; a program without libc declares it: a pointer to the first byte, and a size_t of how many there are. */
struct iovec;

/* FreeBSD's. A list that is null is empty. */
struct sf_hdtr {
    struct iovec *headers; /* sent before the file */
    int hdr_cnt;
    struct iovec *trailers; /* sent after it */
    int trl_cnt;
};

/* The flags of FreeBSD's sendfile(2), of which Linux does the nearest thing that it can: the crate's SfFlags. */
#define SF_NODISKIO 0x01       /* -EBUSY rather than wait for the disk */
#define SF_SYNC 0x04           /* ignored */
#define SF_USER_READAHEAD 0x08 /* read ahead as many pages as SF_FLAGS says */
#define SF_NOCACHE 0x10        /* do not keep what was sent in the page cache */
#define SF_FLAGS(readahead, flags) (((readahead) << 16) | (flags))
#endif

#if !defined(__STDC_HOSTED__) || __STDC_HOSTED__
#include <errno.h>

/* The convention of libc, by choice: n = bare_errno(bare_sendfile(...)) is -1 on an error, which is in errno. */
static inline ptrdiff_t bare_errno(ptrdiff_t result)
{
    if (result >= 0)
        return result;
    errno = (int)-result;
    return -1;
}
#endif

/**
 * As the count of a transfer or copy: to the end.
 */
#define BARE_TO_END UINT64_MAX

/**
 * All is sent.
 */
#define BARE_DONE 0

/**
 * The budget is used up. Call again at once, or after the other connections: the output may still be writable, and
 * edge-triggered epoll does not report that again.
 */
#define BARE_YIELDED 1

/**
 * Call again when the output is writable.
 */
#define BARE_OUT_FULL 2

/**
 * Call again when the input is readable.
 */
#define BARE_IN_EMPTY 3

/**
 * The size of `struct bare_stream_copy`, for languages that cannot ask for it. Its alignment is that of a uint64_t.
 */
#define BARE_STREAM_COPY_SIZE 192

/**
 * The size of `struct bare_transfer`, for languages that cannot ask for it. Its alignment is that of a uint64_t.
 */
#define BARE_TRANSFER_SIZE 160

/**
 * Keeps SIGPIPE from the calling thread between bare_sigpipe_guard_hold and bare_sigpipe_guard_release: EPIPE comes alone. It is for
 * libraries; a program ignores the signal once.
 */
struct bare_sigpipe_guard {
    uint64_t opaque[2];
};

/**
 * A copy from an input that cannot seek (a pipe, a socket), by splice(2) if one of the two is a pipe, else through a buffer. Bytes that
 * were read and not yet written are in that buffer, which belongs to the copy until it is done.
 */
struct bare_stream_copy {
    uint64_t opaque[24];
};

/**
 * A send of headers, a range of a file and trailers, that can stop anywhere and go on from there. It is plain data, on the stack or
 * in the struct of a connection: nothing has to be freed. It holds neither descriptors nor pointers; pass the same to each call.
 */
struct bare_transfer {
    uint64_t opaque[20];
};

/**
 * Bytes sent.
 */
struct bare_progress {
    /**
     * Of the headers.
     */
    uint64_t headers;
    /**
     * Of the file.
     */
    uint64_t file;
    /**
     * Of the trailers.
     */
    uint64_t trailers;
};

#ifdef __cplusplus
extern "C" {
#endif // __cplusplus

/**
 * sendfile(2) of Linux: one system call, the arguments as they are. No retry after EINTR, no loop, no fallback.
 *
 * `offset` is in bytes from the start of the file, and is advanced. If it is null, reading starts at the position of `in_fd`, which
 * is advanced.
 *
 * Returns the number of bytes sent, 0 at the end of the file, or a negative error number.
 *
 * # Safety
 *
 * `offset` is null, or its eight bytes are the caller's.
 */
ptrdiff_t bare_sendfile(int out_fd,
                        int in_fd,
                        int64_t *offset,
                        size_t count);

/**
 * Whether sendfile(2) can be called at all: 0, or the negative error number of the filter or kernel that refuses it.
 */
int bare_sendfile_available(void);

/**
 * sendfile(2) of FreeBSD, on Linux too: writes the headers, `nbytes` of `fd` from `offset` on (0: to the end), and the
 * trailers, to the stream socket, pipe or file `s`. It goes on after short counts, and stops at EAGAIN and EINTR.
 *
 * Returns 0 if all was sent, or a negative error number. The bytes that were sent, of all three together, are in `sbytes` either
 * way (it may be null): -EAGAIN, -EINTR and -EBUSY can have sent some.
 *
 * If the file has fewer than `nbytes`, the trailers are withheld, and the error is -EIO. (FreeBSD sends them and returns 0.) A length
 * that is computed and can be 0 must not be passed, as on FreeBSD: `struct bare_transfer` takes 0 for nothing.
 *
 * # Safety
 *
 * `hdtr` is null or points to a `struct sf_hdtr`, whose lists are as long as it says. `sbytes` is null or the caller's.
 */
int bare_sendfile_hdtr(int fd,
                       int s,
                       int64_t offset,
                       size_t nbytes,
                       const struct sf_hdtr *hdtr,
                       int64_t *sbytes,
                       int flags);

/**
 * Blocks SIGPIPE in the calling thread. Several guards of a thread are released in the reverse order.
 *
 * Returns 0, or a negative error number.
 *
 * # Safety
 *
 * `guard` is null or the caller's.
 */
int bare_sigpipe_guard_hold(struct bare_sigpipe_guard *guard);

/**
 * Takes out a SIGPIPE that was raised meanwhile, and puts the mask back, in the same thread.
 *
 * Returns 0, or a negative error number: -EINVAL if it is not held.
 *
 * # Safety
 *
 * `guard` is null or the caller's.
 */
int bare_sigpipe_guard_release(struct bare_sigpipe_guard *guard);

/**
 * Makes a copy of `count` bytes, or BARE_TO_END, through `buffer` if splice(2) does not work. With a `size` of 0 nothing is copied
 * through it, and splice's refusal is the error.
 *
 * Returns 0, or a negative error number.
 *
 * # Safety
 *
 * `copy` is null or the caller's. `buffer` has `size` bytes, which nobody else uses as long as the copy is used.
 */
int bare_stream_copy_init(struct bare_stream_copy *copy,
                          uint64_t count,
                          void *buffer,
                          size_t size);

/**
 * Limits each bare_stream_copy_poll_send to so many bytes, 2 MiB unless told otherwise.
 *
 * # Safety
 *
 * `copy` is null or the caller's.
 */
int bare_stream_copy_set_budget(struct bare_stream_copy *copy, size_t bytes);

/**
 * Copies until the count is reached or the input ends: for blocking descriptors. Call it again to go on after an error.
 *
 * Returns 0, or a negative error number: -EIO if the input ended before the count.
 *
 * # Safety
 *
 * `copy` is null or the caller's.
 */
int bare_stream_copy_send_all(struct bare_stream_copy *copy, int out_fd, int in_fd);

/**
 * Copies until the count is reached, the input ends, the budget is used up, or it would block. Both descriptors have to be nonblocking.
 *
 * Returns BARE_DONE, BARE_YIELDED, BARE_OUT_FULL or BARE_IN_EMPTY, or a negative error number.
 *
 * # Safety
 *
 * `copy` is null or the caller's.
 */
int bare_stream_copy_poll_send(struct bare_stream_copy *copy,
                               int out_fd,
                               int in_fd);

/**
 * Returns the bytes written until now; none for a struct that is not initialised.
 *
 * # Safety
 *
 * `copy` is null or the caller's.
 */
uint64_t bare_stream_copy_sent(const struct bare_stream_copy *copy);

/**
 * Returns the bytes that were read and not yet written, and sets `size` to their number. They are in the copy's buffer or in the struct itself.
 *
 * # Safety
 *
 * `copy` is null or the caller's, and so is `size`.
 */
const void *bare_stream_copy_remainder(const struct bare_stream_copy *copy,
                                       size_t *size);

/**
 * Makes a transfer of the headers, then `count` bytes of the file from `offset` on (BARE_TO_END: to its end), then the trailers. Only the
 * lengths of the lists are stored. A count of 0 sends nothing of the file.
 *
 * Returns 0, or a negative error number.
 *
 * # Safety
 *
 * `transfer` is null or the caller's. `hdtr` is null or points to a `struct sf_hdtr`, whose lists are as long as it says.
 */
int bare_transfer_init(struct bare_transfer *transfer,
                       int64_t offset,
                       uint64_t count,
                       const struct sf_hdtr *hdtr);

/**
 * The same from the position of the file on, which advances (Linux).
 *
 * # Safety
 *
 * As for `bare_transfer_init`.
 */
int bare_transfer_from_position(struct bare_transfer *transfer, uint64_t count, const struct sf_hdtr *hdtr);

/**
 * Limits each bare_transfer_poll_send to so many bytes, 2 MiB unless told otherwise.
 *
 * # Safety
 *
 * `transfer` is null or the caller's.
 */
int bare_transfer_set_budget(struct bare_transfer *transfer, size_t bytes);

/**
 * Sets the largest body that is copied through a lent buffer for one write with its headers, 8 KiB unless told otherwise; 0 is for never.
 *
 * # Safety
 *
 * `transfer` is null or the caller's.
 */
int bare_transfer_set_small(struct bare_transfer *transfer,
                            size_t bytes);

/**
 * Has all of the file copied through the lent buffer: a later write to the file does not change what was sent, as it can with sendfile.
 *
 * # Safety
 *
 * `transfer` is null or the caller's.
 */
int bare_transfer_set_copying(struct bare_transfer *transfer);

/**
 * Sends until all is sent or an error stops it, and goes on after EINTR: for blocking outputs. It returns at EAGAIN, so that SO_SNDTIMEO
 * works. Call it again to go on.
 *
 * A lent `buffer` permits copying through it: of files that sendfile(2) refuses, and of small bodies. With a `size` of 0 (and a null
 * pointer) nothing is copied.
 *
 * Returns 0, or a negative error number: -EIO if the file ended before the count (the trailers are withheld then). What was sent is in
 * bare_transfer_progress.
 *
 * # Safety
 *
 * `transfer` is null or the caller's. `hdtr` is null or points to a `struct sf_hdtr`, whose lists are as long as it says. `buffer` has
 * `size` bytes of the caller's, which are not those of the headers or trailers; where it is lent, they have to be there.
 */
int bare_transfer_send_all(struct bare_transfer *transfer,
                           int out_fd,
                           int in_fd,
                           const struct sf_hdtr *hdtr,
                           void *buffer,
                           size_t size);

/**
 * Sends until all is sent, the budget is used up, or it would block: for nonblocking outputs and an event loop. The arguments are those of
 * bare_transfer_send_all.
 *
 * Returns BARE_DONE, BARE_YIELDED, BARE_OUT_FULL or BARE_IN_EMPTY, or a negative error number.
 *
 * # Safety
 *
 * As for `bare_transfer_send_all`.
 */
int bare_transfer_poll_send(struct bare_transfer *transfer,
                            int out_fd,
                            int in_fd,
                            const struct sf_hdtr *hdtr,
                            void *buffer,
                            size_t size);

/**
 * Sends what the kernel still holds back in the hope of more, when a transfer is given up after BARE_OUT_FULL. Otherwise the drivers do it
 * themselves.
 *
 * Returns 0, or a negative error number.
 *
 * # Safety
 *
 * `transfer` is null or the caller's.
 */
int bare_transfer_flush(struct bare_transfer *transfer,
                        int out_fd);

/**
 * Returns the bytes sent until now; none for a struct that is not initialised.
 *
 * # Safety
 *
 * `transfer` is null or the caller's.
 */
struct bare_progress bare_transfer_progress(const struct bare_transfer *transfer);

#ifdef __cplusplus
}  // extern "C"
#endif  // __cplusplus

#endif  /* BARE_SENDFILE_H */
