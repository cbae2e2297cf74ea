"""Requests per second, and what a request takes, beside other servers and beside one that answers from memory."""

import ctypes
import os
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from common import PROGRAMS, ROOT, build, ratio, run, spread

SIZES = [0, 1 << 10, 16 << 10, 256 << 10, 10 << 20]
CONNECTIONS = [1, 64, 1000]
LIBC = ctypes.CDLL(None)
PR_SET_PDEATHSIG = 1
ROUNDS = int(os.environ.get("ROUNDS", "5"))

NGINX = """
daemon off; worker_processes 1; pid {folder}/pid; error_log {folder}/errors; worker_rlimit_nofile 30000;
events {{ worker_connections 12000; }}
http {{
    access_log off; sendfile on; tcp_nopush on; tcp_nodelay on; keepalive_requests 1000000000; keepalive_timeout 600;
    send_timeout 600; open_file_cache max=1000; client_body_temp_path {folder}/a; proxy_temp_path {folder}/b;
    fastcgi_temp_path {folder}/c; uwsgi_temp_path {folder}/d; scgi_temp_path {folder}/e;
    server {{ listen 127.0.0.1:{port}; root {root}; }}
}}
"""


LIGHTTPD = """
server.bind = "127.0.0.1"
server.port = {port}
server.document-root = "{root}"
server.errorlog = "{folder}/lighttpd.log"
server.network-backend = "sendfile"
server.max-keep-alive-requests = 65535
server.max-keep-alive-idle = 600
server.max-write-idle = 600
mimetype.assign = ("" => "application/octet-stream")
"""


