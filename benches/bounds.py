"""Checks the deterministic figures against bounds.json, in which --update writes what is measured now.

More than there is a fault; less is one as well, so that the record stays true: update it.
"""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

import calls
import segments
import stack
from common import CPUS, PROGRAMS, ROOT, build, run

RECORD = ROOT / "benches" / "bounds.json"
# They say what the most of the stacks is.
DOCUMENTS = ["docs/measured.md", "docs/embedding.md"]


def system_calls(size):
    """Those of examples/httpd for one request of a file of so many bytes, on a connection that stays."""
    httpd = build(ROOT / "examples" / "httpd") / "httpd"
    with tempfile.TemporaryDirectory() as folder:
        trace = Path(folder) / "trace"
        (Path(folder) / "file").write_bytes(bytes(size))
        command = ["strace", "-o", trace, httpd, "--root", folder, "--port", "0"]
        server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        port = int(server.stdout.readline().rsplit(":", 1)[1])
        with socket.create_connection(("127.0.0.1", port), 10) as client, client.makefile("rb") as stream:
            for i in range(50):
                client.sendall(b"GET /file HTTP/1.1\r\nHost: x\r\n\r\n")
                head = b"".join(iter(stream.readline, b"\r\n"))
                assert head.startswith(b"HTTP/1.1 200 "), head
                stream.read(size)
        traced = Path(f"/proc/{server.pid}/task/{server.pid}/children").read_text()
        os.kill(int(traced), signal.SIGTERM)
        server.wait(10)
        server.stdout.close()
        return most_often(trace, "epoll_pwait")


def most_often(trace, wait):
    """What is called between two waits, as it is most often: now and then a server looks after what is late, and a sender flushes."""
    names = re.findall(r"^(\w+)\(", trace.read_text(), re.MULTILINE)
    turns = " ".join(names).split(wait)
    return max(set(turns), key=turns.count).split() + [wait]


def full_socket(way):
    """Those of a loop to a nonblocking socket whose reader is slow, from one wait for room to the next."""
    program = build(PROGRAMS, "--bin", "full") / "full"
    with tempfile.TemporaryDirectory() as folder:
        trace = Path(folder) / "trace"
        run("strace", "-o", trace, program, way)
        return most_often(trace, "ppoll")


def in_steps(stacks, cpu):
    """The stack of each function on a CPU, at least one step."""
    return {name: max(1, -(-most // 128)) * 128 for (on, name), most in stacks.items() if on == cpu}


def measure():
    counts = calls.measure(["bare-sendfile"])
    stacks = stack.measure()
    rows = segments.measure(15, "bare-sendfile")
    return {
        "instructions": {f"{cpu} {form}": number for (cpu, form, _), number in counts.items()},
        "segments": {f"{case}, TCP_NODELAY {nodelay}": number for case, _, nodelay, number, *_ in rows},
        "system calls of httpd": {str(size): system_calls(size) for size in [0, 1024, 65536]},
        "system calls on a full socket": {way: full_socket(way) for way in ["bare", "poll_send"]},
        # Compilers differ a little, here and in sizes.
        **{f"bytes of stack on {cpu}, in steps of 128": in_steps(stacks, cpu) for cpu in CPUS},
        "KiB of httpd, in steps of 16": {
            cpu: -(-os.path.getsize(build(ROOT / "examples" / "httpd", cpu=cpu) / "httpd") // 16384) * 16 for cpu in CPUS
        },
    }


def main():
    measured = measure()
    if sys.argv[1:] == ["--update"]:
        RECORD.write_text(json.dumps(measured, indent=1) + "\n")
    recorded = json.loads(RECORD.read_text())
    wrong = [
        f"{part}: {name}: {value}, recorded is {recorded[part].get(name)}"
        for part, values in measured.items()
        for name, value in values.items()
        if recorded[part].get(name) != value
    ]
    most = max(number for part, values in recorded.items() if "stack" in part for number in values.values())
    claim = f"No call uses more than {most} bytes of stack"
    wrong += [f"{name} does not say: {claim}" for name in DOCUMENTS if claim not in (ROOT / name).read_text()]
    print(json.dumps(measured, indent=1))
    sys.exit("\n".join(wrong) or 0)


main()
