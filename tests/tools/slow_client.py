"""A client that is slow but takes something all the time, for longer than any of the examples waits for one that takes nothing:
slow_client.py PORT FILE. What it gets is the file, or it fails.
"""

import hashlib
import pathlib
import socket
import sys
import time

port, path = sys.argv[1:]
client = socket.socket()
# A small window, so that the sender finds it full again and again.
client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16 << 10)
client.settimeout(60)
client.connect(("127.0.0.1", int(port)))
client.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
answer = client.makefile("rb")
got = b""
for _ in range(80):
    got += answer.read(8000)
    time.sleep(0.1)  # this is what makes the client slow; nothing waits for it
got += answer.read()
body = got.split(b"\r\n\r\n", 1)[1]
expected = pathlib.Path(path).read_bytes()
if hashlib.sha256(body).digest() != hashlib.sha256(expected).digest():
    sys.exit(f"{len(body)} bytes of {len(expected)}")