class Server:
    """A server on a port of its own, and the process that does the work."""

    def __init__(self, name, command, port=None, worker=False):
        self.name = name
        # As far as there are two CPUs, the client has the last and the server the first. On one they would take turns, for
        # milliseconds each, whenever the scheduler puts a server that sleeps now and then beside its client.
        # It ends with this program, whatever becomes of that.
        self.process = subprocess.Popen(
            ["taskset", "-c", "0", *map(str, command)],
            stdout=subprocess.PIPE,
            text=True,
            preexec_fn=lambda: LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGTERM),
        )
        self.pid = self.process.pid
        self.port = int(port or self.process.stdout.readline().rsplit(":", 1)[1])
        while not self.serves(worker):
            assert self.process.poll() is None, f"{name} has ended"
            time.sleep(0.02)

    def serves(self, worker):
        """Whether it is there; a worker is the child of what was started."""
        if worker:
            children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
            if not children:
                return False
            self.pid = int(children[0])
        with suppress(ConnectionRefusedError), socket.create_connection(("127.0.0.1", self.port), 10):
            return True
        return False

    def cpu(self):
        """Nanoseconds on a CPU of all threads, also of those that have ended."""
        return time.clock_gettime_ns(~self.pid << 3 | 2)  # its clock, as clock_getcpuclockid(3) has it

    def memory(self, field="VmRSS"):
        """KiB."""
        return int(re.search(rf"{field}:\s+(\d+)", Path(f"/proc/{self.pid}/status").read_text())[1])

    def response(self, target, size):
        """The head and `size` bytes."""
        with socket.create_connection(("127.0.0.1", self.port), 10) as client, client.makefile("rb") as stream:
            client.sendall(f"GET /{target} HTTP/1.1\r\nHost: 127.0.0.1:{self.port}\r\n\r\n".encode())
            head = b"".join(iter(stream.readline, b"\r\n")) + b"\r\n"
            assert head.startswith(b"HTTP/1.1 200 "), (self.name, head)
            return head, stream.read(size)

    def end(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(15)
        self.process.stdout.close()


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


def start_httpd(root, *arguments):
    httpd = build(ROOT / "examples" / "httpd") / "httpd"
    return Server("httpd", [httpd, "--root", root, "--port", "0", *arguments])


def start_nginx(root, folder):
    configuration, port = Path(folder) / "nginx.conf", free_port()
    configuration.write_text(NGINX.format(folder=folder, port=port, root=root))
    return Server("nginx", ["/usr/sbin/nginx", "-c", configuration], port, worker=True)


def start_lighttpd(root, folder):
    configuration, port = Path(folder) / "lighttpd.conf", free_port()
    configuration.write_text(LIGHTTPD.format(folder=folder, port=port, root=root))
    return Server("lighttpd", ["/usr/sbin/lighttpd", "-D", "-f", configuration], port)


def start_tower_http(root):
    return Server("tower-http", [build(ROOT / "benches" / "tower_http") / "tower_http", root])


def start_memory(httpd, size, folder):
    """With the very bytes that httpd answers: to read a head is work for the client as well."""
    response = Path(folder) / "response"
    response.write_bytes(b"".join(httpd.response(size, size)))
    return Server("memory", [build(PROGRAMS, "--bin", "memory") / "memory", response])


def start_all(root, folder, size):
    """The first is what the others are compared with, the last the limit."""
    httpd = start_httpd(root)
    others = [start_nginx(root, folder), start_lighttpd(root, folder), start_tower_http(root)]
    return [httpd, *others, start_memory(httpd, size, folder)]


class Measured(NamedTuple):
    responses: float  # that came, with parts
    rate: float  # of them in a second
    cpu: float  # nanoseconds for one
    p99: float  # milliseconds, of those that were complete


def wrk(server, target, size, connections, seconds=1):
    """What a server did in some seconds.

    Counted are the bytes that came in them, in responses: of a large one, most of what was done is not complete when the time is up.
    """
    length = size + len(server.response(target, 0)[0])
    before = server.cpu()
    script = Path(__file__).parent / "wrk.lua"
    url = f"http://127.0.0.1:{server.port}/{target}"
    text = run("taskset", "-c", os.cpu_count() - 1, "wrk", "-t1", f"-c{connections}", f"-d{seconds}", "-s", script, url)
    used = server.cpu() - before
    counted = re.search(r"counted: (\d+) requests, (\d+) bytes, (\d+) us, (\d+) errors, 99% in (\d+) us", text)
    complete, received, duration, errors, p99 = map(int, counted.groups())
    assert errors == 0, text
    responses = received / length
    # Each connection has no more than one that is not complete. (A head can be a few bytes longer now and then.)
    assert complete * 0.999 <= responses <= (complete + connections) * 1.001, (server.name, responses, text)
    return Measured(responses, responses / (duration / 1e6), used / max(responses, 1), p99 / 1000)


def report(report):
    folder = tempfile.mkdtemp()
    os.chmod(folder, 0o755)
    root = Path(folder) / "root"
    root.mkdir()
    for size in SIZES:
        (root / str(size)).write_bytes(os.urandom(size))
    versions = [run("sh", "-c", f"/usr/sbin/{name} -v 2>&1").split("/")[1].split()[0] for name in ("nginx", "lighttpd")]
    report.section(
        "Server",
        f"`examples/httpd` beside nginx ({versions[0]}; sendfile, tcp_nopush, open_file_cache on, one worker, no log), lighttpd "
        f"({versions[1]}; sendfile, one process, no log), tower-http's `ServeDir` in Rust (benches/tower_http; one thread, and those in which "
        "tokio reads files), and `memory`, which answers the same bytes from memory and parses nothing: the limit. wrk "
        f"with one thread for a second (10 MiB to 64 clients: five), {ROUNDS} times, the servers by turns; server and client have a CPU each. "
        "Responses are counted by the bytes that came in that time, complete or not. Each figure is a median, each ratio that of one turn (quartiles in brackets). "
        "CPU is that of the server's process, in the kernel as well. The slowest of a hundred (p99) is of the complete ones.",
    )
    rows = []
    for connections in CONNECTIONS:
        for size in SIZES:
            if connections == 1000 and size > 1 << 18:
                continue
            servers = start_all(root, folder, size)
            names = [server.name for server in servers]
            measured = {name: [] for name in names}
            for _ in range(ROUNDS):
                for server in servers:
                    # 64 clients with 10 MiB each are served for a while before the first is done.
                    seconds = 5 if size * connections > 100 << 20 else 1
                    measured[server.name].append(wrk(server, size, size, connections, seconds))
            memory = [server.memory() for server in servers]
            for server in servers:
                server.end()
            ours = measured["httpd"]
            # What httpd has beside each of the others.
            beside = lambda field: [
                ratio([getattr(a, field) / getattr(b, field) for a, b in zip(ours, measured[name])]) for name in names[1:]
            ]
            rates = [round(spread([one.rate for one in measured[name]])[0]) for name in names]
            rows.append([size, connections, *rates, *beside("rate"), *beside("cpu"), *beside("p99"), *memory])
            print(*rows[-1], flush=True)
    shutil.rmtree(folder)
    others = names[1:]
    header = ["bytes", "clients", *(f"{name} req/s" for name in names)]
    header += [f"{what} / {name}" for what in ("rate", "CPU per request", "p99") for name in others]
    report.table("server", [*header, *(f"{name} KiB" for name in names)], rows)

    def draw(axes):
        labels = [f"{row[0] // 1024} KiB\n{row[1]}" for row in rows]
        for i, what in enumerate(["rate / nginx", "rate / lighttpd", "rate / tower-http", "CPU per request / nginx"]):
            values = [float(row[header.index(what)].split()[0]) for row in rows]
            axes.bar([x + (i - 1.5) * 0.2 for x in range(len(rows))], values, 0.2, label=what)
        axes.axhline(1, color="black", linewidth=0.5)
        axes.set_xticks(range(len(rows)), labels, fontsize="x-small")
        axes.set_ylabel("httpd / the other")
        axes.legend()

    report.plot("server", "httpd beside others, by size of the file and number of clients", draw)
