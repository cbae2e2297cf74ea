/* The C interface as a C program has it: every function, and what must be refused. Prints how many checks there were.
   test [tame]: without pointers to nowhere. */
#define _GNU_SOURCE
#include <bare_sendfile.h>

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

static int checks;
/* Pointers to nowhere are for the kernel to refuse: not in a run under valgrind, which reports them. */
static int wild_ones = 1;

/* Not assert(), which NDEBUG takes away. */
#define CHECK(condition)                                                          \
    do {                                                                          \
        checks++;                                                                 \
        if (!(condition)) {                                                       \
            fprintf(stderr, "test.c:%d: %s\n", __LINE__, #condition);             \
            exit(1);                                                              \
        }                                                                         \
    } while (0)

#define IS(call, expected)                                                        \
    do {                                                                          \
        long long found_ = (call);                                                \
        checks++;                                                                 \
        if (found_ != (long long)(expected)) {                                    \
            fprintf(stderr, "test.c:%d: %s is %lld\n", __LINE__, #call, found_);  \
            exit(1);                                                              \
        }                                                                         \
    } while (0)

#define NOWHERE ((void *)8)
#define SIZE 100000

static char content[SIZE], got[4 * SIZE];
/* Not what they look like to a compiler, which would warn of them. */
static const volatile int bad_fds[] = {-1, -2, 99999, 0x7fffffff, -0x7fffffff - 1};

static int new_file(size_t size)
{
    FILE *file = tmpfile();
    CHECK(file != NULL);
    int fd = dup(fileno(file));
    fclose(file);
    CHECK(write(fd, content, size) == (ssize_t)size);
    CHECK(lseek(fd, 0, SEEK_SET) == 0);
    return fd;
}

static void pair(int ends[2], int flags)
{
    IS(socketpair(AF_UNIX, SOCK_STREAM | flags, 0, ends), 0);
}

/* So that it is full soon. */
static void narrow(int end)
{
    IS(setsockopt(end, SOL_SOCKET, SO_SNDBUF, &(int){8192}, sizeof(int)), 0);
}

/* Reads `size` bytes to `got`. */
static void take(int fd, size_t size)
{
    for (size_t have = 0; have < size;) {
        ssize_t n = read(fd, got + have, size - have);
        CHECK(n > 0);
        have += n;
    }
}

/* Reads what is there to `got`, behind `taken` bytes. Returns how many are there now. */
static size_t available(int fd, size_t taken)
{
    for (ssize_t n; (n = read(fd, got + taken, sizeof got - taken)) > 0;)
        taken += n;
    return taken;
}

static int is_empty(int fd)
{
    char byte;
    return recv(fd, &byte, 1, MSG_DONTWAIT) == -1 && errno == EAGAIN;
}

static void first_form(void)
{
    int file = new_file(SIZE), ends[2];
    pair(ends, 0);
    IS(bare_sendfile_available(), 0);

    int64_t offset = 10;
    IS(bare_sendfile(ends[0], file, &offset, 20), 20);
    IS(offset, 30);
    IS(lseek(file, 0, SEEK_CUR), 0);
    IS(bare_sendfile(ends[0], file, NULL, 5), 5);
    IS(lseek(file, 0, SEEK_CUR), 5);
    take(ends[1], 25);
    CHECK(memcmp(got, content + 10, 20) == 0 && memcmp(got + 20, content, 5) == 0);
    offset = SIZE;
    IS(bare_sendfile(ends[0], file, &offset, 20), 0);
    IS(bare_sendfile(ends[0], file, &offset, 0), 0);

    for (size_t i = 0; i < sizeof bad_fds / sizeof *bad_fds; i++) {
        IS(bare_sendfile(bad_fds[i], file, NULL, 1), -EBADF);
        IS(bare_sendfile(ends[0], bad_fds[i], NULL, 1), -EBADF);
    }
    if (wild_ones) {
        IS(bare_sendfile(ends[0], file, NOWHERE, 1), -EFAULT);
        IS(bare_sendfile(ends[0], file, (int64_t *)-8, 1), -EFAULT);
    }
    offset = -1;
    IS(bare_sendfile(ends[0], file, &offset, 1), -EINVAL);
    CHECK(is_empty(ends[1]));

    errno = 0;
    IS(bare_errno(bare_sendfile(-1, file, NULL, 1)), -1);
    IS(errno, EBADF);
    errno = 0;
    IS(bare_errno(bare_sendfile(ends[0], file, NULL, 7)), 7);
    IS(errno, 0);
    close(file), close(ends[0]), close(ends[1]);
}

static void second_form(void)
{
    struct iovec headers[] = {{"HEAD", 4}, {NULL, 0}, {"er", 2}}, trailers[] = {{"trail", 5}};
    struct sf_hdtr hdtr = {headers, 3, trailers, 1};
    int file = new_file(1000), ends[2];
    int64_t sbytes = 77;
    pair(ends, 0);
    IS(sizeof hdtr, 4 * sizeof(void *));

    IS(bare_sendfile_hdtr(file, ends[0], 100, 50, &hdtr, &sbytes, 0), 0);
    IS(sbytes, 6 + 50 + 5);
    take(ends[1], 61);
    CHECK(memcmp(got, "HEADer", 6) == 0 && memcmp(got + 6, content + 100, 50) == 0 && memcmp(got + 56, "trail", 5) == 0);
    /* 0 is to the end. */
    IS(bare_sendfile_hdtr(file, ends[0], 900, 0, &hdtr, NULL, 0), 0);
    take(ends[1], 6 + 100 + 5);
    CHECK(memcmp(got + 6, content + 900, 100) == 0);
    IS(bare_sendfile_hdtr(file, ends[0], 0, 10, NULL, &sbytes, SF_FLAGS(2, SF_USER_READAHEAD | SF_NODISKIO)), 0);
    IS(sbytes, 10);
    take(ends[1], 10);
    /* A file that is shorter: no trailers. */
    IS(bare_sendfile_hdtr(file, ends[0], 990, 11, &hdtr, &sbytes, 0), -EIO);
    IS(sbytes, 6 + 10);
    take(ends[1], 16);

    /* Nothing is sent by any of these. */
    struct sf_hdtr negative = {headers, -1, NULL, 0}, none = {NULL, 5, NULL, -5};
    struct iovec wild[] = {{NOWHERE, 5}}, null[] = {{NULL, 5}}, huge[] = {{content, SIZE_MAX / 2 + 1}};
    struct sf_hdtr wilds[] = {{wild, 1, NULL, 0}, {null, 1, trailers, 1}};
    for (int i = 0; wild_ones && i < 2; i++) {
        sbytes = 77;
        IS(bare_sendfile_hdtr(file, ends[0], 0, 1, &wilds[i], &sbytes, 0), -EFAULT);
        IS(sbytes, 0);
    }
    IS(bare_sendfile_hdtr(file, ends[0], 0, 1, &(struct sf_hdtr){huge, 1, NULL, 0}, &sbytes, 0), -EINVAL);
    sbytes = 77;
    IS(bare_sendfile_hdtr(file, ends[0], 0, 1, &negative, &sbytes, 0), -EINVAL);
    IS(sbytes, 0);
    IS(bare_sendfile_hdtr(file, ends[0], -1, 1, &hdtr, &sbytes, 0), -EINVAL);
    IS(bare_sendfile_hdtr(file, ends[0], INT64_MIN, 1, &hdtr, &sbytes, 0), -EINVAL);
    IS(bare_sendfile_hdtr(file, ends[0], 0, 1, &hdtr, &sbytes, 0x100), -EINVAL);
    IS(bare_sendfile_hdtr(file, ends[0], 0, 1, &hdtr, &sbytes, -1), -EINVAL);
    for (size_t i = 0; i < sizeof bad_fds / sizeof *bad_fds; i++) {
        IS(bare_sendfile_hdtr(bad_fds[i], ends[0], 0, 1, NULL, &sbytes, 0), -EBADF);
        IS(bare_sendfile_hdtr(file, bad_fds[i], 0, 1, &hdtr, &sbytes, 0), -EBADF);
    }
    IS(sbytes, 0);
    CHECK(is_empty(ends[1]));
    IS(bare_sendfile_hdtr(file, ends[0], 0, 1, &none, &sbytes, 0), 0);
    IS(sbytes, 1);
    /* A trailer that is not there: what went before it is counted. */
    if (wild_ones) {
        IS(bare_sendfile_hdtr(file, ends[0], 0, 3, &(struct sf_hdtr){NULL, 0, wild, 1}, &sbytes, 0), -EFAULT);
        IS(sbytes, 3);
    }
    close(file), close(ends[0]), close(ends[1]);

    /* Nonblocking: -EAGAIN, and bytes; the rest from there. */
    file = new_file(SIZE);
    pair(ends, SOCK_NONBLOCK);
    size_t all = 0;
    int result;
    do {
        result = bare_sendfile_hdtr(file, ends[0], all, SIZE - all, NULL, &sbytes, 0);
        CHECK(result == 0 || result == -EAGAIN);
        memset(got, 0, sizeof got);
        take(ends[1], sbytes);
        CHECK(memcmp(got, content + all, sbytes) == 0);
        all += sbytes;
    } while (result);
    IS(all, SIZE);
    close(file), close(ends[0]), close(ends[1]);
}

static void transfers(void)
{
    struct iovec headers[] = {{"header", 6}}, trailers[] = {{"tr", 2}}, other[] = {{"headerx", 7}};
    struct sf_hdtr hdtr = {headers, 1, trailers, 1}, changed = {other, 1, trailers, 1};
    int file = new_file(SIZE), ends[2];
    struct bare_transfer transfer, copy;
    char buffer[4096];
    IS(sizeof transfer, BARE_TRANSFER_SIZE);

    /* With a budget, a struct that moves, and a reader that takes it when there is no more room. */
    pair(ends, SOCK_NONBLOCK);
    narrow(ends[0]);
    IS(bare_transfer_init(&transfer, 5, SIZE - 5, &hdtr), 0);
    IS(bare_transfer_set_budget(&transfer, 1000), 0);
    int yielded = 0, full = 0, status;
    size_t taken = 0, before = 0;
    while ((status = bare_transfer_poll_send(&transfer, ends[0], file, &hdtr, NULL, 0)) != BARE_DONE) {
        CHECK(status == BARE_YIELDED || status == BARE_OUT_FULL);
        struct bare_progress progress = bare_transfer_progress(&transfer);
        size_t sent = progress.headers + progress.file + progress.trailers;
        CHECK(sent - before <= 1000);
        before = sent;
        if (status == BARE_YIELDED) {
            yielded++;
        } else {
            full++;
            IS(bare_transfer_flush(&transfer, ends[0]), 0);
            taken = available(ends[1], taken);
        }
        memcpy(&copy, &transfer, sizeof transfer);
        memset(&transfer, 0xff, sizeof transfer);
        memcpy(&transfer, &copy, sizeof transfer);
    }
    taken = available(ends[1], taken);
    CHECK(yielded > 0 && full > 0 && yielded + full >= SIZE / 1000 - 1);
    IS(taken, 6 + SIZE - 5 + 2);
    CHECK(memcmp(got, "header", 6) == 0 && memcmp(got + 6, content + 5, SIZE - 5) == 0);
    CHECK(memcmp(got + 6 + SIZE - 5, "tr", 2) == 0);
    struct bare_progress progress = bare_transfer_progress(&transfer);
    CHECK(progress.headers == 6 && progress.file == SIZE - 5 && progress.trailers == 2);
    close(ends[0]), close(ends[1]);

    /* A count of 0 sends nothing of the file; a small body goes with its header; a snapshot needs a buffer. */
    pair(ends, 0);
    IS(bare_transfer_init(&transfer, 0, 0, &hdtr), 0);
    IS(bare_transfer_send_all(&transfer, ends[0], file, &hdtr, NULL, 0), 0);
    take(ends[1], 8);
    CHECK(memcmp(got, "headertr", 8) == 0);
    /* The library itself copies these, and finds the null pointer before a byte is sent. */
    struct iovec null[] = {{NULL, 5}, {"abc", 3}};
    struct sf_hdtr nulls[] = {{null, 2, NULL, 0}, {null + 1, 1, null, 2}};
    for (int i = 0; i < 2; i++) {
        IS(bare_transfer_init(&transfer, 0, 10, &nulls[i]), 0);
        IS(bare_transfer_send_all(&transfer, ends[0], file, &nulls[i], buffer, sizeof buffer), -EFAULT);
        CHECK(is_empty(ends[1]));
    }
    IS(bare_transfer_init(&transfer, 0, 100, &hdtr), 0);
    IS(bare_transfer_send_all(&transfer, ends[0], file, &hdtr, buffer, sizeof buffer), 0);
    take(ends[1], 108);
    CHECK(memcmp(got + 6, content, 100) == 0);
    IS(bare_transfer_init(&transfer, 0, 100, NULL), 0);
    IS(bare_transfer_set_small(&transfer, 0), 0);
    IS(bare_transfer_set_copying(&transfer), 0);
    IS(bare_transfer_send_all(&transfer, ends[0], file, NULL, NULL, 0), -EINVAL);
    IS(bare_transfer_send_all(&transfer, ends[0], file, NULL, buffer, 10), 0);
    take(ends[1], 100);
    CHECK(memcmp(got, content, 100) == 0);

    /* From the position; of a file that sendfile refuses; of one that is short, which can go on when it has grown. */
    IS(lseek(file, 50, SEEK_SET), 50);
    IS(bare_transfer_from_position(&transfer, 10, NULL), 0);
    IS(bare_transfer_send_all(&transfer, ends[0], file, NULL, NULL, 0), 0);
    IS(lseek(file, 0, SEEK_CUR), 60);
    take(ends[1], 10);
    CHECK(memcmp(got, content + 50, 10) == 0);
    int limits = open("/proc/self/limits", O_RDONLY);
    IS(bare_transfer_init(&transfer, 0, BARE_TO_END, NULL), 0);
    IS(bare_transfer_send_all(&transfer, ends[0], limits, NULL, NULL, 0), -EINVAL);
    IS(bare_transfer_send_all(&transfer, ends[0], limits, NULL, buffer, sizeof buffer), 0);
    CHECK(bare_transfer_progress(&transfer).file > 100);
    take(ends[1], bare_transfer_progress(&transfer).file);
    CHECK(memcmp(got, "Limit", 5) == 0);
    IS(bare_transfer_init(&transfer, SIZE - 10, 12, &hdtr), 0);
    IS(bare_transfer_send_all(&transfer, ends[0], file, &hdtr, NULL, 0), -EIO);
    IS(bare_transfer_progress(&transfer).file, 10);
    IS(lseek(file, 0, SEEK_END), SIZE);
    IS(write(file, "+-", 2), 2);
    IS(bare_transfer_send_all(&transfer, ends[0], file, &hdtr, NULL, 0), 0);
    take(ends[1], 6 + 12 + 2);
    CHECK(memcmp(got + 16, "+-tr", 4) == 0);

    /* What must be refused. */
    IS(bare_transfer_init(NULL, 0, 1, NULL), -EFAULT);
    IS(bare_transfer_from_position(NULL, 1, NULL), -EFAULT);
    IS(bare_transfer_init((struct bare_transfer *)((char *)&transfer + 1), 0, 1, NULL), -EFAULT);
    IS(bare_transfer_init(&transfer, -1, 1, NULL), -EINVAL);
    IS(bare_transfer_init(&transfer, 0, 1, &hdtr), 0);
    IS(bare_transfer_send_all(&transfer, ends[0], file, &changed, NULL, 0), -EINVAL);
    IS(bare_transfer_send_all(&transfer, ends[0], file, &hdtr, NULL, 1), -EFAULT);
    IS(bare_transfer_send_all(&transfer, ends[0], file, &hdtr, buffer, SIZE_MAX), -EFAULT);
    IS(bare_transfer_send_all(&transfer, -1, file, &hdtr, NULL, 0), -EBADF);
    IS(bare_transfer_poll_send(&transfer, ends[0], -1, &hdtr, NULL, 0), -EBADF);
    IS(bare_transfer_poll_send(&transfer, ends[0], -2, &hdtr, NULL, 0), -EBADF);
    IS(bare_transfer_poll_send(&transfer, 99999, file, &hdtr, NULL, 0), -EBADF);
    IS(bare_transfer_progress(&transfer).headers, 0);
    CHECK(is_empty(ends[1]));
    struct iovec wild[] = {{NOWHERE, 6}};
    if (wild_ones)
        IS(bare_transfer_send_all(&transfer, ends[0], file, &(struct sf_hdtr){wild, 1, trailers, 1}, NULL, 0), -EFAULT);
    IS(bare_transfer_send_all(&transfer, ends[0], file, &hdtr, NULL, 0), 0);
    take(ends[1], 9);
    IS(bare_transfer_flush(&transfer, -1), -EBADF);
    memset(&transfer, 0, sizeof transfer);
    IS(bare_transfer_send_all(&transfer, ends[0], file, NULL, NULL, 0), -EINVAL);
    IS(bare_transfer_poll_send(&transfer, ends[0], file, NULL, NULL, 0), -EINVAL);
    IS(bare_transfer_poll_send(NULL, ends[0], file, NULL, NULL, 0), -EFAULT);
    IS(bare_transfer_set_budget(&transfer, 1), -EINVAL);
    IS(bare_transfer_set_small(NULL, 1), -EFAULT);
    IS(bare_transfer_set_copying(&transfer), -EINVAL);
    IS(bare_transfer_flush(&transfer, ends[0]), -EINVAL);
    IS(bare_transfer_progress(&transfer).file + bare_transfer_progress(NULL).file, 0);
    CHECK(is_empty(ends[1]));
    close(limits), close(file), close(ends[0]), close(ends[1]);
}

static void stream_copies(void)
{
    struct bare_stream_copy copy;
    char buffer[512];
    int from[2], to[2];
    size_t size = 77;
    IS(sizeof copy, BARE_STREAM_COPY_SIZE);

    /* From a pipe by splice, without a buffer. */
    IS(pipe(from), 0);
    pair(to, 0);
    IS(write(from[1], content, 5000), 5000);
    close(from[1]);
    IS(bare_stream_copy_init(&copy, BARE_TO_END, NULL, 0), 0);
    IS(bare_stream_copy_send_all(&copy, to[0], from[0]), 0);
    IS(bare_stream_copy_sent(&copy), 5000);
    take(to[1], 5000);
    CHECK(memcmp(got, content, 5000) == 0);
    close(from[0]), close(to[0]), close(to[1]);

    /* From socket to socket through the buffer, with a budget; the rest is in the buffer when the output is full. */
    pair(from, SOCK_NONBLOCK);
    pair(to, SOCK_NONBLOCK);
    narrow(to[0]);
    IS(bare_stream_copy_init(&copy, SIZE, NULL, 0), 0);
    IS(bare_stream_copy_poll_send(&copy, to[0], from[0]), -EINVAL);
    IS(bare_stream_copy_init(&copy, SIZE, buffer, sizeof buffer), 0);
    IS(bare_stream_copy_set_budget(&copy, 8192), 0);
    size_t given = 0, taken = 0;
    int status, yielded = 0, full = 0, empty = 0;
    while ((status = bare_stream_copy_poll_send(&copy, to[0], from[0])) != BARE_DONE) {
        CHECK(status > 0);
        if (status == BARE_YIELDED)
            yielded++;
        if (status == BARE_IN_EMPTY) {
            empty++;
            ssize_t n = write(from[1], content + given, SIZE - given);
            CHECK(n > 0);
            given += n;
        }
        if (status == BARE_OUT_FULL) {
            full++;
            CHECK(bare_stream_copy_remainder(&copy, &size) == buffer && size > 0 && size <= sizeof buffer);
            taken = available(to[1], taken);
        }
    }
    taken = available(to[1], taken);
    CHECK(yielded > 0 && empty > 0 && full > 0);
    CHECK(taken == SIZE && memcmp(got, content, SIZE) == 0);
    bare_stream_copy_remainder(&copy, &size);
    IS(size, 0);
    IS(bare_stream_copy_sent(&copy), SIZE);

    /* An input that ends too early. */
    IS(bare_stream_copy_init(&copy, 10, buffer, sizeof buffer), 0);
    IS(write(from[1], "abc", 3), 3);
    close(from[1]);
    IS(bare_stream_copy_send_all(&copy, to[0], from[0]), -EIO);
    IS(bare_stream_copy_sent(&copy), 3);

    IS(bare_stream_copy_init(NULL, 1, NULL, 0), -EFAULT);
    IS(bare_stream_copy_init(&copy, 1, NULL, 1), -EFAULT);
    IS(bare_stream_copy_send_all(&copy, -1, from[0]), -EBADF);
    IS(bare_stream_copy_poll_send(&copy, to[0], 99999), -EBADF);
    memset(&copy, 0, sizeof copy);
    IS(bare_stream_copy_send_all(&copy, to[0], from[0]), -EINVAL);
    IS(bare_stream_copy_poll_send(NULL, to[0], from[0]), -EFAULT);
    IS(bare_stream_copy_set_budget(&copy, 1), -EINVAL);
    IS(bare_stream_copy_sent(&copy) + bare_stream_copy_sent(NULL), 0);
    size = 77;
    bare_stream_copy_remainder(&copy, &size);
    IS(size, 0);
    close(from[0]), close(to[0]), close(to[1]);
}

/* How a child ends that sends to a peer that is gone, with and without the guard. */
static int end_of_child(int guarded)
{
    fflush(NULL);
    pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        struct bare_sigpipe_guard guard;
        int file = new_file(10), ends[2];
        pair(ends, 0);
        close(ends[1]);
        if (guarded)
            IS(bare_sigpipe_guard_hold(&guard), 0);
        IS(bare_sendfile(ends[0], file, NULL, 1), -EPIPE);
        if (guarded) {
            IS(bare_sigpipe_guard_release(&guard), 0);
            IS(bare_sigpipe_guard_release(&guard), -EINVAL);
            /* And the next one is not kept off. */
            raise(SIGPIPE);
        }
        _exit(3);
    }
    int status;
    CHECK(waitpid(child, &status, 0) == child);
    return status;
}

static void guards(void)
{
    sigset_t before, after;
    struct bare_sigpipe_guard guard, inner;
    signal(SIGPIPE, SIG_DFL);
    for (int guarded = 0; guarded < 2; guarded++) {
        int status = end_of_child(guarded);
        CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGPIPE);
    }

    sigprocmask(SIG_SETMASK, NULL, &before);
    IS(bare_sigpipe_guard_hold(&guard), 0);
    sigprocmask(SIG_SETMASK, NULL, &after);
    CHECK(sigismember(&after, SIGPIPE) && !sigismember(&before, SIGPIPE));
    IS(bare_sigpipe_guard_hold(&inner), 0);
    IS(bare_sigpipe_guard_hold(NULL), -EFAULT);
    IS(bare_sigpipe_guard_release(&inner), 0);
    IS(bare_sigpipe_guard_release(NULL), -EFAULT);
    sigprocmask(SIG_SETMASK, NULL, &after);
    CHECK(sigismember(&after, SIGPIPE));
    IS(bare_sigpipe_guard_release(&guard), 0);
    sigprocmask(SIG_SETMASK, NULL, &after);
    CHECK(!sigismember(&after, SIGPIPE));
    memset(&guard, 0, sizeof guard);
    IS(bare_sigpipe_guard_release(&guard), -EINVAL);
}

int main(int argc, char **argv)
{
    wild_ones = argc < 2 || strcmp(argv[1], "tame") != 0;
    for (size_t i = 0; i < SIZE; i++)
        content[i] = i * 31 ^ i >> 8;
    first_form();
    second_form();
    transfers();
    stream_copies();
    guards();
    printf("%d checks\n", checks);
    return 0;
}
