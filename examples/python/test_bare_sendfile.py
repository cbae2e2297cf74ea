"""The module beside os.sendfile, and what CPython's own tests leave out: python3 -m unittest"""

import errno
import gc
import os
import signal
import socket
import tempfile
import unittest

import bare_sendfile

DATA = bytes(range(256)) * 40


class Case(unittest.TestCase):
    def setUp(self):
        self.file = tempfile.TemporaryFile()
        self.file.write(DATA)
        self.file.flush()
        self.file.seek(0)
        self.ours, self.theirs = socket.socketpair()
        for one in (self.file, self.ours, self.theirs):
            self.addCleanup(one.close)
        self.out_fd, self.in_fd = self.ours.fileno(), self.file.fileno()

    def received(self):
        self.ours.close()
        return b"".join(iter(lambda: self.theirs.recv(65536), b""))

    def outcome(self, function, *args):
        """What comes of it: the result and the file's position, or the exception and its number."""
        try:
            return function(*args), self.file.tell()
        except Exception as error:
            return type(error), getattr(error, "errno", None)


@unittest.skipUnless(hasattr(os, "sendfile"), "nothing to compare with")
class FirstForm(Case):
    def test_each_argument_does_what_it_does_for_os(self):
        numbers = [-1, 0, 1, 5, len(DATA), 1 << 31, -1 << 31, 1 << 62, 1 << 63, -1 << 63, 1 << 64, None, 1.5, "1", b"1", True]
        compared = 0
        for name in range(4):
            for number in numbers:
                args = [self.out_fd, self.in_fd, 3, 5]
                args[name] = number
                # Not what it is a promise to refuse, and not a descriptor of the test's own.
                if name < 2 and number in (0, 1, 5):
                    continue
                self.file.seek(7)
                wanted = self.outcome(os.sendfile, *args)
                self.file.seek(7)
                self.assertEqual(self.outcome(bare_sendfile.sendfile, *args), wanted, args)
                compared += 1
        self.assertEqual(compared, 4 * len(numbers) - 8)

    def test_position(self):
        self.file.seek(100)
        self.assertEqual(bare_sendfile.sendfile(self.out_fd, self.in_fd, None, 50), 50)
        self.assertEqual(self.file.tell(), 150)
        self.assertEqual(self.received(), DATA[100:150])

    def test_nobody_receives(self):
        self.theirs.close()
        with self.assertRaises(BrokenPipeError):
            bare_sendfile.sendfile(self.out_fd, self.in_fd, 0, 1)


class SecondForm(Case):
    def send(self, *args, **kwargs):
        return bare_sendfile.sendfile(self.out_fd, self.in_fd, *args, **kwargs)

    def test_any_buffers(self):
        headers = [b"a\0b", bytearray(b"cd"), memoryview(b"xefx")[1:3], b"", memoryview(b"g-h-")[::2]]
        sent = self.send(10, 20, headers, trailers=(one for one in (b"t", b"u")))
        self.assertEqual(sent, 9 + 20 + 2)
        self.assertEqual(self.received(), b"a\0bcdefgh" + DATA[10:30] + b"tu")

    def test_0_is_to_the_end(self):
        self.assertEqual(self.send(10, 0, [b"h"], [b"t"]), len(DATA) - 10 + 2)
        self.assertEqual(self.received(), b"h" + DATA[10:] + b"t")

    def test_a_file_that_is_shorter_has_no_trailers(self):
        self.assertEqual(self.send(len(DATA) - 5, 6, [b"h"], [b"t"]), 6)
        self.assertEqual(self.send(len(DATA), 6, (), [b"t"]), 0)
        self.assertEqual(self.received(), b"h" + DATA[-5:])

    def test_many_and_large_buffers_live_long_enough(self):
        headers = [os.urandom(1000) for _ in range(1500)]
        self.theirs.setblocking(True)
        self.ours.setblocking(False)
        got, sent = b"", self.send(0, 10, (bytes(bytearray(one)) for one in headers))
        gc.collect()
        self.assertGreater(sent, 0)
        got = self.received()
        self.assertEqual(got, (b"".join(headers) + DATA[:10])[:sent])

    def test_a_full_socket_is_a_short_count_and_then_an_error(self):
        self.ours.setblocking(False)
        total = 0
        with self.assertRaises(BlockingIOError):
            while True:
                sent = self.send(0, 0, [b"h" * 100_000])
                self.assertGreater(sent, 0)
                total += sent
        self.assertEqual(len(self.received()), total)

    def test_flags(self):
        flags = bare_sendfile.SF_NOCACHE | bare_sendfile.SF_SYNC
        self.assertEqual(self.send(0, 10, flags=flags), 10)
        with self.assertRaises(OSError) as caught:
            self.send(0, 10, flags=0x80)
        self.assertEqual(caught.exception.errno, errno.EINVAL)
        self.assertEqual(self.received(), DATA[:10])

    def test_what_is_refused(self):
        for args, kind in [
            ((None, 1, [b"h"]), TypeError),
            ((0, 1, [5]), TypeError),
            ((0, 1, ["text"]), TypeError),
            ((0, 1, 5), TypeError),
            ((0, 1, [b"h"], [None]), TypeError),
            ((0, -1, [b"h"]), OSError),
            ((-1, 1, [b"h"]), OSError),
            ((0, 1 << 64, [b"h"]), OverflowError),
        ]:
            with self.assertRaises(kind, msg=args):
                self.send(*args)
        with self.assertRaises(OSError) as caught:
            bare_sendfile.sendfile(-1, self.in_fd, 0, 1, [b"h"])
        self.assertEqual(caught.exception.errno, errno.EBADF)
        self.assertEqual(self.received(), b"")

    def test_a_handler_that_raises_ends_it(self):
        def handler(*_):
            raise InterruptedError("by the handler")

        before = signal.signal(signal.SIGALRM, handler)
        self.addCleanup(signal.signal, signal.SIGALRM, before)
        # Nobody reads: it waits for room, until the timer goes off.
        signal.setitimer(signal.ITIMER_REAL, 0.3, 0.1)
        try:
            with self.assertRaisesRegex(InterruptedError, "by the handler"):
                while True:
                    self.send(0, 0, [b"h" * 100_000])
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)


if __name__ == "__main__":
    unittest.main()
