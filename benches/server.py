"""Requests per second, and what a request takes, beside nginx and beside a server that answers from memory."""

import os
import re
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path

from common import PROGRAMS, ROOT, build, ratio, run, spread

SIZES = [0, 1 << 10, 16 << 10, 256 << 10, 10 << 20]
CONNECTIONS = [1, 64, 1000]
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


class Server:
    """A server on a port of its own, and the process that does the work."""

    def __init__(self, name, command, port=None):
        self.name = name
        # As far as there are two CPUs, the client has the last and the server the first. On one they would take turns, for
        # milliseconds each, whenever the scheduler puts a server that sleeps now and then beside its client.
        self.process = subprocess.Popen(["taskset", "-c", "0", *map(str, command)], stdout=subprocess.PIPE, text=True)
        self.pid = self.process.pid
        if port:
            time.sleep(0.5)
            children = Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text().split()
            self.pid = int(children[0])
        else:
            port = self.process.stdout.readline().rsplit(":", 1)[1].strip()
        self.port = port

    def cpu(self):
        """Nanoseconds on a CPU."""
        return int(Path(f"/proc/{self.pid}/schedstat").read_text().split()[0])

    def memory(self, field="VmRSS"):
        """KiB."""
        return int(re.search(rf"{field}:\s+(\d+)", Path(f"/proc/{self.pid}/status").read_text())[1])

    def end(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(15)


def start_httpd(root, *arguments):
    httpd = build(ROOT / "examples" / "httpd") / "httpd"
    return Server("httpd", [httpd, "--root", root, "--port", "0", *arguments])


def start_nginx(root, folder, port=18480):
    configuration = Path(folder) / "nginx.conf"
    configuration.write_text(NGINX.format(folder=folder, port=port, root=root))
    return Server("nginx", ["/usr/sbin/nginx", "-c", configuration], port)


def start_memory(httpd, size, folder):
    """With the very bytes that httpd answers: to read a head is work for the client as well."""
    with socket.create_connection(("127.0.0.1", int(httpd.port)), 10) as client:
        client.sendall(f"GET /{size} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        with client.makefile("rb") as stream:
            head = b"".join(iter(stream.readline, b"\r\n")) + b"\r\n"
            response = Path(folder) / "response"
            response.write_bytes(head + stream.read(size))
    return Server("memory", [build(PROGRAMS, "--bin", "memory") / "memory", response])


def wrk(server, target, connections, seconds=1):
    """Requests per second, nanoseconds of CPU per request, the 99th percentile in milliseconds."""
    before = server.cpu()
    command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}", "--latency", f"http://127.0.0.1:{server.port}/{target}"]
    text = run("taskset", "-c", os.cpu_count() - 1, *command)
    assert "Non-2xx" not in text, text
    requests = int(re.search(r"(\d+) requests in", text)[1])
    rate = float(re.search(r"Requests/sec:\s+([\d.]+)", text)[1])
    value, unit = re.search(r"99%\s+([\d.]+)(us|ms|s)", text).groups()
    return rate, (server.cpu() - before) / max(requests, 1), float(value) * {"us": 0.001, "ms": 1, "s": 1000}[unit]


def report(report):
    folder = tempfile.mkdtemp()
    os.chmod(folder, 0o755)
    root = Path(folder) / "root"
    root.mkdir()
    for size in SIZES:
        (root / str(size)).write_bytes(os.urandom(size))
    report.section(
        "Server",
        f"`examples/httpd` beside nginx ({run('sh', '-c', '/usr/sbin/nginx -v 2>&1').split('/')[1].strip()}; sendfile, tcp_nopush, "
        "open_file_cache on, one worker, no log) and beside `memory`, which answers the same bytes from memory and parses nothing: the limit. wrk "
        f"with one thread for a second (10 MiB to 64 clients: five), {ROUNDS} times, the servers by turns; server and client have a CPU each. Each figure is a median, each "
        "ratio that of one turn (quartiles in brackets). CPU is that of the server's process, in the kernel as well.",
    )
    rows = []
    for connections in CONNECTIONS:
        for size in SIZES:
            if connections == 1000 and size > 1 << 18:
                continue
            httpd = start_httpd(root)
            servers = [httpd, start_nginx(root, folder), start_memory(httpd, size, folder)]
            measured = {server.name: [] for server in servers}
            for _ in range(ROUNDS):
                for server in servers:
                    # 64 clients with 10 MiB each are served for a while before the first is done.
                    seconds = 5 if size * connections > 100 << 20 else 1
                    measured[server.name].append(wrk(server, size, connections, seconds))
            memory = {server.name: server.memory() for server in servers}
            for server in servers:
                server.end()
            ours, nginx, limit = (measured[name] for name in ("httpd", "nginx", "memory"))
            rows.append([
                size,
                connections,
                *(round(spread([rate for rate, _, _ in one])[0]) for one in (ours, nginx, limit)),
                ratio([a[0] / b[0] for a, b in zip(ours, nginx)]),
                ratio([a[0] / b[0] for a, b in zip(ours, limit)]),
                ratio([a[1] / b[1] for a, b in zip(ours, nginx)]),
                ratio([a[2] / b[2] for a, b in zip(ours, nginx)]),
                memory["httpd"],
                memory["nginx"],
            ])
            print(*rows[-1], flush=True)
    report.table(
        "server",
        ["bytes", "clients", "httpd req/s", "nginx req/s", "memory req/s", "rate / nginx", "rate / memory", "CPU per request / nginx",
         "p99 / nginx", "httpd KiB", "nginx KiB"],
        rows,
    )

    def draw(axes):
        labels = [f"{row[0] // 1024} KiB\n{row[1]}" for row in rows]
        for i, (name, column) in enumerate([("rate", 5), ("CPU per request", 7)]):
            axes.bar([x + (i - 0.5) * 0.4 for x in range(len(rows))], [float(row[column].split()[0]) for row in rows], 0.4, label=name)
        axes.axhline(1, color="black", linewidth=0.5)
        axes.set_xticks(range(len(rows)), labels, fontsize="x-small")
        axes.set_ylabel("httpd / nginx")
        axes.legend()

    report.plot("server", "httpd beside nginx, by size of the file and number of clients", draw)
