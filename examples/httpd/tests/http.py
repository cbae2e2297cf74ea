#!/usr/bin/env python3
"""The server from outside: HTTPD is the command that starts it, which may be an emulator's.

Every client gives up after ten seconds, and every server is ended by its test.
"""

import contextlib
import ctypes
import hashlib
import os
import re
import resource
import shlex
import shutil
import signal
import socket
import struct
import subprocess
import tempfile
import threading
import time
import unittest
from pathlib import Path

HTTPD = shlex.split(os.environ["HTTPD"])
EMULATED = len(HTTPD) > 1
PATIENCE = 10
BIG = 3_000_001
# More than the kernel buffers: up to 4 MiB to send and 6 MiB to receive.
HUGE = 50_000_000
LIBC = ctypes.CDLL(None)
PR_CAPBSET_DROP = 24
CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH = 1, 2
IN_OPEN = 0x20
YESTERDAY = int(time.time()) - 86400
# Seconds after which what is said of a file is a validator.
SETTLED = 3.1


def pattern(length):
    """Bytes of which any misplaced run shows."""
    return b"".join(hashlib.sha256(struct.pack("<Q", i)).digest() for i in range(length // 32 + 1))[:length]


class Server:
    def __init__(self, root, *arguments, files=None, closed=(), drop=(), inherited=(), program=HTTPD):
        def limit():
            if files:
                resource.setrlimit(resource.RLIMIT_NOFILE, (files, files))
            for capability in drop:
                LIBC.prctl(PR_CAPBSET_DROP, capability, 0, 0, 0)  # which only root has to do, and only root may do
            for descriptor in closed:
                os.close(descriptor)

        command = [*program, "--root", root, "--port", "0", *arguments]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, preexec_fn=limit, pass_fds=inherited)
        line = self.process.stdout.readline().decode()
        host, port = re.fullmatch(r"listening on (.*):(\d+)\n", line).groups()
        self.address = (host.strip("[]"), int(port))

    def descriptors(self):
        """What is open, by its number."""
        opened = {}
        for path in Path(f"/proc/{self.process.pid}/fd").iterdir():
            with contextlib.suppress(FileNotFoundError):
                opened[int(path.name)] = os.readlink(path)
        return opened

    def connect(self):
        return socket.create_connection(self.address, PATIENCE)

    def end(self):
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(PATIENCE)

    def kill(self):
        if self.process.returncode is None:
            self.process.kill()
            self.process.wait()
        self.process.stdout.close()


class Response:
    def __init__(self, stream, method="GET"):
        line = stream.readline().decode()
        if not line:
            raise EOFError
        self.status = int(re.fullmatch(r"HTTP/1\.1 (\d{3}) [A-Za-z ]+\r\n", line)[1])
        self.fields = {}
        while (line := stream.readline().decode()) != "\r\n":
            name, value = re.fullmatch(r"([A-Za-z-]+): (.*)\r\n", line).groups()
            assert name.lower() not in self.fields, f"{name} twice"
            self.fields[name.lower()] = value
        length = 0 if method == "HEAD" or self.status == 304 else int(self.fields["content-length"])
        self.body = stream.read(length)
        assert len(self.body) == length, f"{len(self.body)} of {length} bytes"


class Client:
    def __init__(self, server):
        self.socket = server.connect()
        self.stream = self.socket.makefile("rb")

    def close(self):
        self.stream.close()
        self.socket.close()

    def get(self, target, *fields, method="GET"):
        lines = [f"{method} {target} HTTP/1.1", "Host: test", *fields, "", ""]
        self.socket.sendall("\r\n".join(lines).encode())
        return Response(self.stream, method)

    def raw(self, data):
        """The answers until the server closes."""
        self.socket.sendall(data)
        answers = []
        with contextlib.suppress(EOFError):
            while True:
                answers.append(Response(self.stream))
        return answers


class Base(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(cls.folder.cleanup)
        outside = Path(cls.folder.name)
        (outside / "secret").write_bytes(b"secret")
        cls.root = root = outside / "root"
        (root / "sub" / "deep").mkdir(parents=True)
        cls.files = {
            "/empty": b"",
            "/a.txt": b"hello\n",
            "/index.html": b"<p>root\n",
            "/sub/index.html": b"<p>sub\n",
            "/sub/deep/x.png": pattern(1000),
            "/small": pattern(16384),
            "/medium": pattern(200_000),
            "/big": pattern(BIG),
        }
        for name, data in cls.files.items():
            (root / name[1:]).write_bytes(data)
        (root / "huge").touch()
        os.truncate(root / "huge", HUGE)
        (root / "a b").mkdir()
        (root / "a:b").mkdir()
        (root / "out").symlink_to("../secret")
        (root / "absolute").symlink_to(outside / "secret")
        (root / "up").symlink_to("..")
        (root / "proc").symlink_to("/proc/self/cwd")
        (root / "loop").symlink_to("loop")
        (root / "within").symlink_to("sub/deep")
        (root / "whole path").symlink_to(root / "sub" / "deep")
        (root / "whole path out").symlink_to(outside)
        (root / "whole path beside").symlink_to(f"{root} beside")
        Path(f"{root} beside").mkdir()
        (Path(f"{root} beside") / "secret").write_bytes(b"secret")
        os.mkfifo(root / "pipe")

    def start(self, *arguments, **limits):
        server = Server(self.root, *arguments, **limits)
        self.addCleanup(server.kill)
        return server

    def client(self, server):
        client = Client(server)
        self.addCleanup(client.close)
        return client


class Http(Base):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.twins = {}
        for modified in (0, 1, YESTERDAY):
            for way in ("renamed", "rewritten"):
                path = cls.twins[modified, way] = cls.root / f"twin {modified} {way}"
                path.write_bytes(b"first\n")
                os.utime(path, (modified, modified))
        time.sleep(SETTLED)

    def setUp(self):
        self.server = self.start()

    def test_files(self):
        client = self.client(self.server)
        for name, data in self.files.items():
            response = client.get(name)
            self.assertEqual((response.status, response.body), (200, data), name)
            head = client.get(name, method="HEAD")
            del head.fields["date"], response.fields["date"]
            self.assertEqual((head.status, head.fields), (200, response.fields), name)
        self.assertEqual(client.get("/a.txt").fields["content-type"], "text/plain; charset=utf-8")
        self.assertEqual(client.get("/sub/deep/x.png?query").fields["content-type"], "image/png")
        self.assertEqual(client.get("/empty").fields["content-type"], "application/octet-stream")
        self.assertEqual(self.server.end(), 0)

    def test_folders(self):
        client = self.client(self.server)
        self.assertEqual(client.get("/").body, b"<p>root\n")
        self.assertEqual(client.get("/sub/").body, b"<p>sub\n")
        for target, location in [("/sub", "sub/"), ("/a%20b", "a%20b/"), ("/a:b", "a%3Ab/"), ("//sub", "sub/"),
                                 ("/sub?a=1&b=/../%20?c", "sub/?a=1&b=/../%20?c"), ("/sub?", "sub/?"), ("/sub#a?b", "sub/"),
                                 ("http://test/sub?a", "sub/?a"), ("/sub?" + "q" * 8100, "sub/?" + "q" * 8100)]:
            response = client.get(target)
            self.assertEqual((response.status, response.fields["location"]), (301, location))
        for target in ["/sub/deep/", "/sub%2Fdeep", "/sub%2findex.html", "/a.txt/", "/none", "/none/", "/" + "x" * 300]:
            self.assertEqual(client.get(target).status, 404, target)

    def test_nothing_outside_of_the_root(self):
        client = self.client(self.server)
        for target in ["/out", "/absolute", "/up/secret", "/proc/secret", "/proc/root/secret", "/loop", "/pipe", "/up/",
                       "/whole%20path%20out/secret", "/whole%20path%20out", "/whole%20path%20beside/secret"]:
            self.assertEqual(client.get(target).status, 404, target)
        self.assertEqual(client.get("/..%2fsecret").status, 404)
        for target in ["/../secret", "/%2e%2e/secret", "/sub/../../secret", "/a%00", "/%", "/%g0"]:
            self.assertEqual(client.get(target).status, 400, target)
        self.assertEqual(client.get("/sub/../a.txt").body, b"hello\n")
        self.assertEqual(client.get("http://elsewhere/a.txt").body, b"hello\n")
        self.assertEqual(client.get("/" + "x/" * 600).status, 414)

    def test_links_within_the_root(self):
        client = self.client(self.server)
        for target in ["/within/x.png", "/whole%20path/x.png"]:
            response = client.get(target)
            # qemu-user 7.2 has no openat2(2), without which no link is followed.
            expected = (404, b"Not Found\n") if EMULATED else (200, pattern(1000))
            self.assertEqual((response.status, response.body), expected, target)

    def test_a_pipe_is_not_opened(self):
        def events():
            with contextlib.suppress(BlockingIOError):
                return os.read(watch, 4096)

        watch = LIBC.inotify_init1(os.O_NONBLOCK)
        self.addCleanup(os.close, watch)
        self.assertGreater(LIBC.inotify_add_watch(watch, os.fsencode(self.root / "pipe"), IN_OPEN), 0)
        client = self.client(self.server)
        for _ in range(3):
            self.assertEqual(client.get("/pipe").status, 404)
        self.assertIsNone(events())
        os.close(os.open(self.root / "pipe", os.O_RDONLY | os.O_NONBLOCK))
        self.assertIsNotNone(events())

    def test_ranges(self):
        client = self.client(self.server)
        data = self.files["/big"]
        for field, start, end in [
            ("0-0", 0, 1),
            ("0-", 0, BIG),
            ("100-299", 100, 300),
            ("2999990-9999999", 2_999_990, BIG),
            ("-7", BIG - 7, BIG),
            ("-9999999", 0, BIG),
        ]:
            response = client.get("/big", f"Range: bytes={field}")
            self.assertEqual((response.status, response.body), (206, data[start:end]), field)
            self.assertEqual(response.fields["content-range"], f"bytes {start}-{end - 1}/{BIG}")
        for field in [f"{BIG}-", "-0"]:
            response = client.get("/big", f"Range: bytes={field}")
            self.assertEqual((response.status, response.body), (416, b""))
            self.assertEqual(response.fields["content-range"], f"bytes */{BIG}")
        response = client.get("/empty", "Range: bytes=-1")
        self.assertEqual((response.status, response.body), (200, b""))
        response = client.get("/a.txt", "Range: bytes=0-1,3-4")
        self.assertEqual((response.status, response.body), (200, b"hello\n"))

    def test_conditions(self):
        client = self.client(self.server)
        fields = client.get("/a.txt").fields
        tag, date = fields["etag"], fields["last-modified"]
        for field in [f"If-None-Match: {tag}", f'If-None-Match: "x", W/{tag}', f"If-Modified-Since: {date}"]:
            response = client.get("/a.txt", field)
            self.assertEqual((response.status, response.fields["etag"]), (304, tag), field)
        for field in ['If-None-Match: "x"', "If-Modified-Since: Sun, 06 Nov 1994 08:49:37 GMT"]:
            self.assertEqual(client.get("/a.txt", field).body, b"hello\n", field)
        same = f"If-None-Match: {tag}"
        for fields in ([same, 'If-None-Match: "x"'], [f'If-Match: "x", {tag}', same]):
            self.assertEqual(client.get("/a.txt", *fields).status, 304, fields)
        for field in ['If-Match: "x"', f"If-Match: W/{tag}", "If-Unmodified-Since: Sunday, 06-Nov-94 08:49:37 GMT"]:
            for method in ("GET", "HEAD"):
                response = client.get("/a.txt", field, "Range: bytes=1-2", method=method)
                self.assertEqual((response.status, response.body), (412, b""), field)
        for field in ["If-Match: *", f"If-Match: {tag}", f"If-Unmodified-Since: {date}"]:
            self.assertEqual(client.get("/a.txt", field).body, b"hello\n", field)
        self.assertEqual(client.get("/none", "If-Match: *").status, 404)
        self.assertEqual(client.get("/a.txt", "Range: bytes=1-2", f"If-Range: {tag}").status, 206)
        self.assertEqual(client.get("/a.txt", "Range: bytes=1-2", 'If-Range: "x"').status, 200)

    def test_lists_of_tags(self):
        client = self.client(self.server)
        tag = client.get("/a.txt").fields["etag"]
        for field, status in [
            (f'If-None-Match: "a,b", {tag}', 304),
            (f'If-None-Match: "a, {tag}, b"', 200),
            (f'If-None-Match: "x{tag}', 200),
            ('If-None-Match: "x", *', 200),
            ("If-None-Match: *", 304),
            ('If-Match: *, "x"', 412),
            (f'If-Match: ",", , {tag}', 200),
            (f"If-Match: ,{tag[:-1]},", 412),
        ]:
            self.assertEqual(client.get("/a.txt", field).status, status, field)

    def test_conditions_take_no_longer_than_other_fields(self):
        def cost(line):
            """The time on a CPU, in nanoseconds."""
            start = used()
            for _ in range(400):
                self.assertEqual(client.get("/empty", line).status, 200)
            return used() - start

        client = self.client(self.server)
        used = lambda: int(Path(f"/proc/{self.server.process.pid}/schedstat").read_text().split()[0])
        for value in ["," * 8000, ("\r\nIf-None-Match: ,") * 400]:
            line = f"If-None-Match: {value}"
            cost(line)
            self.assertLess(cost(line), 3 * cost(line.replace("If-None-Match", "If-None-Catch")), value[:20])

    def test_another_file_of_the_same_length_and_time(self):
        client = self.client(self.server)
        for (modified, way), path in self.twins.items():
            target = "/" + path.name.replace(" ", "%20")
            old = client.get(target)
            tag, date = old.fields["etag"], old.fields["last-modified"]
            self.assertEqual(client.get(target, f"If-None-Match: {tag}").status, 304)
            self.assertEqual(client.get(target, f"If-Modified-Since: {date}").status, 304)
            new = self.root / "new" if way == "renamed" else path
            new.write_bytes(b"other\n")
            os.utime(new, (modified, modified))
            new.rename(path)
            for fields in [
                [f"If-None-Match: {tag}"],
                [f"If-Modified-Since: {date}"],
                ["Range: bytes=1-2", f"If-Range: {tag}"],
                ["Range: bytes=1-2", f"If-Range: {date}"],
            ]:
                response = client.get(target, *fields)
                self.assertEqual((response.status, response.body), (200, b"other\n"), (modified, way, fields))
            for field in [f"If-Match: {tag}", f"If-Unmodified-Since: {date}"]:
                self.assertEqual(client.get(target, field, "Range: bytes=1-2").status, 412, (modified, way, field))

    def test_no_validator_for_a_file_that_may_change_unseen(self):
        client = self.client(self.server)
        path = self.root / "fresh"
        path.write_bytes(b"first\n")
        os.utime(path, (YESTERDAY, YESTERDAY))
        fields = client.get("/fresh").fields
        self.assertFalse({"etag", "last-modified"} & set(fields), fields)
        for field in [f"If-Modified-Since: {fields['date']}", 'If-None-Match: ""', "If-None-Match:"]:
            self.assertEqual(client.get("/fresh", field).body, b"first\n", field)
        time.sleep(SETTLED)
        self.assertLessEqual({"etag", "last-modified"}, set(client.get("/fresh").fields))

    def test_changes_show(self):
        client = self.client(self.server)
        path = self.root / "changes"
        for i in range(20):
            data = pattern(i * 100)
            if i % 2:
                (self.root / "changes.new").write_bytes(data)
                (self.root / "changes.new").rename(path)
            else:
                path.write_bytes(data)
            self.assertEqual(client.get("/changes").body, data)
        path.unlink()
        self.assertEqual(client.get("/changes").status, 404)

    def test_pipelining(self):
        client = self.client(self.server)
        names = [*self.files, "/none"] * 20
        requests = "".join(f"GET {name} HTTP/1.1\r\nHost: x\r\n\r\n" for name in names).encode()
        sender = threading.Thread(target=client.socket.sendall, args=(requests,))
        sender.start()
        for name in names:
            response = Response(client.stream)
            self.assertEqual(response.body, self.files.get(name, b"Not Found\n"), name)
        sender.join()

    def test_in_pieces(self):
        client = self.client(self.server)
        for byte in b"\r\nGET /a.txt HTTP/1.1\r\nHost: x\r\n\r\n":
            client.socket.sendall(bytes([byte]))
            time.sleep(0.002)
        self.assertEqual(Response(client.stream).body, b"hello\n")
        self.assertEqual(client.get("/small").body, self.files["/small"])

    def test_half_closed(self):
        client = self.client(self.server)
        client.socket.sendall(b"GET /big HTTP/1.1\r\nHost: x\r\n\r\nGET /a.txt HTTP/1.1\r\nHost: x\r\n\r\n")
        client.socket.shutdown(socket.SHUT_WR)
        self.assertEqual(Response(client.stream).body, self.files["/big"])
        self.assertEqual(Response(client.stream).body, b"hello\n")
        self.assertEqual(client.stream.read(), b"")

    def test_request_and_end_together(self):
        client = self.client(self.server)
        self.server.process.send_signal(signal.SIGSTOP)
        client.socket.sendall(b"GET /a.txt HTTP/1.1\r\nHost: x\r\n\r\n")
        client.socket.shutdown(socket.SHUT_WR)
        self.server.process.send_signal(signal.SIGCONT)
        self.assertEqual(Response(client.stream).body, b"hello\n")
        self.assertEqual(client.stream.read(), b"")

    def test_heads_that_do_not_fit(self):
        # More heads than the kernel buffers, so that some are sent in part, and others meanwhile.
        client, other = self.client(self.server), self.client(self.server)
        client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 100_000)
        count = 60_000
        requests = b"HEAD /a.txt HTTP/1.1\r\nHost: x\r\n\r\n" * count
        sender = threading.Thread(target=client.socket.sendall, args=(requests,))
        sender.start()
        time.sleep(0.5)
        expected = Response(client.stream, "HEAD").fields["etag"]
        for i in range(1, count):
            if i % 1000 == 0:
                self.assertEqual(other.get("/sub/").body, b"<p>sub\n")
            self.assertEqual(Response(client.stream, "HEAD").fields["etag"], expected)
        sender.join()

    def test_long_heads_that_do_not_fit(self):
        client = self.client(self.server)
        client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 100_000)
        # Of all lengths, so that much of the next requests is put aside with a part of a head.
        lengths = [i * 97 % 8100 for i in range(4000)]
        requests = b"".join(b"GET /sub?%s HTTP/1.1\r\nHost: x\r\n\r\n" % (b"q" * length) for length in lengths)
        sender = threading.Thread(target=client.socket.sendall, args=(requests,))
        sender.start()
        time.sleep(0.5)
        for length in lengths:
            self.assertEqual(Response(client.stream).fields["location"], "sub/?" + "q" * length)
        sender.join()

    def test_ends(self):
        for request, status, count in [
            (b"GET /a.txt HTTP/1.0\r\n\r\n", 200, 1),
            (b"GET /a.txt HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", 200, 1),
            (b"GET /a.txt HTTP/1.1\r\nHost: x\r\nContent-Length: 36\r\n\r\n", 200, 1),
            (b"GET /a.txt HTTP/1.1\nHost: x\n\n", 400, 1),
            (b"GET /a.txt HTTP/1.1\r\n\r\n", 400, 1),
            (b"\x16\x03\x01\x02\x00\x01\x00\n\n", 400, 1),
            (b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 36\r\n\r\n", 405, 1),
            (b"GET / HTTP/1.1\r\nHost:\r\n\r\n", 400, 1),
            (b"GET http://:80/ HTTP/1.1\r\nHost: x\r\n\r\n", 400, 1),
            (b"GET http://user@x/ HTTP/1.1\r\nHost: x\r\n\r\n", 400, 1),
            (b"GET / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", 501, 1),
            (b"BREW / HTTP/1.1\r\nHost: x\r\n\r\n", 501, 1),
            (b"GET / HTTP/2.0\r\nHost: x\r\n\r\n", 505, 1),
            (b"GET / HTTP/1.1\r\nHost: x\r\nX: " + b"x" * 9000, 431, 1),
            (b"GET /" + b"x" * 100_000, 414, 1),
            (b"GET /none HTTP/1.1\r\nHost: x\r\n\r\nGET /%00 HTTP/1.1\r\nHost: x\r\n\r\nnonsense\n\n", 404, 3),
        ]:
            # What follows is never taken for a request, and what is still being sent never costs the answer.
            answers = self.client(self.server).raw(request + b"GET /secret HTTP/1.1\r\nHost: x\r\n\r\n" * (count == 1))
            self.assertEqual((answers[0].status, len(answers)), (status, count), request[:40])
            self.assertEqual(answers[-1].fields["connection"], "close")

    def test_no_http_is_refused_at_once(self):
        for data in [b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", b"GARBAGE\r\n", b"\0", b"GET /a.txt\r\n", b"\n"]:
            # Long before it is late.
            self.assertEqual([answer.status for answer in self.client(self.server).raw(data)], [400], data)

    def test_no_body_after_head(self):
        for request, status in [
            (b"HEAD / HTTP/1.1\r\n\r\n", 400),
            (b"\r\nHEAD / HTTP/1.1\r\nHost: x\r\nX: " + b"x" * 9000, 431),
            (b"HEAD /none HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", 404),
        ]:
            client = self.client(self.server)
            client.socket.sendall(request)
            self.assertEqual(Response(client.stream, "HEAD").status, status)
            self.assertEqual(client.stream.read(), b"")

    def test_a_client_that_sends_on_harms_no_other(self):
        def flood():
            os.sched_setaffinity(0, cpu)
            with contextlib.suppress(OSError):
                while True:
                    loud.socket.sendall(data)

        # Who sends goes first on a CPU that the two share, so that the server never sees the end of it.
        data, cpu = bytes(1 << 20), {min(os.sched_getaffinity(0))}
        os.sched_setaffinity(self.server.process.pid, cpu)
        os.setpriority(os.PRIO_PROCESS, self.server.process.pid, 19)
        loud, other = self.client(self.server), self.client(self.server)
        self.assertEqual(loud.get("/a.txt", "Connection: close").body, b"hello\n")
        flooder = threading.Thread(target=flood)
        flooder.start()
        # Until the loud one's time to close is over.
        start = time.monotonic()
        while flooder.is_alive() and time.monotonic() < start + 4 * PATIENCE:
            self.assertEqual(other.get("/a.txt").body, b"hello\n")
        self.assertFalse(flooder.is_alive())

    def test_bad_clients_harm_no_other(self):
        bad = []
        for i in range(60):
            client = self.client(self.server)
            bad.append(client)
            client.socket.sendall(
                [b"GET /huge HTTP/1.1\r\nHost: x\r\n\r\n" * 3, b"GET /a.t", b"", b"\0" * 100, b"\r\n" * 50][i % 5]
            )
        good = self.client(self.server)
        for i, client in enumerate(bad):
            self.assertEqual(good.get("/medium").body, self.files["/medium"])
            if i % 2:
                client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # a reset
                client.close()
        self.assertEqual(good.get("/big").body, self.files["/big"])
        # One that stalled gets its bytes when it reads on.
        for _ in range(3):
            self.assertEqual(Response(bad[0].stream).body, bytes(HUGE))

    def test_a_file_that_shrinks_ends_the_connection(self):
        path = self.root / "shrinks"
        path.write_bytes(pattern(30_000_000))
        client = self.client(self.server)
        client.socket.sendall(b"GET /shrinks HTTP/1.1\r\nHost: x\r\n\r\n" * 2)
        client.stream.read(1)
        os.truncate(path, 100)
        received = 1 + len(client.stream.read())
        self.assertLess(received, 30_000_000)

    def test_termination(self):
        busy, idle, partial = (self.client(self.server) for _ in range(3))
        self.assertEqual(idle.get("/a.txt").body, b"hello\n")
        busy.socket.sendall(b"GET /huge HTTP/1.1\r\nHost: x\r\n\r\n")
        partial.socket.sendall(b"GET /a.txt HTTP/1.1\r\n")
        busy.stream.peek(1)
        time.sleep(0.2)
        self.server.process.send_signal(signal.SIGTERM)
        self.assertEqual(idle.stream.read(), b"")
        with self.assertRaises(ConnectionRefusedError):
            self.server.connect()
        self.assertIsNone(self.server.process.poll())
        self.assertEqual(Response(busy.stream).body, bytes(HUGE))
        partial.socket.sendall(b"Host: x\r\n\r\n")
        response = Response(partial.stream)
        self.assertEqual((response.body, response.fields["connection"]), (b"hello\n", "close"))
        for client in (busy, partial):
            client.close()
        self.assertEqual(self.server.process.wait(PATIENCE), 0)

    def test_termination_between_requests(self):
        # One has a whole answer to come that says the connection goes on, one sent what is no part of a request.
        busy, blank = self.client(self.server), self.client(self.server)
        busy.socket.sendall(b"GET /huge HTTP/1.1\r\nHost: x\r\n\r\n")
        busy.stream.peek(1)
        self.assertEqual(blank.get("/a.txt").body, b"hello\n")
        blank.socket.sendall(b"\r\n")
        time.sleep(0.2)
        self.server.process.send_signal(signal.SIGTERM)
        self.assertEqual(blank.stream.read(), b"")
        response = Response(busy.stream)
        self.assertEqual((response.body, response.fields["connection"]), (bytes(HUGE), "keep-alive"))
        self.assertEqual(busy.stream.read(), b"")
        self.assertEqual(self.server.process.wait(PATIENCE), 0)

    def test_termination_with_an_answer_that_the_kernel_still_brings(self):
        client = self.client(self.server)
        client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8192)
        client.socket.sendall(b"GET /medium HTTP/1.1\r\nHost: x\r\n\r\n")
        time.sleep(1)  # until the server has handed over all of it, of which there is room for little here
        self.server.process.send_signal(signal.SIGTERM)
        time.sleep(0.2)  # until it has the signal
        # A closed socket would answer this with a reset, and the rest would never come.
        client.socket.sendall(b"GET /a.txt HTTP/1.1\r\nHost: x\r\n\r\n")
        response = Response(client.stream)
        self.assertEqual((response.body, response.fields["connection"]), (self.files["/medium"], "keep-alive"))
        self.assertEqual(client.stream.read(), b"")
        client.close()
        self.assertEqual(self.server.process.wait(PATIENCE), 0)

    def test_termination_without_descriptors(self):
        for waiting in (0, 1):
            server = self.start()
            pid = server.process.pid
            resource.prlimit(pid, resource.RLIMIT_NOFILE, (3, resource.prlimit(pid, resource.RLIMIT_NOFILE)[1]))
            for _ in range(waiting):
                self.client(server)  # nothing that the server has will ever make room for it
            self.assertEqual(server.end(), 0, waiting)

    def test_a_second_signal_ends_it(self):
        for second, status in [(signal.SIGTERM, 143), (signal.SIGINT, 130)]:
            server = self.start()
            busy = self.client(server)
            busy.socket.sendall(b"GET /huge HTTP/1.1\r\nHost: x\r\n\r\n")
            busy.stream.peek(1)
            server.process.send_signal(signal.SIGTERM)
            time.sleep(0.2)
            self.assertIsNone(server.process.poll())
            server.process.send_signal(second)
            self.assertEqual(server.process.wait(PATIENCE), status)

    def test_termination_answers_who_waits_to_be_accepted(self):
        self.server.process.send_signal(signal.SIGSTOP)
        clients = [self.client(self.server) for _ in range(100)]
        for client in clients[1:]:
            client.socket.sendall(b"GET /a.txt HTTP/1.1\r\nHost: x\r\n\r\n")
        self.server.process.send_signal(signal.SIGTERM)
        self.server.process.send_signal(signal.SIGCONT)
        time.sleep(0.5)
        # The request of one was still on its way.
        clients[0].socket.sendall(b"GET /a.txt HTTP/1.1\r\nHost: x\r\n\r\n")
        for client in clients:
            response = Response(client.stream)
            self.assertEqual((response.body, response.fields["connection"]), (b"hello\n", "close"))
            client.close()
        self.assertEqual(self.server.process.wait(PATIENCE), 0)

    def test_termination_waits_for_no_client_that_says_nothing(self):
        self.client(self.server)
        self.client(self.server).socket.sendall(b"\r\n")
        time.sleep(0.2)
        self.assertEqual(self.server.end(), 0)

    def test_descriptors_are_given_back(self):
        def count():
            return len(self.server.descriptors())

        self.client(self.server).get("/a.txt")
        time.sleep(3.5)  # until the cached file is closed; the client is still there
        before = count()
        for i in range(50):
            client = Client(self.server)
            client.socket.sendall(b"GET /big HTTP/1.1\r\nHost: x\r\n\r\n" if i % 2 else b"GET /a.txt HTTP/1.0\r\n\r\n")
            client.stream.read(i)
            client.close()
        deadline = time.monotonic() + PATIENCE
        while count() > before and time.monotonic() < deadline:
            time.sleep(0.1)
        self.assertEqual(count(), before)

    def test_a_cached_file_is_closed_without_clients(self):
        path = self.root / "vanishes"
        path.touch()
        client = Client(self.server)
        self.assertEqual(client.get("/vanishes").status, 200)
        client.close()
        path.unlink()
        deadline = time.monotonic() + PATIENCE
        while (opened := any("vanishes" in name for name in self.server.descriptors().values())):
            if time.monotonic() > deadline:
                break
            time.sleep(0.1)
        self.assertFalse(opened)

    def test_no_descriptors_for_a_while(self):
        pid = self.server.process.pid
        soft, hard = resource.prlimit(pid, resource.RLIMIT_NOFILE)
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (3, hard))
        client = self.client(self.server)
        client.socket.sendall(b"GET /a.txt HTTP/1.1\r\nHost: x\r\n\r\n")
        time.sleep(0.5)  # until the server tried to accept it
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (soft, hard))
        self.assertEqual(Response(client.stream).body, b"hello\n")

    def curl(self, *arguments):
        host, port = self.server.address
        url = f"http://{host}:{port}/big"
        return subprocess.run(["curl", "-sS", "--max-time", "10", *arguments, url], check=True, capture_output=True).stdout

    def test_curl(self):
        data = self.files["/big"]
        self.assertEqual(self.curl(), data)
        self.assertEqual(self.curl("-r", "5-9"), data[5:10])
        self.assertIn(f"Content-Length: {BIG}".encode(), self.curl("-I"))
        part = Path(self.folder.name) / "part"
        part.write_bytes(data[:1_000_000])
        self.curl("-C", "-", "-o", str(part))
        self.assertEqual(part.read_bytes(), data)
        etag = Path(self.folder.name) / "etag"
        self.curl("--etag-save", str(etag))
        self.assertEqual(self.curl("--etag-compare", str(etag), "-w", "%{http_code}"), b"304")


