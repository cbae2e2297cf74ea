/* sendfile(2) for a program that does not know of it: LD_PRELOAD. Compiled with -DTRANSFER by a transfer, else by the first form.
   Calls and bytes are added up in the file COUNTS, of all processes together. */
#define _GNU_SOURCE
#include <bare_sendfile.h>

#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/types.h>
#include <unistd.h>

static _Atomic long none[2], *counts = none;

__attribute__((constructor)) static void open_counts(void)
{
    const char *name = getenv("COUNTS");
    int fd = name ? open(name, O_RDWR | O_CLOEXEC) : -1;
    void *shared = fd < 0 ? MAP_FAILED : mmap(NULL, sizeof none, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (shared != MAP_FAILED)
        counts = shared;
    close(fd);
}

#ifdef TRANSFER
static ptrdiff_t send_some(int out_fd, int in_fd, int64_t *offset, size_t count)
{
    struct bare_transfer transfer;
    int result = offset ? bare_transfer_init(&transfer, *offset, count, NULL)
                        : bare_transfer_from_position(&transfer, count, NULL);
    if (!result)
        result = bare_transfer_poll_send(&transfer, out_fd, in_fd, NULL, NULL, 0);
    ptrdiff_t sent = bare_transfer_progress(&transfer).file;
    char byte;
    /* sendfile(2) has no error for the end of the file. */
    if (result == -EIO && pread(in_fd, &byte, 1, offset ? *offset + sent : lseek(in_fd, 0, SEEK_CUR)) == 0)
        result = 0;
    if (offset)
        *offset += sent;
    if (sent)
        return sent;
    return result > 0 ? -EAGAIN : result;
}
#else
#define send_some bare_sendfile
#endif

ssize_t sendfile64(int out_fd, int in_fd, off_t *offset, size_t count)
{
    ptrdiff_t sent = send_some(out_fd, in_fd, offset, count);
    counts[0]++;
    if (sent > 0)
        counts[1] += sent;
    return bare_errno(sent);
}

ssize_t sendfile(int out_fd, int in_fd, off_t *offset, size_t count)
{
    return sendfile64(out_fd, in_fd, offset, count);
}
