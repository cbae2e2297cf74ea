/* The copy of an init in C: init FROM TO [NEXT ARGUMENT...] copies the file FROM to the new file TO, so that it is whole on the disk
 * or not there, and goes on as NEXT.
 *
 *     musl-gcc -static init.c $(pkg-config --cflags --libs bare_sendfile) -o init
 *
 * An init in an initramfs puts things where the real root expects them: keys, modules, an image. Nobody is there to start it again,
 * so each error has its name. SIGPIPE needs no care: the kernel sends PID 1 no signal that it does not handle. */
#define _GNU_SOURCE
/* Files of 2 GiB and more, where a `long` has 32 bits too. */
#define _FILE_OFFSET_BITS 64
#include <bare_sendfile.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int fail(const char *what, int error)
{
    fprintf(stderr, "init: %s: %s\n", what, strerror(error));
    return 1;
}

/* The bytes of FROM, to its end: inside the kernel, or through the buffer for what sendfile(2) refuses, as files of procfs and sysfs. */
static int copy(int from, int to)
{
    static char buffer[65536];
    struct bare_transfer transfer;
    int result = bare_transfer_init(&transfer, 0, BARE_TO_END, NULL);
    if (!result)
        result = bare_transfer_send_all(&transfer, to, from, NULL, buffer, sizeof buffer);
    return -result;
}

int main(int argc, char **argv)
{
    if (argc < 3)
        return fail("usage: init FROM TO [NEXT ARGUMENT...]", EINVAL);
    struct stat stat;
    /* Nonblocking, or opening a FIFO waits for a writer. */
    int from = open(argv[1], O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    if (from < 0 || fstat(from, &stat))
        return fail(argv[1], errno);
    /* Reading them would fail, and nobody could tell whether FROM or TO was to blame. */
    if (S_ISDIR(stat.st_mode) || S_ISFIFO(stat.st_mode))
        return fail(argv[1], S_ISDIR(stat.st_mode) ? EISDIR : ESPIPE);
    /* Under a name that no file has until it is whole: a fixed one could be the user's, or be left over from a loss of power. */
    char *part;
    if (asprintf(&part, "%s.XXXXXX", argv[2]) < 0)
        return fail(argv[2], ENOMEM);
    int to = mkostemp(part, O_CLOEXEC);
    if (to < 0)
        return fail(argv[2], errno);
    int error = copy(from, to);
    /* The mode after the owner, whose change takes setuid bits away. Without its owner, a user's program would be setuid root. */
    mode_t mode = stat.st_mode & 07777;
    if (fchown(to, stat.st_uid, stat.st_gid))
        mode &= 0777;
    /* Many file systems store the bytes only now, and say only now that they cannot. */
    if (!error && (fchmod(to, mode) || fsync(to)))
        error = errno;
    if (close(to) && !error)
        error = errno;
    if (!error && rename(part, argv[2]))
        error = errno;
    if (error) {
        unlink(part);
        return fail(argv[2], error);
    }
    free(part);
    if (argc > 3) {
        execv(argv[3], argv + 3);
        return fail(argv[3], errno);
    }
    return 0;
}
