"""Real servers whose sendfile(2) is the library's: servers.py LIBRARY

Files by digest, ranges, resumed downloads. The library counts its calls and bytes in the file COUNTS, so that it is seen to be the one
that sends. Without it, the count stays 0.
"""

import ftplib
import getpass
import hashlib
import http.client
import os
import pathlib
import socket
import struct
import subprocess
import sys
import tempfile
import time

SIZES = [0, 1, 4095, 65536, 100_001, 7_000_003]
MODULES = pathlib.Path("/usr/lib/apache2/modules")


def nginx(folder, root, port):
    conf = folder / "nginx.conf"
    temp = "".join(f"{name}_temp_path {folder}/{name}; " for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
    conf.write_text(
        f"daemon off; worker_processes 1; user {getpass.getuser()}; pid {folder}/nginx.pid; error_log {folder}/nginx.log;\n"
        f"events {{}}\nhttp {{ {temp} access_log off; sendfile on; tcp_nopush on;\n"
        f"server {{ listen 127.0.0.1:{port}; root {root}; }} }}\n"
    )
    return ["/usr/sbin/nginx", "-p", folder, "-c", conf]


def lighttpd(folder, root, port):
    conf = folder / "lighttpd.conf"
    conf.write_text(
        f'server.document-root = "{root}"\nserver.bind = "127.0.0.1"\nserver.port = {port}\n'
        'server.network-backend = "sendfile"\n'
    )
    return ["/usr/sbin/lighttpd", "-D", "-f", conf]


def apache2(folder, root, port):
    conf = folder / "apache2.conf"
    modules = "".join(f"LoadModule {name}_module {MODULES}/mod_{name}.so\n" for name in ("mpm_event", "authz_core"))
    conf.write_text(
        f"{modules}ServerRoot {folder}\nServerName localhost\nListen 127.0.0.1:{port}\nDocumentRoot {root}\n"
        f"PidFile {folder}/apache2.pid\nDefaultRuntimeDir {folder}\nErrorLog {folder}/apache2.log\n"
        "EnableSendfile On\nEnableMMAP Off\n<Directory />\nRequire all granted\n</Directory>\n"
    )
    return ["/usr/sbin/apache2", "-X", "-f", conf]


def vsftpd(folder, root, port):
    conf = folder / "vsftpd.conf"
    conf.write_text(
        f"listen=YES\nlisten_address=127.0.0.1\nlisten_port={port}\nbackground=NO\nrun_as_launching_user=YES\n"
        f"ftp_username={getpass.getuser()}\nanonymous_enable=YES\nno_anon_password=YES\nanon_root={root}\n"
        # The sandbox knows the calls of the first form alone.
        "use_sendfile=YES\nseccomp_sandbox=NO\nxferlog_enable=NO\n"
    )
    return ["/usr/sbin/vsftpd", conf]


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


class Server:
    """A server that runs, with the library or without."""

    def __init__(self, kind, root, library):
        self.folder = tempfile.TemporaryDirectory()
        folder = pathlib.Path(self.folder.name)
        self.counts = folder / "counts"
        self.counts.write_bytes(bytes(16))
        self.log = folder / "log"
        self.port = free_port()
        preload = {"LD_PRELOAD": library} if library else {}
        command = kind(folder, root, self.port)
        self.process = subprocess.Popen(
            ["timeout", "100", *command], env={**os.environ, **preload, "COUNTS": str(self.counts)},
            stdin=subprocess.DEVNULL, stdout=self.log.open("w"), stderr=subprocess.STDOUT, start_new_session=True,
        )  # fmt: skip

    def __enter__(self):
        for _ in range(300):
            if self.process.poll() is not None:
                break
            try:
                socket.create_connection(("127.0.0.1", self.port)).close()
                return self
            except ConnectionRefusedError:
                time.sleep(0.05)
        self.__exit__()
        raise SystemExit(f"{self.process.args[2]} does not start")

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait()
        logs = [path.read_text() for path in pathlib.Path(self.folder.name).glob("*log")]
        self.folder.cleanup()
        if sys.exc_info()[0]:
            print(*logs, sep="\n", file=sys.stderr)

    def counted(self):
        """Calls and bytes."""
        return struct.unpack("@ll", self.counts.read_bytes())


def is_same(got, wanted, what):
    if hashlib.sha256(got).digest() != hashlib.sha256(wanted).digest():
        raise AssertionError(f"{what}: {len(got)} bytes, which are not the {len(wanted)} of the file")
    return len(wanted)


def http_get(port, name, **headers):
    """All on one connection would not show the end of a response; one for each does."""
    client = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    client.request("GET", f"/{name}", headers={**headers, "Connection": "close"})
    response = client.getresponse()
    body = response.read()
    client.close()
    return response.status, body


def over_http(port, files):
    total = 0
    for name, content in files.items():
        status, body = http_get(port, name)
        assert status == 200, status
        total += is_same(body, content, name)
    name, content = max(files.items(), key=lambda item: len(item[1]))
    for start, end in [(0, 0), (1, 70_000), (65_535, 65_536), (len(content) - 5, len(content) - 1), (3, len(content) - 2)]:
        status, body = http_get(port, name, Range=f"bytes={start}-{end}")
        assert status == 206, status
        total += is_same(body, content[start : end + 1], f"{start}-{end}")
    # A client that leaves in the middle, and resumes.
    client = socket.create_connection(("127.0.0.1", port))
    client.sendall(f"GET /{name} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
    got = client.recv(300_000, socket.MSG_WAITALL).partition(b"\r\n\r\n")[2]
    client.close()
    status, rest = http_get(port, name, Range=f"bytes={len(got)}-")
    assert status == 206, status
    return total + is_same(got + rest, content, "resumed")

def over_ftp(port, files):
    total = 0
    ftp = ftplib.FTP()
    ftp.connect("127.0.0.1", port, timeout=30)
    ftp.login()

    def get(name, rest=None):
        parts = []
        ftp.retrbinary(f"RETR {name}", parts.append, rest=rest)
        return b"".join(parts)

    for name, content in files.items():
        total += is_same(get(name), content, name)
    name, content = max(files.items(), key=lambda item: len(item[1]))
    for start in (1, 65_537, len(content) - 5, len(content)):
        total += is_same(get(name, rest=start), content[start:], f"from {start}")
    # A download that breaks off, and resumes.
    with ftp.transfercmd(f"RETR {name}") as data:
        got = data.recv(300_000, socket.MSG_WAITALL)
    try:
        ftp.voidresp()
    except ftplib.error_temp:
        pass
    total += is_same(got + get(name, rest=len(got)), content, "resumed")
    ftp.quit()
    return total


def main(library):
    with tempfile.TemporaryDirectory() as root:
        os.chmod(root, 0o755)
        files = {}
        for size in SIZES:
            files[f"{size}.bin"] = content = os.urandom(size)
            (pathlib.Path(root) / f"{size}.bin").write_bytes(content)
        for kind, fetch in ((nginx, over_http), (lighttpd, over_http), (apache2, over_http), (vsftpd, over_ftp)):
            with Server(kind, root, library) as server:
                fetched = fetch(server.port, files)
                calls, sent = server.counted()
            print(f"{kind.__name__:10} {fetched} bytes as they are in the files; the library sent {sent} in {calls} calls")
            # Small ones may go by a write of their own.
            if library and not sent > fetched * 0.9:
                raise AssertionError("they did not go through the library")
            if not library and calls:
                raise AssertionError("counted without the library")


main(*sys.argv[1:] or [None])
