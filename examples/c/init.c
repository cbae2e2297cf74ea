/* The copy of an init in C: init FROM TO [NEXT ARGUMENT...] copies the file FROM to the new file TO, so that it is whole on the disk
 * or not there, and goes on as NEXT. TO may be a regular file, which is replaced. Everything else is refused.
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

/* Nothing is opened at the number of a standard stream that was closed: messages would go into it. */
static int reserve_standard_streams(void)
{
    int reserved;
    do
        reserved = open("/", O_PATH | O_CLOEXEC);
    while (reserved >= 0 && reserved <= STDERR_FILENO);
    return reserved < 0 ? -1 : close(reserved);
}

int main(int argc, char **argv)
{
    if (reserve_standard_streams())
        return fail("/", errno);
    if (argc < 3)
        return fail("usage: init FROM TO [NEXT ARGUMENT...]", EINVAL);
    const char *name = argv[2];
    struct stat status;
    /* A device, a FIFO or a link has its users, whom a file in its place would not serve. */
    if (lstat(name, &status) == 0) {
        if (!S_ISREG(status.st_mode))
            return fail(name, S_ISDIR(status.st_mode) ? EISDIR : EEXIST);
    } else if (errno != ENOENT) {
        return fail(name, errno);
    }
    /* Asked before it is opened: opening a FIFO waits for a writer. */
    if (stat(argv[1], &status))
        return fail(argv[1], errno);
    if (!S_ISREG(status.st_mode))
        return fail(argv[1], S_ISDIR(status.st_mode) ? EISDIR : EINVAL);
    int from = open(argv[1], O_RDONLY | O_CLOEXEC);
    if (from < 0 || fstat(from, &status))
        return fail(argv[1], errno);
    /* Under a name that no file has until it is whole: a fixed one could be the user's, or be left over from a loss of power. It is
     * beside TO, and short, since that of TO may be as long as names can be. mkostemp replaces each X. */
    const char *slash = strrchr(name, '/');
    char *part;
    if (asprintf(&part, "%.*s.XXXXXX", slash ? (int)(slash + 1 - name) : 0, name) < 0)
        return fail(name, ENOMEM);
    int to = mkostemp(part, O_CLOEXEC);
    if (to < 0)
        return fail(name, errno);
    int error = copy(from, to);
    /* The mode after the owner, whose change takes setuid bits away. Without its owner, a user's program would be setuid root. */
    mode_t mode = status.st_mode & 07777;
    if (fchown(to, status.st_uid, status.st_gid))
        mode &= 0777;
    /* Many file systems store the bytes only now, and say only now that they cannot. */
    if (!error && (fchmod(to, mode) || fsync(to)))
        error = errno;
    if (close(to) && !error)
        error = errno;
    if (!error && rename(part, name))
        error = errno;
    if (error) {
        unlink(part);
        fprintf(stderr, "init: %s to %s: %s\n", argv[1], name, strerror(error));
        return 1;
    }
    free(part);
    if (argc > 3) {
        execv(argv[3], argv + 3);
        return fail(argv[3], errno);
    }
    return 0;
}
