"""What `benches/all server` measures with: each server answers what it should, and what is counted is what came."""

import os
import socketserver
import tempfile
import threading
import time
import unittest
from pathlib import Path

import server

BIG = 10 << 20


class Stalling(socketserver.ThreadingTCPServer):
    """A server that sends a part of a response and no more."""

    daemon_threads = True

    name = "stalling"
    head = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % BIG
    part = head + bytes(BIG // 4)

    class Handler(socketserver.BaseRequestHandler):
        def handle(self):
            # wrk first tries whether anybody is there, and leaves.
            if self.request.recv(4096):
                self.request.sendall(Stalling.part)
                self.request.recv(1)

    def __init__(self):
        super().__init__(("127.0.0.1", 0), self.Handler)
        self.port = self.server_address[1]
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def response(self, target, size):
        return self.head, b""

    def cpu(self):
        return time.process_time_ns()


class Check(unittest.TestCase):
    def test_bytes_count_where_no_response_is_complete(self):
        with Stalling() as stalling:
            measured = server.wrk(stalling, "x", BIG, 8, 2)
            stalling.shutdown()
        self.assertEqual(measured.responses, 8 * len(Stalling.part) / (BIG + len(Stalling.head)))
        self.assertLess(measured.rate, measured.responses)

    def test_servers(self):
        with tempfile.TemporaryDirectory() as folder:
            os.chmod(folder, 0o755)
            root = Path(folder) / "root"
            root.mkdir()
            for size in (0, 1024, BIG):
                data = os.urandom(size)
                (root / str(size)).write_bytes(data)
                servers = server.start_all(root, folder, size)
                self.assertEqual([one.name for one in servers], ["httpd", "nginx", "lighttpd", "tower-http", "memory"])
                for one in servers:
                    with self.subTest(one.name, size=size):
                        self.assertEqual(one.response(size, size)[1], data)
                        measured = server.wrk(one, size, size, 16)
                        self.assertTrue(all(value > 0 for value in measured), measured)
                        print(one.name, size, *(round(value, 3) for value in measured), flush=True)
                for one in servers:
                    one.end()


if __name__ == "__main__":
    unittest.main()
