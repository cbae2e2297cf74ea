/* The same program in C: what to compare the size of tiny with. */
#define _GNU_SOURCE
/* Files of 2 GiB and more, where a `long` has 32 bits too: an int64_t is an off_t then. */
#define _FILE_OFFSET_BITS 64
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/sendfile.h>
#include <unistd.h>

static const char usage[] =
    "usage: tiny [-o OFFSET] [-n COUNT] FILE [NEW]\n"
    "Sends FILE from byte OFFSET on, COUNT bytes or all, to standard output or to NEW.\n";

static void say(int fd, const char *text)
{
    /* A message, as far as it goes: there is nowhere to report a failure to. */
    if (write(fd, text, strlen(text)) < 0)
        return;
}

/* `new` is a file that was made, and has not all that it should have, or NULL. */
static int fail(const char *name, const char *reason, const char *new)
{
    say(2, "tiny: ");
    say(2, name);
    say(2, ": ");
    say(2, reason);
    if (new) {
        say(2, "; ");
        say(2, new);
        say(2, " is incomplete");
    }
    say(2, "\n");
    return 1;
}

static int number(const char *digits, int64_t *result)
{
    int64_t number = 0;
    if (!digits || !*digits)
        return 0;
    for (; *digits; digits++)
        if (*digits < '0' || *digits > '9' || __builtin_mul_overflow(number, 10, &number)
            || __builtin_add_overflow(number, *digits - '0', &number))
            return 0;
    *result = number;
    return 1;
}

/* The number of a standard stream that nobody opened: what is written there would go into the file. */
static int not_standard(int fd)
{
    if (fd < 0 || fd > 2)
        return fd;
    errno = EBADF;
    return -1;
}

int main(int argc, char **argv)
{
    int64_t offset = 0, count = -1;
    int i = 1;
    for (; i < argc && argv[i][0] == '-'; i++) {
        if (!strcmp(argv[i], "--help"))
            return say(1, usage), 0;
        if (!strcmp(argv[i], "--")) {
            i++;
            break;
        }
        if (!strcmp(argv[i], "-o") && number(argv[i + 1], &offset))
            i++;
        else if (!strcmp(argv[i], "-n") && number(argv[i + 1], &count))
            i++;
        else
            return say(2, usage), 2;
    }
    if (argc - i != 1 && argc - i != 2)
        return say(2, usage), 2;

    int in = not_standard(open(argv[i], O_RDONLY)), out = 1;
    if (in < 0)
        return fail(argv[i], strerror(errno), NULL);
    const char *new = argv[i + 1];
    if (new && (out = not_standard(open(new, O_WRONLY | O_CREAT | O_EXCL, 0666))) < 0)
        return fail(new, strerror(errno), NULL);
    for (int64_t left = count < 0 ? INT64_MAX : count; left > 0;) {
        ssize_t sent = sendfile(out, in, &offset, left < 1 << 30 ? left : 1 << 30);
        if (sent < 0 && errno == EAGAIN) {
            poll(&(struct pollfd){.fd = out, .events = POLLOUT}, 1, -1);
            continue;
        }
        if (sent < 0 && errno == EINTR)
            continue;
        if (sent < 0)
            return fail(argv[i], strerror(errno), new);
        if (sent == 0 && count >= 0)
            return fail(argv[i], "shorter than asked for", new);
        if (sent == 0)
            break;
        left -= sent;
    }
    if (close(out) < 0)
        return fail(new ? new : "standard output", strerror(errno), new);
    return 0;
}
