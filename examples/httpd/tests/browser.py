#!/usr/bin/env python3
"""A headless Chromium (CHROMIUM is its command) loads a page with a style sheet, a script and images from HTTPD."""

import os
import shlex
import struct
import subprocess
import tempfile
import unittest
import zlib
from pathlib import Path

from http import Server

PAGE = """<!doctype html>
<link rel="stylesheet" href="style.css">
<p id="result">
<img src="a/small.png"><img src="a/large.png"><img src="a/drawing.svg"><img src="a/n%C3%A4me%20with%20space.png"><img src="none.png">
<script src="script.js"></script>
"""
SCRIPT = """
addEventListener("load", async () => {
    const part = await fetch("numbers.txt", { headers: { Range: "bytes=10-19" } });
    const all = await (await fetch("numbers.txt")).text();
    document.getElementById("result").textContent = JSON.stringify({
        widths: [...document.images].map((image) => image.naturalWidth),
        colour: getComputedStyle(document.body).color,
        part: [part.status, part.headers.get("content-range"), await part.text()],
        all: all.length,
    });
});
"""


def png(width, height):
    """Noise, so that its length is that of its pixels."""
    chunk = lambda name, data: struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
    pixels = b"".join(b"\0" + os.urandom(3 * width) for _ in range(height))
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(pixels, 1)) + chunk(b"IEND", b"")


class Browser(unittest.TestCase):
    def test_a_page_with_images(self):
        numbers = "".join(f"{i:09}\n" for i in range(100_000))
        files = {
            "index.html": PAGE.encode(),
            "style.css": b"body { color: rgb(1, 2, 3) }",
            "script.js": SCRIPT.encode(),
            "numbers.txt": numbers.encode(),
            "a/small.png": png(7, 5),
            "a/large.png": png(1200, 900),
            "a/drawing.svg": b'<svg xmlns="http://www.w3.org/2000/svg" width="31" height="17"><rect width="9" height="9"/></svg>',
            "a/näme with space.png": png(13, 2),
        }
        with tempfile.TemporaryDirectory() as folder:
            root = Path(folder) / "root"
            for name, data in files.items():
                (root / name).parent.mkdir(parents=True, exist_ok=True)
                (root / name).write_bytes(data)
            server = Server(root)
            self.addCleanup(server.kill)
            dom = subprocess.run(
                [*shlex.split(os.environ["CHROMIUM"]), "--no-sandbox", "--disable-gpu", "--no-proxy-server", "--dump-dom",
                 "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1", f"--user-data-dir={folder}/profile",
                 "--virtual-time-budget=20000", f"http://127.0.0.1:{server.address[1]}/"],
                stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, timeout=120, check=True,
            ).stdout
            self.assertIn('"widths":[7,1200,31,13,0]', dom)
            self.assertIn('"colour":"rgb(1, 2, 3)"', dom)
            self.assertIn(f'"part":[206,"bytes 10-19/{len(numbers)}","000000001\\n"]', dom)
            self.assertIn(f'"all":{len(numbers)}', dom)
            self.assertEqual(server.end(), 0)


if __name__ == "__main__":
    unittest.main()
