"""GLDv2's published layout on a web server of this machine, which can be told to misbehave.

It speaks HTTP as its specification has it (RFC 9110: ranges, If-Range, entity tags), and departs
from it in the ways that servers and networks are known to: see `FAULTS`.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import random
import socket
import tarfile
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

# What a request can meet; a path has a list of them, used up one a request.
FAULTS = {
    "cut": "sends half of what it announces, then hangs up",
    "reset": "the same, and the connection is reset",
    "silent": "sends half, then nothing more, without hanging up",
    "mute": "never answers at all",
    "trickle": "sends a byte now and then",
    "busy": "503, and Retry-After",
    "error": "500",
    "forbidden": "403",
    "missing": "404",
    "long": "announces 100 bytes more than it has",
    "short": "announces and sends 100 bytes less than it has",
    "no-range": "sends the whole file though a part was asked for",
    "wrong-range": "sends another part than was asked for, and says so",
    "lying-range": "sends bytes of another place under the right numbers",
    "chunked": "does not announce a length, but marks the end",
    "chunked-cut": "the same, and hangs up before the end",
    "until-closed": "neither announces a length nor marks the end",
    "page": "200 and a page of HTML",
    "flipped": "the file with one bit wrong",
    "gzip": "says that it is compressed",
    "moved": "302 to another path, where the file is",
}


@dataclass
class Gldv2Server:
    """What is served, how badly, and what was asked for.

    Attributes:
        url: the base URL.
        files: path (without the leading slash) -> content.
        faults: path -> what its next requests (not HEAD) meet, one a request.
        head_faults: path -> the same for HEAD.
        rate: bytes a second of each connection; None as fast as it goes.
        validators: whether entity tags are sent.
        asked: (method, path, Range header or "") of each request.
        busiest: the most tars that were being sent at one time.
    """

    url: str = ""
    files: dict[str, bytes] = field(default_factory=dict)
    faults: dict[str, list[str]] = field(default_factory=dict)
    head_faults: dict[str, list[str]] = field(default_factory=dict)
    rate: float | None = None
    validators: bool = True
    retry_after: str = "0"
    asked: list[tuple[str, str, str]] = field(default_factory=list)
    busiest: int = 0
    ended: threading.Event = field(default_factory=threading.Event)
    lock: threading.Lock = field(default_factory=threading.Lock)
    sending: int = 0

    def add_tar(self, split: str, number: int, content: bytes) -> str:
        """Serves a tar and its checksum; returns its path."""
        path = f"{split}/images_{number:03d}.tar"
        self.files[path] = content
        line = f"{hashlib.md5(content).hexdigest()}  images_{number:03d}.tar\n"
        self.files[f"md5sum/{split}/md5.images_{number:03d}.txt"] = line.encode()
        return path

    def gets(self, path: str) -> list[str]:
        """The Range headers of all GETs of a path, in order."""
        return [asked for method, name, asked in self.asked if (method, name) == ("GET", path)]


def image_ids(split: str, number: int, count: int) -> list[str]:
    """Made-up ids of one tar."""
    text = (hashlib.md5(f"{split} {number} {i}".encode()).hexdigest() for i in range(count))
    return [one[:16] for one in text]


def tar_of_images(
    ids: list[str], size: int = 700, prefix: str = "", extra: tuple[tuple[str, bytes], ...] = ()
) -> tuple[bytes, dict[str, bytes]]:
    """A tar in GLDv2's layout, written by Python's tarfile, and the images by their paths."""
    images = {}
    for image_id in ids:
        content = random.Random(image_id).randbytes(size)
        images[f"{image_id[0]}/{image_id[1]}/{image_id[2]}/{image_id}.jpg"] = content
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as tar:
        for name, content in (*images.items(), *extra):
            entry = tarfile.TarInfo(prefix + name)
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))
    return stream.getvalue(), images


@contextlib.contextmanager
def gldv2_server() -> Iterator[Gldv2Server]:
    """An empty server, for the time of a test."""
    served = Gldv2Server()

    class Handler(_Handler):
        state = served

    class Server(ThreadingHTTPServer):
        daemon_threads = False  # so that closing it waits for the handlers and their sockets

        def handle_error(self, request, client_address): ...  # clients are killed in these tests

    with Server(("127.0.0.1", 0), Handler) as server:
        served.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield served
        finally:
            served.ended.set()
            server.shutdown()
            thread.join()


class _Handler(BaseHTTPRequestHandler):
    state: Gldv2Server
    _counts = False
    protocol_version = "HTTP/1.1"

    def log_message(self, *_): ...

    def do_HEAD(self):
        self._serve("HEAD", self.state.head_faults)

    def do_GET(self):
        state = self.state
        self._counts = self.path.endswith(".tar")
        with state.lock:
            state.sending += self._counts
            state.busiest = max(state.busiest, state.sending)
        try:
            self._serve("GET", state.faults)
        finally:
            self._sent()

    def _sent(self):
        with self.state.lock:
            self.state.sending -= self._counts
            self._counts = False

    def _serve(self, method: str, faults: dict[str, list[str]]):
        state, path = self.state, self.path.lstrip("/").removeprefix("moved/")
        self.close_connection = True
        with state.lock:
            state.asked.append((method, path, self.headers.get("Range", "")))
            left = faults.get(path, [])
            fault = left.pop(0) if left else "none"
        if fault == "mute":
            state.ended.wait(30)
            return
        status = {"busy": 503, "error": 500, "forbidden": 403, "missing": 404}.get(fault)
        if fault == "moved":
            self._empty(302, [("Location", f"/moved/{path}")])
            return
        if status is None and path not in state.files:
            status = 404
        if status is not None:
            self._empty(status, [("Retry-After", state.retry_after)] if fault == "busy" else [])
            return
        content = state.files[path]
        if fault == "page":
            content = b"<html><body>Log in to use this network</body></html>"
        if fault == "flipped":
            middle = len(content) // 2
            content = content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :]
        self._send_file(method, content, fault)

    def _empty(self, status: int, headers: list[tuple[str, str]]):
        self.send_response(status)
        for name, value in (*headers, ("Content-Length", "0"), ("Connection", "close")):
            self.send_header(name, value)
        self.end_headers()

    def _send_file(self, method: str, content: bytes, fault: str):
        tag = f'"{hashlib.sha1(content).hexdigest()}"' if self.state.validators else None
        start = self._start(tag) if fault != "no-range" else 0
        if start >= len(content) > 0 and start:
            self._empty(416, [("Content-Range", f"bytes */{len(content)}")])
            return
        if fault == "wrong-range":
            start //= 2
        body = content[start:]
        if fault == "lying-range" and start:
            body = content[: len(body)]
        self.send_response(206 if start else 200)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        if tag:
            self.send_header("ETag", tag)
        if fault == "gzip":
            self.send_header("Content-Encoding", "gzip")
        chunked = fault.startswith("chunked")
        length = len(body) + {"long": 100, "short": -100}.get(fault, 0)
        if chunked:
            self.send_header("Transfer-Encoding", "chunked")
        elif fault != "until-closed":
            self.send_header("Content-Length", str(length))
        self.send_header("Connection", "close")
        self.end_headers()
        if method == "HEAD":
            return
        half = fault in ("cut", "reset", "silent", "chunked-cut")
        self._send_body(body[: length // 2 if half else length], fault, chunked)

    def _start(self, tag: str | None) -> int:
        """The first byte that is asked for; 0 where the version is another one."""
        asked = self.headers.get("Range")
        wanted = self.headers.get("If-Range")
        if not asked or (wanted is not None and wanted != tag):
            return 0
        return int(asked.removeprefix("bytes=").rstrip("-"))

    def _send_body(self, body: bytes, fault: str, chunked: bool):
        piece, pause = 65536, 0.0
        if fault == "trickle":
            piece, pause = 1, 0.02
        elif self.state.rate:
            piece, pause = 4096, 4096 / self.state.rate
        for place in range(0, len(body), piece):
            part = body[place : place + piece]
            if place + piece >= len(body):
                self._sent()  # before the client can know that it has all
            self.wfile.write(b"%x\r\n%b\r\n" % (len(part), part) if chunked else part)
            pause = (
                0.02 if fault == "trickle" else piece / self.state.rate if self.state.rate else 0
            )
            if pause and self.state.ended.wait(pause):
                return
        if chunked and fault != "chunked-cut":
            self.wfile.write(b"0\r\n\r\n")
        self.wfile.flush()
        if fault == "silent":
            self.state.ended.wait(30)
        if fault == "reset":
            time.sleep(0.02)
            linger = b"\1\0\0\0\0\0\0\0"  # hang up at once, without the rest of the goodbye
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
