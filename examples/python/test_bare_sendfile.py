"""The module beside os.sendfile, and what CPython's own tests leave out: python3 -m unittest"""

import ctypes
import errno
import gc
import importlib.util
import os
import signal
import socket
import subprocess
import sys
import tempfile
import unittest
from unittest import mock

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
                # Before Python 3.10, os took the whole part of a float.
                if args[2] == 1.5 and sys.version_info < (3, 10):
                    wanted = TypeError, None
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

    def test_a_count_that_size_t_does_not_hold(self):
        # The module as a Python of 32 bits has it, whose size_t would make 0 of it.
        narrow = importlib.util.module_from_spec(bare_sendfile.__spec__)
        with mock.patch.object(ctypes, "c_size_t", ctypes.c_uint32):
            narrow.__spec__.loader.exec_module(narrow)
        for form in (), ([b"h"],):
            for count in (1 << 31, 1 << 32):
                with self.assertRaises(OverflowError):
                    narrow.sendfile(self.out_fd, self.in_fd, 0, count, *form)
        self.assertEqual(self.received(), b"")


class SecondForm(Case):
    def send(self, *args, **kwargs):
        return bare_sendfile.sendfile(self.out_fd, self.in_fd, *args, **kwargs)

    def test_any_buffers(self):
        headers = [b"a\0b", bytearray(b"cd"), memoryview(b"xefx")[1:3], b"", memoryview(b"g-h-")[::2]]
        sent = self.send(10, 20, headers, trailers=(b"t", b"u"))
        self.assertEqual(sent, 9 + 20 + 2)
        self.assertEqual(self.received(), b"a\0bcdefgh" + DATA[10:30] + b"tu")

    def test_0_is_to_the_end(self):
        self.assertEqual(self.send(10, 0, [b"h"], [b"t"]), len(DATA) - 10 + 2)
        self.assertEqual(self.received(), b"h" + DATA[10:] + b"t")

    def test_what_is_given_chooses_it(self):
        for given in ({"headers": []}, {"headers": ()}, {"trailers": []}, {"flags": 0}):
            self.assertEqual(self.send(len(DATA) - 3, 0, **given), 3, given)
        self.assertEqual(self.send(len(DATA) - 3, 0), 0)
        self.assertEqual(self.received(), DATA[-3:] * 4)

    def test_what_is_no_sequence(self):
        for name in ("headers", "trailers"):
            for value in (None, 0, 5, iter(()), (one for one in [b"h"]), {}, {b"h"}):
                with self.assertRaisesRegex(TypeError, rf"sendfile\(\) {name} must be a sequence"):
                    self.send(0, 0, **{name: value})
        self.assertEqual(self.received(), b"")

    def test_a_file_that_is_shorter_has_no_trailers(self):
        self.assertEqual(self.send(len(DATA) - 5, 6, [b"h"], [b"t"]), 6)
        self.assertEqual(self.send(len(DATA), 6, (), [b"t"]), 0)
        self.assertEqual(self.received(), b"h" + DATA[-5:])

    def test_an_output_that_fails_is_no_shorter_file(self):
        # A terminal whose other side is gone: EIO.
        master, slave = os.openpty()
        self.addCleanup(os.close, slave)
        os.close(master)
        for count in (0, 6):
            with self.assertRaises(OSError) as caught:
                bare_sendfile.sendfile(slave, self.in_fd, len(DATA), count, [b"head"])
            self.assertEqual(caught.exception.errno, errno.EIO)

    def test_which_eio_is_a_shorter_file(self):
        end = len(DATA)
        # The offset, the count, what was sent until EIO, and whether the file is shorter.
        for offset, count, sent, shorter in [
            (end - 100, 100, 3, False),  # in the headers
            (end, 100, 3, False),
            (end, 100, 4, True),
            (end - 100, 200, 50, False),  # in the file, where there is more
            (end - 100, 200, 104, True),
            (end - 100, 100, 104, False),  # in the trailers
            (end - 100, 0, 104, False),
        ]:

            def fails(in_fd, out_fd, offset, count, hdtr, sbytes, flags, sent=sent):
                sbytes.value = sent
                return -errno.EIO

            with self.subTest(offset=offset, count=count, sent=sent), mock.patch.object(bare_sendfile, "_second", fails):
                outcome = self.outcome(self.send, offset, count, [b"he", b"ad"], [b"t"])
                self.assertEqual(outcome, (sent, 0) if shorter else (OSError, errno.EIO))

    def test_many_and_large_buffers_live_long_enough(self):
        headers = [os.urandom(1000) for _ in range(1500)]
        self.theirs.setblocking(True)
        self.ours.setblocking(False)
        # Of what is not bytes the library gets copies, which only the module knows.
        sent = self.send(0, 10, [bytearray(one) for one in headers])
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


class Page(unittest.TestCase):
    def test_its_lines_can_be_pasted(self):
        folder = os.path.dirname(os.path.abspath(__file__))
        with open(os.path.join(folder, "README.md"), encoding="utf-8") as page:
            lines = page.read().split("```python\n")[1].split("```")[0]
        environment = {**os.environ, "PYTHONPATH": folder, "PYTHONSTARTUP": ""}
        pasted = subprocess.run([sys.executable, "-i", "-q"], input=f"{lines}print('the end')\n", cwd=os.path.join(folder, "..", ".."),
                                env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, universal_newlines=True, timeout=60)
        # The prompts are there as well, and whatever is wrong: an interactive Python goes on.
        self.assertNotIn("Error", pasted.stderr)
        self.assertEqual(pasted.stdout, "the end\n")


if __name__ == "__main__":
    unittest.main()
