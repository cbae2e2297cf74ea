"""Memory and CPU with many clients that do nothing, or read nothing."""

import os
import resource
import socket
import tempfile
import time
from pathlib import Path

import server

CLIENTS = [10, 1000, 10_000]


def report(report):
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    counts = [count for count in CLIENTS if count + 100 < hard]
    folder = tempfile.mkdtemp()
    os.chmod(folder, 0o755)
    root = Path(folder) / "root"
    root.mkdir()
    with open(root / "big", "wb") as file:
        file.truncate(64 << 20)
    report.section(
        "Growth",
        "Resident memory in KiB (that of the process, not the kernel's buffers) with clients that have had an answer and wait "
        "(idle), that sent half a request (partial), and that do not read on in a file of 64 MiB "
        "(slow); and the microseconds of CPU that a client took until then.",
    )
    rows = []
    for kind, send in [
        ("idle", b"GET /none HTTP/1.1\r\nHost: x\r\n\r\n"),
        ("partial", b"GET /none HTTP/1.1\r\nHos"),
        ("slow", b"GET /big HTTP/1.1\r\nHost: x\r\n\r\n"),
    ]:
        for count in counts:
            row = [kind, count]
            for one in [server.start_httpd(root), server.start_nginx(root, folder)]:
                before, used = one.memory(), one.cpu()
                clients = []
                for _ in range(count):
                    client = socket.socket()
                    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
                    client.connect(("127.0.0.1", int(one.port)))
                    client.sendall(send)
                    clients.append(client)
                time.sleep(1)
                memory, used = one.memory(), one.cpu() - used
                row += [memory, round((memory - before) * 1024 / count), round(used / count / 1000)]
                for client in clients:
                    client.close()
                one.end()
            rows.append(row)
            print(*row, flush=True)
    each = ["KiB", "bytes each", "CPU µs each"]
    report.table("growth", ["clients", "number", *(f"{one} {what}" for one in ("httpd", "nginx") for what in each)], rows)
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
