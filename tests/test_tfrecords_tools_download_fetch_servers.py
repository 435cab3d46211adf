"""Files fetched from other servers than our own, and from what is none."""

from __future__ import annotations

import contextlib
import shutil
import socket
import ssl
import subprocess
import threading

import pytest

from tests.fetched_file import CONTENT, MD5, QUICK
from tfrecords_tools.download.fetch import announced_size, fetch
from tfrecords_tools.download.http import RefusedError, asking
from tfrecords_tools.download.partial import PartialFile


def test_no_connection_says_so(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    with pytest.raises(RefusedError, match=rf"127.0.0.1:{port}/f: Connection refused \(4 tries\)"):
        fetch(
            f"http://127.0.0.1:{port}/f", tmp_path / "f", md5=MD5, patience=QUICK,
            stop=threading.Event(),
        )  # fmt: skip


def test_what_is_no_http_says_so(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as server:

        def greet():
            for _ in range(QUICK.tries):
                client, _ = server.accept()
                with client:
                    client.recv(1000)
                    client.sendall(b"220 mail.example ready\r\n")

        thread = threading.Thread(target=greet)
        thread.start()
        url = f"http://127.0.0.1:{server.getsockname()[1]}/f"
        with pytest.raises(RefusedError, match=r"220 mail.example ready"):
            fetch(url, tmp_path / "f", md5=MD5, patience=QUICK, stop=threading.Event())
        thread.join()


@pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is not installed")
def test_a_certificate_that_nobody_vouches_for_is_refused_at_once(tmp_path):
    pem = tmp_path / "both.pem"
    words = "req -x509 -newkey rsa:2048 -nodes -days 1 -subj /CN=localhost"
    subprocess.run(
        ["openssl", *words.split(), "-keyout", pem, "-out", tmp_path / "cert.pem"],
        check=True,
        capture_output=True,
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "cert.pem", pem)
    asked = []
    with socket.create_server(("127.0.0.1", 0)) as server:

        def shake_hands():
            client, _ = server.accept()
            asked.append(1)
            with client, contextlib.suppress(OSError):
                context.wrap_socket(client, server_side=True).close()

        thread = threading.Thread(target=shake_hands)
        thread.start()
        url = f"https://127.0.0.1:{server.getsockname()[1]}/f"
        with pytest.raises(RefusedError, match=r"/f: self.signed certificate"):
            fetch(url, tmp_path / "f", md5=MD5, patience=QUICK, stop=threading.Event())
        thread.join()
    assert asked == [1]


@pytest.mark.parametrize("md5", [MD5, None])
def test_another_server_that_knows_ranges(tmp_path, md5):
    """Starlette's, behind uvicorn: its entity tags, its If-Range, its 416."""
    uvicorn = pytest.importorskip("uvicorn")
    staticfiles = pytest.importorskip("starlette.staticfiles")
    folder = tmp_path / "served"
    folder.mkdir()
    (folder / "f").write_bytes(CONTENT)
    config = uvicorn.Config(
        staticfiles.StaticFiles(directory=folder), log_level="error", lifespan="off", ws="none"
    )
    with socket.create_server(("127.0.0.1", 0)) as listening:
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
        thread.start()
        try:
            url = f"http://127.0.0.1:{listening.getsockname()[1]}/f"
            with asking(url, silence_s=5) as answer:
                tag = answer.validator
            assert announced_size(url, silence_s=5) == 300_000
            for kept, version in ((1000, tag), (300_000, tag), (1000, '"another"')):
                with PartialFile(tmp_path / "f") as part:
                    part.begin(version)
                    part.append(CONTENT[:kept] if version == tag else b"x" * kept)
                fetch(url, tmp_path / "f", md5=md5, patience=QUICK, stop=threading.Event())
                assert (tmp_path / "f").read_bytes() == CONTENT
        finally:
            server.should_exit = True
            thread.join()
