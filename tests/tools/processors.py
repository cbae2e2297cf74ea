"""Runs tests/packages/no_libc/src/processor.rs with each kind of input and output, and compares what arrives.

usage: processors.py COMMAND...
"""

import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading

FAR = (4 << 30) + 4096
CONTENT = bytes(i * 7 % 251 for i in range(9000))


def run(command, stdin, stdout):
    """The exit status."""
    return subprocess.run(command, stdin=stdin, stdout=stdout, timeout=60).returncode


def received(command, stdin, ours, theirs):
    """The exit status, and all that arrives at `theirs`, a socket, while the program writes to `ours`."""
    chunks = []

    def read():
        while chunk := theirs.recv(1 << 16):
            chunks.append(chunk)

    reader = threading.Thread(target=read)
    reader.start()
    status = run(command, stdin, ours)
    ours.close()
    reader.join()
    theirs.close()
    return status, b"".join(chunks)


def tcp():
    listener = socket.create_server(("127.0.0.1", 0))
    ours = socket.create_connection(listener.getsockname())
    theirs, _ = listener.accept()
    listener.close()
    return ours, theirs


def check(what, found, wanted):
    if found != wanted:
        sys.exit(f"{what}: {found!r:.500} is not {wanted!r:.500}")


def main(command):
    # Bytes at the same place below 4 GiB are others: an upper half that is lost shows.
    with tempfile.TemporaryFile(dir=".") as file:
        file.seek(FAR)
        file.write(CONTENT)
        file.flush()
        position = FAR + 6000
        for name, (ours, theirs) in (("tcp", tcp()), ("other", pipe())):
            file.seek(position)
            status, bytes = received(command, file, ours, theirs)
            head = b"<head>" + CONTENT[:3000] + b"<tail>" + name.encode()
            check(f"{name}, the exit status", status, 0)
            check(f"{name}, the first form", bytes[:500], CONTENT[:500])
            check(f"{name}, the second form", bytes[500 : 500 + len(head)], head)
            flags, bytes = bytes[500 + len(head) :][:3], bytes[500 + len(head) + 3 :]
            print(f"{name}: NODISKIO {flags[0]:c} NOCACHE {flags[1]:c} USER_READAHEAD {flags[2]:c}")
            # fadvise took its arguments. (Of preadv2 that depends on the file system.)
            check(f"{name}, USER_READAHEAD", flags[2:], b"+")
            check(f"{name}, a copy", bytes[:3000], CONTENT[:3000])
            check(f"{name}, from the position", bytes[3000:], CONTENT[6000:])

        # A reader that is gone: the error, and no signal.
        reader, writer = os.pipe()
        os.close(reader)
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)
        status = subprocess.run(command, stdin=file, stdout=writer, timeout=60).returncode
        os.close(writer)
        check("without a reader", status, 32)

    for name, (outside, inside) in (("a pipe", pipe()), ("a socket", tcp())):
        # Not closed yet: a loaded kernel resets a connection that is closed before all is sent.
        feeder = threading.Thread(target=lambda: (outside.sendall(CONTENT * 9), outside.shutdown(socket.SHUT_WR)))
        feeder.start()
        status, bytes = received(command, inside, *tcp())
        feeder.join()
        inside.close()
        outside.close()
        check(f"{name}, the exit status", status, 0)
        check(f"{name} as a stream", bytes, CONTENT * 9)


class Pipe:
    """An end of a pipe, with the names of a socket."""

    def __init__(self, fd):
        self.file = fd

    def fileno(self):
        return self.file

    def recv(self, count):
        return os.read(self.file, count)

    def sendall(self, bytes):
        while bytes:
            bytes = bytes[os.write(self.file, bytes) :]

    def shutdown(self, _):
        self.close()

    def close(self):
        if self.file is not None:
            os.close(self.file)
            self.file = None


def pipe():
    reader, writer = os.pipe()
    return Pipe(writer), Pipe(reader)


main(sys.argv[1:])
