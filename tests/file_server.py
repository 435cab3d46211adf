"""A web server on this machine that serves one file well, or badly in several ways."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class FileServer:
    """What is served, and what was asked for.

    Attributes:
        url: of the file; any name may be put behind it.
        content: the file.
        manner: "whole", "cut" (half of what it announces, then it hangs up), "silent" (it sends
            half and waits) or "missing" (404).
        asked: the paths that were asked for.
    """

    url: str = ""
    content: bytes = b""
    manner: str = "whole"
    asked: list[str] = field(default_factory=list)
    ended: threading.Event = field(default_factory=threading.Event)


@contextlib.contextmanager
def file_server(content: bytes) -> Iterator[FileServer]:
    """Serve `content` for the time of a test."""
    served = FileServer(content=content)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            served.asked.append(self.path)
            if served.manner == "missing":
                self.send_error(404)
                return
            self.send_response(200)
            self.send_header("Content-Length", str(len(served.content)))
            self.end_headers()
            half = served.manner in ("cut", "silent")
            self.wfile.write(served.content[: len(served.content) // 2 if half else None])
            if served.manner == "silent":
                self.wfile.flush()
                served.ended.wait(30)

        def log_message(self, *_): ...

    class Server(ThreadingHTTPServer):
        daemon_threads = False  # so that closing it waits for the handlers and their sockets

    with Server(("127.0.0.1", 0), Handler) as server:
        served.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield served
        finally:
            served.ended.set()
            server.shutdown()
            thread.join()
