"""`bulk_python.py BYTES TIMES OUTPUT...`: Python's os.sendfile, as a way beside those of programs/src/bin/bulk.rs."""

import os
import socket
import sys
import tempfile
import time

CHUNK = 2 << 20


def output(name, length):
    """An output, and the process that reads it away: exactly so many bytes."""
    if name == "file":
        return tempfile.TemporaryFile(buffering=0), None
    if name == "pipe":
        end, out = (os.fdopen(fd, mode, buffering=0) for fd, mode in zip(os.pipe(), ("rb", "wb")))
        read = end.readinto
    else:
        if name == "TCP":
            with socket.create_server(("127.0.0.1", 0)) as listener:
                out = socket.create_connection(listener.getsockname())
                end = listener.accept()[0]
        else:
            out, end = socket.socketpair()
        read = end.recv_into
    reader = os.fork()
    if reader == 0:
        os.sched_setaffinity(0, [os.cpu_count() - 1])
        out.close()
        buffer = bytearray(1 << 20)
        while length > 0:
            length -= read(buffer)
        os._exit(0)
    end.close()
    return out, reader


def main():
    length, times = map(int, sys.argv[1:3])
    os.sched_setaffinity(0, [0])
    with tempfile.TemporaryFile(buffering=0) as file:
        file.truncate(length)
        while file.read(CHUNK):
            pass  # into the page cache
        for name in sys.argv[3:]:
            out, reader = output(name, length * times)
            start, before, calls = time.perf_counter_ns(), time.thread_time_ns(), 0
            for _ in range(times):
                if reader is None:
                    out.seek(0)
                offset = 0
                while offset < length:
                    sent = os.sendfile(out.fileno(), file.fileno(), offset, min(CHUNK, length - offset))
                    assert sent > 0
                    offset += sent
                    calls += 1
            used, wall = time.thread_time_ns() - before, time.perf_counter_ns() - start
            out.close()
            if reader:
                assert os.waitpid(reader, 0)[1] == 0
            print(name, "Python", used, wall, calls, sep="\t")


main()
