#!/usr/bin/env python3
"""The answers of HTTPD as others judge them: h11, a strict parser; httplint, which knows what each field may say; wget and curl."""

import os
import socket
import subprocess
import time
import unittest
from pathlib import Path

import h11
from http import BIG, SETTLED, Base
from httplint.message import HttpRequestLinter, HttpResponseLinter
from httplint.note import levels

# What httplint says of these answers and why it is so. Nothing else counts, and each of them has to be said.
EXPECTED = {
    "CONTENT_TYPE_MISMATCH",  # what is called x.png in these tests is none
    "FRESHNESS_HEURISTIC",  # no Cache-Control is sent, which httpd leaves to the server in front of it
    # The request was to be refused.
    "STATUS_BAD_REQUEST",
    "STATUS_URI_TOO_LONG",
    "STATUS_VERSION_NOT_SUPPORTED",
}


def request(target, *fields, method="GET", version="1.1"):
    return "\r\n".join([f"{method} {target} HTTP/{version}", "Host: test", "User-Agent: test", *fields, "", ""]).encode()


class Suites(Base):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        time.sleep(SETTLED)

    def setUp(self):
        self.server = self.start()

    def conversations(self):
        """A request of each kind, the status of its answer, and whether the connection goes on."""
        tag = self.client(self.server).get("/a.txt").fields["etag"]
        date = self.client(self.server).get("/a.txt").fields["last-modified"]
        for data, status, stays in [
            *((request(name), 200, True) for name in self.files),
            *((request(name, method="HEAD"), 200, True) for name in self.files),
            (request("/sub/"), 200, True),
            (request("/a.txt", "Connection: close"), 200, False),
            (request("/a.txt", version="1.0"), 200, False),
            (request("/a.txt", "Connection: keep-alive", version="1.0"), 200, True),
            (request("/big", "Range: bytes=5-9"), 206, True),
            (request("/big", "Range: bytes=-1"), 206, True),
            (request("/big", "Range: bytes=0-1,5-9"), 200, True),
            (request("/a.txt", "Range: bytes=1-2", f"If-Range: {tag}"), 206, True),
            (request("/sub?a=b"), 301, True),
            (request("/a.txt", f"If-None-Match: {tag}"), 304, True),
            (request("/a.txt", f"If-Modified-Since: {date}", method="HEAD"), 304, True),
            (request("/\0"), 400, False),
            (b"GARBAGE\r\n\r\n", 400, False),
            (request("/none"), 404, True),
            (request("/none", method="HEAD"), 404, True),
            (request("/", "Content-Length: 0", method="POST"), 405, False),
            (request("/a.txt", 'If-Match: "x"'), 412, True),
            (request("/" + "x" * 10_000), 414, False),
            (request("/a.txt", "Range: bytes=99-"), 416, True),
            (request("/", "X: " + "x" * 10_000), 431, False),
            (request("/", method="BREW"), 501, False),
            (request("/").replace(b"HTTP/1.1", b"HTTP/2.0"), 505, False),
        ]:
            yield data, status, stays

    def exchange(self, client, data):
        """The answer by h11, its body, and the parser at its end. What it is told of the request is only the method."""
        parser = h11.Connection(h11.CLIENT)
        method = "HEAD" if data.startswith(b"HEAD ") else "GET"
        parser.send(h11.Request(method=method, target="/", headers=[("Host", "x")]))
        parser.send(h11.EndOfMessage())
        client.sendall(data)
        answer, body = None, b""
        while True:
            event = parser.next_event()
            if event is h11.NEED_DATA:
                parser.receive_data(client.recv(1 << 16))
            elif isinstance(event, h11.Response):
                answer = event
            elif isinstance(event, h11.Data):
                body += event.data
            else:
                self.assertIsInstance(event, h11.EndOfMessage)
                return answer, body, parser

    def test_h11_reads_each_answer(self):
        for data, status, stays in self.conversations():
            with self.subTest(data[:60]), self.server.connect() as client:
                answer, body, parser = self.exchange(client, data)
                self.assertEqual((answer.status_code, answer.http_version), (status, b"1.1"))
                self.assertEqual(parser.trailing_data, (b"", False))
                self.assertEqual(parser.their_state, h11.DONE if stays else h11.MUST_CLOSE)
                if stays:
                    self.assertEqual(self.exchange(client, request("/a.txt"))[1], b"hello\n")
                else:
                    client.shutdown(socket.SHUT_WR)
                    self.assertEqual(client.recv(1), b"")

    def test_httplint_finds_nothing(self):
        said = set()
        for data, status, _ in self.conversations():
            with self.server.connect() as client:
                answer, body, _ = self.exchange(client, data)
            method, target, version = (data.split(b"\r\n")[0].split(b" ") + [b"", b""])[:3]
            asked = HttpRequestLinter()
            asked.process_request_topline(method, b"http://test" + target, version[5:])
            asked.process_headers([tuple(line.split(b": ", 1)) for line in data.split(b"\r\n")[1:] if b": " in line])
            linter = HttpResponseLinter(start_time=time.time())
            linter.request = asked
            linter.is_head_response = method == b"HEAD"
            linter.process_response_topline(b"1.1", str(status).encode(), bytes(answer.reason))
            linter.process_headers(list(answer.headers.raw_items()))
            linter.feed_content(body)
            linter.finish_content(True)
            notes = {type(note).__name__ for note in linter.notes if note.level in (levels.BAD, levels.WARN)}
            self.assertLessEqual(notes, EXPECTED, data[:60])
            said |= notes
        self.assertEqual(said, EXPECTED)

    def url(self, name):
        host, port = self.server.address
        return f"http://{host}:{port}{name}"

    def wget(self, *arguments):
        command = ["wget", "--no-verbose", "--server-response", "--tries=1", "--timeout=10", *arguments, self.url("/big")]
        return subprocess.run(command, cwd=self.folder.name, check=True, capture_output=True, text=True).stderr

    def test_wget(self):
        big, data = Path(self.folder.name) / "big", self.files["/big"]
        big.write_bytes(data[:1_000_000])
        self.assertIn(f"Content-Range: bytes 1000000-{BIG - 1}/{BIG}", self.wget("--continue"))
        self.assertEqual(big.read_bytes(), data)
        self.assertIn("HTTP/1.1 416 ", self.wget("--continue"))
        self.assertEqual(big.read_bytes(), data)
        # The first sets the file's time by Last-Modified, the second asks by it.
        big.unlink()
        self.assertIn("HTTP/1.1 200 ", self.wget("--timestamping"))
        self.assertIn("HTTP/1.1 304 ", self.wget("--timestamping"))
        self.assertEqual(big.read_bytes(), data)

    def test_curl_by_date(self):
        saved = Path(self.folder.name) / "saved"
        curl = lambda *arguments: subprocess.run(
            ["curl", "-sS", "--max-time", "10", "-w", "%{http_code}", *arguments, self.url("/medium")],
            check=True, capture_output=True, text=True,
        ).stdout
        self.assertEqual(curl("-R", "-o", saved), "200")
        self.assertEqual(saved.read_bytes(), self.files["/medium"])
        self.assertEqual(curl("-z", saved), "304")
        os.utime(saved, (1, 1))
        self.assertEqual(curl("-z", saved, "-o", os.devnull), "200")


if __name__ == "__main__":
    unittest.main()
