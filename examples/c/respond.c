/* A server's response in C: respond FILE answers one client with FILE, on a nonblocking socket, head and file in one go.
 *
 *     cc respond.c $(pkg-config --cflags --libs bare_sendfile) -o respond
 *
 * It prints its port. */
#define _GNU_SOURCE
/* Files of 2 GiB and more, where a `long` has 32 bits too. */
#define _FILE_OFFSET_BITS 64
#include <bare_sendfile.h>

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

/* The longest that a client may stand still, in milliseconds. */
#define PATIENCE 5000

/* A socket with so many bytes that wait to be sent is full, and has room again when the client has taken 96 KiB at most. Without the
   option a third of the buffer has to be free, which grows to 4 MiB: a slow client that takes something all the time needs longer for that. */
#define UNSENT (64 << 10)

static int fail(const char *what, int error)
{
    fprintf(stderr, "respond: %s: %s\n", what, strerror(error));
    return 1;
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

/* Waits so many milliseconds for `events`; 0, or an error number. */
static int wait_for(int fd, short events, int milliseconds)
{
    struct pollfd waiting = {fd, events, 0};
    int ready = poll(&waiting, 1, milliseconds);
    return ready > 0 ? 0 : ready < 0 ? errno : ETIMEDOUT;
}

/* Opens FILE and sets the length that is announced; the descriptor, or -1 with errno. What is no regular file has no length. Nor have those
   of /proc, which are made when they are read. */
static int open_file(const char *name, off_t *size)
{
    struct stat status;
    /* Asked before it is opened: opening a FIFO waits for a writer. */
    if (stat(name, &status))
        return -1;
    if (!S_ISREG(status.st_mode)) {
        errno = EINVAL;
        return -1;
    }
    int file = open(name, O_RDONLY | O_CLOEXEC);
    if (file < 0 || fstat(file, &status))
        return -1;
    *size = status.st_size;
    char first;
    ssize_t got = *size ? 0 : pread(file, &first, 1, 0);
    if (got > 0)
        errno = EINVAL;
    return got == 0 ? file : -1;
}

/* Reads until the end of the request's head; what is in it makes no difference here. */
static int request(int client)
{
    char head[8192];
    size_t size = 0;
    while (size < sizeof head - 1) {
        ssize_t got = read(client, head + size, sizeof head - 1 - size);
        if (got == 0)
            return EPIPE;
        if (got < 0 && errno != EAGAIN)
            return errno;
        if (got < 0) {
            int error = wait_for(client, POLLIN, PATIENCE);
            if (error)
                return error;
            continue;
        }
        head[size += (size_t)got] = 0;
        if (strstr(head, "\r\n\r\n"))
            return 0;
    }
    return EMSGSIZE;
}

static long long now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec * 1000LL + time.tv_nsec / 1000000;
}

/* Sent is not received: closed with something unread in it, the socket would drop what is on its way. So this reads until the client
   closes, for PATIENCE in all. Whoever still sends then loses the response's end. */
static int finish(int client)
{
    if (shutdown(client, SHUT_WR))
        return errno;
    long long end = now() + PATIENCE;
    for (;;) {
        long long left = end - now();
        int error = wait_for(client, POLLIN, left > 0 ? (int)left : 0);
        /* One that is silent has the rest from the kernel. */
        if (error)
            return error == ETIMEDOUT ? 0 : error;
        if (left <= 0)
            return ETIMEDOUT;
        char rest[4096];
        ssize_t got = read(client, rest, sizeof rest);
        if (got == 0)
            return 0;
        if (got < 0 && errno != EAGAIN)
            return errno;
    }
}

/* The head and the file, from wherever the socket lets it go on. In a server with many clients `transfer`, `head` and the two
   descriptors are in the struct of a connection, and the event loop stands in for poll(2). */
static int respond(int client, int file, off_t size)
{
    char text[128];
    int length = snprintf(text, sizeof text, "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: %lld\r\n\r\n",
                          (long long)size);
    struct iovec head = {text, (size_t)length};
    struct sf_hdtr hdtr = {&head, 1, NULL, 0};
    struct bare_transfer transfer;
    int status = bare_transfer_init(&transfer, 0, (uint64_t)size, &hdtr);
    if (status < 0)
        return -status;
    while ((status = bare_transfer_poll_send(&transfer, client, file, &hdtr, NULL, 0)) != BARE_DONE) {
        int error = status < 0 ? -status : status == BARE_OUT_FULL ? wait_for(client, POLLOUT, PATIENCE) : 0;
        if (error)
            return error;
    }
    return finish(client);
}

int main(int argc, char **argv)
{
    if (reserve_standard_streams())
        return fail("/", errno);
    if (argc != 2)
        return fail("usage: respond FILE", EINVAL);
    off_t size;
    int file = open_file(argv[1], &size);
    if (file < 0)
        return fail(argv[1], errno);
    /* A client that leaves is EPIPE, and not the end of the program. */
    signal(SIGPIPE, SIG_IGN);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t address_size = sizeof address;
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int unsent = UNSENT;
    if (setsockopt(listener, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &unsent, sizeof unsent) ||
        bind(listener, (struct sockaddr *)&address, address_size) || listen(listener, 1) ||
        getsockname(listener, (struct sockaddr *)&address, &address_size))
        return fail("listen", errno);
    if (printf("%d\n", ntohs(address.sin_port)) < 0 || fflush(stdout))
        return fail("standard output", errno);
    /* The first client may be somebody who types: it is waited for without a limit. */
    int client = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (client < 0)
        return fail("accept", errno);
    int error = request(client);
    if (!error)
        error = respond(client, file, size);
    return error ? fail("client", error) : 0;
}