class Limits(Base):
    def test_idle_clients_are_closed(self):
        server = self.start("--idle", "1")
        idle, partial, stalled, trickling = clients = [self.client(server) for _ in range(4)]
        partial.socket.sendall(b"GET /a.txt HTTP/1.1\r\n")
        stalled.socket.sendall(b"GET /huge HTTP/1.1\r\nHost: x\r\n\r\n")
        start = time.monotonic()
        # A byte now and then buys no time for a request.
        with contextlib.suppress(ConnectionError):
            while time.monotonic() < start + PATIENCE:
                trickling.socket.sendall(b"\r\n")
                time.sleep(0.05)
        self.assertLess(time.monotonic() - start, PATIENCE)
        for client in clients[:2]:
            self.assertEqual(client.stream.read(), b"")
        # The kernel still brings this one something at first, so it is the last. Only the listening socket is left.
        deadline = time.monotonic() + PATIENCE
        while sum(name.startswith("socket:") for name in server.descriptors().values()) > 1:
            self.assertLess(time.monotonic(), deadline)
            time.sleep(0.1)
        with contextlib.suppress(ConnectionError):
            self.assertLess(len(stalled.stream.read()), HUGE)
        self.assertEqual(server.end(), 0)

    def test_a_slow_client_is_not_closed(self):
        server = self.start("--idle", "2")
        client = self.client(server)
        client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 50_000)
        client.socket.sendall(b"GET /huge HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        # So slow that what the kernel has for it lasts for longer than it may idle.
        received, start = 0, time.monotonic()
        while time.monotonic() < start + 7:
            received += len(client.socket.recv(2500))
            time.sleep(0.05)
        self.assertGreater(received + len(client.stream.read()), HUGE)

    def test_a_client_that_is_slow_at_the_end_is_not_closed(self):
        client = self.client(self.start("--idle", "60"))
        client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 10_000)
        client.socket.sendall(b"GET /medium HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        # The server has nothing more to say long before the client has it all, which says something that needs no answer.
        received, start = 0, time.monotonic()
        while piece := client.socket.recv(1200):
            received += len(piece)
            if time.monotonic() < start + 8:
                client.socket.sendall(b"\r\n")
                time.sleep(0.05)
        self.assertGreater(received, len(self.files["/medium"]))

    def test_a_server_that_was_stopped_closes_nobody(self):
        server = self.start("--idle", "4")
        count = 300
        clients = [self.client(server) for _ in range(count)]
        downloads = [self.client(server) for _ in range(3)]
        for client in clients:
            self.assertEqual(client.get("/a.txt").body, b"hello\n")
        for client in clients[:20]:
            client.socket.sendall(b"GET /sub/ HTTP/1.1\r\nHost")
        for client in downloads:
            client.socket.sendall(b"GET /huge HTTP/1.1\r\nHost: x\r\n\r\n")
        bodies = [client.socket.recv(1000) for client in downloads]
        server.process.send_signal(signal.SIGSTOP)
        # What the kernel has for them goes out meanwhile.
        for i, client in enumerate(downloads):
            client.socket.settimeout(0.5)
            with contextlib.suppress(TimeoutError):
                while piece := client.socket.recv(1 << 20):
                    bodies[i] += piece
            client.socket.settimeout(PATIENCE)
        time.sleep(6)
        for client in clients[:20]:
            client.socket.sendall(b": x\r\n\r\n")
        for client in clients[40:]:
            client.socket.sendall(b"GET /sub/ HTTP/1.1\r\nHost: x\r\n\r\n")
        server.process.send_signal(signal.SIGCONT)
        for client in clients[20:40]:
            client.socket.sendall(b"GET /sub/ HTTP/1.1\r\nHost: x\r\n\r\n")
        for client in clients:
            self.assertEqual(Response(client.stream).body, b"<p>sub\n")
        for i, client in enumerate(downloads):
            received = len(bodies[i])
            while received < HUGE and (piece := client.socket.recv(1 << 20)):
                received += len(piece)
            self.assertGreaterEqual(received, HUGE)

    @unittest.skipIf(EMULATED, "the emulator needs descriptors of its own")
    def test_termination_with_more_clients_than_there_is_room_for(self):
        server = self.start(files=9 + 2 + 2 * 3)
        server.process.send_signal(signal.SIGSTOP)
        clients = [self.client(server) for _ in range(20)]
        for client in clients:
            client.socket.sendall(b"GET /a.txt HTTP/1.1\r\nHost: x\r\n\r\n")
        server.process.send_signal(signal.SIGTERM)
        server.process.send_signal(signal.SIGCONT)
        for client in clients:
            self.assertEqual(Response(client.stream).body, b"hello\n")
            client.close()
        self.assertEqual(server.process.wait(PATIENCE), 0)

    def test_a_folder_that_cannot_be_listed(self):
        # It may be entered.
        folder = self.root / "locked"
        folder.mkdir()
        (folder / "index.html").write_bytes(b"<p>locked\n")
        (folder / "unreadable").touch(0)
        folder.chmod(0o111)
        self.addCleanup(folder.chmod, 0o755)
        client = self.client(self.start(drop=(CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH)))
        response = client.get("/locked")
        self.assertEqual((response.status, response.fields.get("location")), (301, "locked/"))
        self.assertEqual(client.get("/locked/").body, b"<p>locked\n")
        self.assertEqual(client.get("/locked/unreadable").status, 403)

    def test_a_file_that_may_be_read_no_more(self):
        path = self.root / "revoked"
        path.write_bytes(b"secret\n")
        client = self.client(self.start(drop=(CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH)))
        # Asked for all the time, it stays in the cache.
        self.assertEqual(client.get("/revoked").body, b"secret\n")
        path.chmod(0)
        deadline = time.monotonic() + PATIENCE
        while (status := client.get("/revoked").status) == 200 and time.monotonic() < deadline:
            time.sleep(0.1)
        self.assertEqual(status, 403)

    @unittest.skipIf(EMULATED, "the emulator opens files of its own")
    def test_closed_standard_streams(self):
        server = self.start(closed=(0, 2))
        self.assertEqual(self.client(server).get("/a.txt").body, b"hello\n")
        descriptors = server.descriptors()
        self.assertEqual((descriptors[0], descriptors[2]), ("/", "/"))

    @unittest.skipIf(EMULATED, "the emulator needs descriptors of its own")
    def test_more_clients_than_there_is_room_for(self):
        server = self.start(files=9 + 2 + 2 * 3)
        clients = [self.client(server) for _ in range(3)]
        for client in clients:
            self.assertEqual(client.get("/a.txt").body, b"hello\n")
        late = self.client(server)
        late.socket.settimeout(0.5)
        with self.assertRaises(TimeoutError):
            late.get("/a.txt")
        clients[0].close()
        late.socket.settimeout(PATIENCE)
        late = socket.SocketIO(late.socket, "r")
        self.assertTrue(late.readline().startswith(b"HTTP/1.1 200 "))

    @unittest.skipIf(EMULATED, "the emulator needs descriptors of its own")
    def test_idle_clients_make_room(self):
        server = self.start(files=9 + 2 + 2 * 3)
        idle, partial, stalled = (self.client(server) for _ in range(3))
        self.assertEqual(idle.get("/a.txt").body, b"hello\n")
        partial.socket.sendall(b"GET /a.txt HTTP/1.1\r\n")
        stalled.socket.sendall(b"GET /huge HTTP/1.1\r\nHost: x\r\n\r\n")
        stalled.stream.peek(1)
        # Both long before the first one is late.
        self.assertEqual(self.client(server).get("/a.txt").body, b"hello\n")
        self.assertEqual(idle.stream.read(), b"")
        self.assertEqual(self.client(server).get("/a.txt").body, b"hello\n")
        partial.socket.sendall(b"Host: x\r\n\r\n")
        self.assertEqual(Response(partial.stream).body, b"hello\n")
        self.assertEqual(Response(stalled.stream).body, bytes(HUGE))

    @unittest.skipIf(EMULATED, "the emulator is no single file")
    def test_without_proc(self):
        jail = Path(self.folder.name) / "jail"
        (jail / "srv").mkdir(parents=True)
        (jail / "srv" / "a.txt").write_bytes(b"hello\n")
        (jail / "srv" / "whole path").symlink_to("/srv/a.txt")
        shutil.copy(HTTPD[0], jail / "httpd")
        become_root = [] if os.geteuid() == 0 else ["unshare", "--map-root-user"]
        server = Server("/srv", program=[*become_root, "chroot", jail, "/httpd"])
        self.addCleanup(server.kill)
        client = self.client(server)
        self.assertEqual(client.get("/a.txt").body, b"hello\n")
        # Nobody can tell where it leads to.
        self.assertEqual(client.get("/whole%20path").status, 404)

    def many_files(self):
        folder = self.root / "many"
        if not folder.exists():
            folder.mkdir()
            for i in range(300):
                (folder / str(i)).write_bytes(b"%d" % i)
        return [f"/many/{i}" for i in range(300)]

    @unittest.skipIf(EMULATED, "the emulator needs descriptors of its own")
    def test_few_descriptors(self):
        names = self.many_files()
        # Some are inherited, and more than are left.
        inherited = [os.open("/dev/null", os.O_RDONLY) for _ in range(60)]
        server = self.start(files=64, inherited=inherited)
        for descriptor in inherited:
            os.close(descriptor)
        clients = [self.client(server) for _ in range(20)]
        for client in clients:
            client.socket.sendall(b"GET /huge HTTP/1.1\r\nHost: x\r\n\r\n")
            client.stream.peek(1)
        # Each holds a file of its own, and all places of the cache are taken.
        loud = self.client(server)
        for name in names:
            response = loud.get(name)
            self.assertEqual((response.status, response.body), (200, name.rsplit("/", 1)[1].encode()))
        self.assertLessEqual(len(server.descriptors()), 64)

    @unittest.skipIf(EMULATED, "the emulator needs descriptors of its own")
    def test_cached_files_make_room(self):
        server = self.start()
        client, names = self.client(server), self.many_files()
        for name in names[:100]:
            self.assertEqual(client.get(name).status, 200)
        opened = len(server.descriptors())
        self.assertGreater(opened, 60)
        pid = server.process.pid
        hard = resource.prlimit(pid, resource.RLIMIT_NOFILE)[1]
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (opened, hard))
        self.assertEqual(client.get(names[200]).status, 200)
        other = self.client(server)
        self.assertEqual(other.get(names[201]).status, 200)

    def test_too_few_descriptors(self):
        if not EMULATED:
            limit = lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (10, 10))
            failed = subprocess.run([*HTTPD, "--port", "0"], preexec_fn=limit, capture_output=True, timeout=PATIENCE)
            self.assertEqual((failed.returncode, failed.stdout), (1, b""))
            self.assertIn(b"httpd: descriptors: ", failed.stderr)

    def test_a_deployment(self):
        """The root is a link that is swapped, then a folder that is replaced."""
        folder = Path(self.folder.name) / "deployment"
        for name in ("one", "two", "three"):
            (folder / name).mkdir(parents=True)
            (folder / name / "index.html").write_bytes(name.encode())
        current = folder / "current"
        for first in ("link", "folder"):
            if first == "link":
                current.symlink_to("one")
            server = Server(current)
            self.addCleanup(server.kill)
            client = self.client(server)
            expected = b"one" if first == "link" else b"two"
            self.assertEqual(client.get("/").body, expected)
            if first == "link":
                (folder / "new").symlink_to("two")
                (folder / "new").rename(current)
                self.comes(client, b"two")
                current.unlink()
                (folder / "two").rename(current)
                self.comes(client, b"two")
            else:
                current.rename(folder / "old")
                deadline = time.monotonic() + PATIENCE
                while client.get("/").status != 404 and time.monotonic() < deadline:
                    time.sleep(0.1)
                self.assertEqual(client.get("/").status, 404)
                (folder / "three").rename(current)
                self.comes(client, b"three")
            self.assertEqual(server.end(), 0)

    def comes(self, client, body):
        deadline = time.monotonic() + PATIENCE
        while (got := client.get("/").body) != body and time.monotonic() < deadline:
            time.sleep(0.1)
        self.assertEqual(got, body)

    def test_files_that_are_made_when_they_are_read(self):
        for root, target in [("/proc", "/version"), ("/proc/self", "/status"), ("/sys", "/kernel/mm/transparent_hugepage/enabled"),
                             ("/sys", "/kernel/uevent_seqnum")]:
            server = Server(root)
            self.addCleanup(server.kill)
            self.assertEqual(self.client(server).get(target).status, 404, target)

    def test_message_queues_are_not_found(self):
        folder = Path(self.folder.name) / "queues"
        folder.mkdir()
        become_root = [] if os.geteuid() == 0 else ["--map-root-user"]
        mounted = 'mount -t mqueue none "$0" && touch "$0/queue" && exec "$@"'
        program = ["unshare", *become_root, "--mount", "--ipc", "sh", "-c", mounted, folder]
        if subprocess.run([*program, "true"], timeout=PATIENCE).returncode:
            self.skipTest("may not mount")
        server = Server(folder, program=[*program, *HTTPD])
        self.addCleanup(server.kill)
        self.assertEqual(self.client(server).get("/queue").status, 404)

    def test_ipv6_and_wrong_arguments(self):
        server = self.start("--bind", "::1")
        self.assertEqual(self.client(server).get("/a.txt").body, b"hello\n")
        for wrong in (["--port"], ["--port", "x"], ["--port", "65536"], ["--bind", "x"], ["--root", "/none"]):
            failed = subprocess.run([*HTTPD, *wrong], capture_output=True, timeout=PATIENCE)
            self.assertEqual((failed.returncode, failed.stdout), (1 if "/none" in wrong else 2, b""), wrong)
            self.assertIn(b"httpd: ", failed.stderr)

    def test_help(self):
        for option in ("--help", "-h"):
            shown = subprocess.run([*HTTPD, "--port", "0", option], capture_output=True, timeout=PATIENCE)
            self.assertEqual((shown.returncode, shown.stderr), (0, b""))
            for word in (b"usage: httpd ", b"--root", b"--port", b"--bind", b"--idle", b"SIGTERM"):
                self.assertIn(word, shown.stdout)
        with open("/dev/full", "w") as full:
            self.assertEqual(subprocess.run([*HTTPD, "--help"], stdout=full, timeout=PATIENCE).returncode, 1)

    @unittest.skipIf(EMULATED, "the emulator writes as well")
    @unittest.skipUnless(shutil.which("strace"), "strace makes such a stream")
    def test_a_stream_that_takes_nothing(self):
        """Without an error, as no file of the kernel's does: write(2) returns 0."""
        strace = ["strace", "-qq", "-o", "/dev/null", "-e", "trace=write", "-e", "inject=write:retval=0"]
        for option, status in [("--help", 1), ("--none", 2)]:
            command = ["timeout", str(PATIENCE), *strace, *HTTPD, option]
            self.assertEqual(subprocess.run(command, capture_output=True).returncode, status, option)


if __name__ == "__main__":
    unittest.main()
