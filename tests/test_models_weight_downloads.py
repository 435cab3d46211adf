"""Downloads into Keras' cache: the right file whole, or an error and nothing left behind."""

from __future__ import annotations

import hashlib
import os
import signal
import socket
import subprocess
import sys
import time
from dataclasses import replace

import pytest

from landmarks_tf.models import weight_downloads
from landmarks_tf.models.pretrained import PRETRAINED
from landmarks_tf.models.weight_downloads import cache_folder, fetch
from tests.conftest import ROOT
from tests.file_server import file_server

CONTENT = bytes(range(256)) * 5000
SHA256 = hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    return tmp_path / "keras" / "models"


@pytest.fixture
def server():
    with file_server(CONTENT) as running:
        yield running


@pytest.fixture
def row(server):
    return replace(
        PRETRAINED["resnet50_torchvision_v1"],
        url=f"{server.url}/resnet50-{SHA256[:8]}.pth",
        published_hash=f"sha256:{SHA256[:8]}",
        sha256=SHA256,
    )


def test_a_file_is_downloaded_once(row, server, cache):
    path = fetch(row)
    assert path == cache / f"resnet50-{SHA256[:8]}.pth"
    assert path.read_bytes() == CONTENT
    assert fetch(row) == path
    assert server.asked == [f"/resnet50-{SHA256[:8]}.pth"]
    assert list(cache.iterdir()) == [path]


def test_the_folder_is_keras_own(monkeypatch, tmp_path):
    monkeypatch.delenv("KERAS_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert cache_folder() == tmp_path / ".keras" / "models"


@pytest.mark.parametrize(
    "digests",
    [
        {"published_hash": f"sha256:{SHA256[:8]}", "sha256": None},
        {"published_hash": f"md5:{hashlib.md5(CONTENT).hexdigest()}", "sha256": None},
        {"published_hash": None, "sha256": None},
    ],
)
def test_whatever_hash_is_known(row, digests):
    assert fetch(replace(row, **digests)).read_bytes() == CONTENT


def refusal(row) -> str:
    with pytest.raises(OSError) as caught:
        fetch(row)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize(
    ("digests", "told"),
    [
        ({"sha256": "0" * 64}, f"its SHA256 is {SHA256}, expected {'0' * 64}"),
        (
            {"published_hash": "sha256:00000000", "sha256": None},
            f"its SHA256 is {SHA256}, expected 00000000",
        ),
        (
            {"published_hash": f"md5:{'0' * 32}", "sha256": None},
            f"its MD5 is {hashlib.md5(CONTENT).hexdigest()}, expected {'0' * 32}",
        ),
    ],
)
def test_another_file_is_removed(row, cache, digests, told):
    message = refusal(replace(row, **digests))
    assert message.startswith(
        f"{row.url} gave another file than the weights resnet50_torchvision_v1 for resnet50: {told}"
    )
    assert "It was removed. Connect to the network and try again, download http://" in message
    assert list(cache.iterdir()) == []


@pytest.mark.parametrize(
    ("manner", "reason"),
    [
        ("cut", r"retrieval incomplete: got only 640000 out of 1280000 bytes"),
        ("missing", "404 -- Not Found"),
        ("silent", "timed out"),
    ],
)
def test_a_bad_connection_leaves_nothing(row, server, cache, monkeypatch, manner, reason):
    monkeypatch.setattr(weight_downloads, "SILENCE_S", 0.5)
    server.manner = manner
    message = refusal(row)
    assert message.startswith("The ImageNet weights of resnet50 could not be downloaded (")
    assert reason in message
    assert message.endswith(
        f"download {row.url} by hand and give weights the path of that file, or give none to train "
        f"from scratch."
    )
    assert list(cache.iterdir()) == []
    assert socket.getdefaulttimeout() is None
    server.manner = "whole"
    assert fetch(row).read_bytes() == CONTENT


def test_no_server_at_all(row, server, cache):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    assert "refused" in refusal(replace(row, url=f"http://127.0.0.1:{port}/a.pth"))
    assert list(cache.iterdir()) == []


def test_half_a_file_in_the_cache_is_downloaded_again(row, server, cache):
    cache.mkdir(parents=True)
    path = cache / row.file_name
    path.write_bytes(CONTENT[:1000])
    with pytest.warns(UserWarning, match=rf"{row.file_name} was removed.*its SHA256 is .*expected"):
        assert fetch(row).read_bytes() == CONTENT
    assert len(server.asked) == 1


def test_a_killed_download_leaves_no_file_of_that_name(row, server, cache):
    server.manner = "silent"
    program = (
        "from dataclasses import replace\n"
        "from landmarks_tf.models.pretrained import PRETRAINED\n"
        "from landmarks_tf.models.weight_downloads import fetch\n"
        f"fetch(replace(PRETRAINED['resnet50_torchvision_v1'], url={row.url!r}))\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", program],
        cwd=ROOT,
        env=os.environ | {"KERAS_BACKEND": "jax"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    deadline = time.monotonic() + 120
    while not (parts := list(cache.glob("*.part"))) and time.monotonic() < deadline:
        time.sleep(0.05)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert [part.name for part in parts] == [f"{row.file_name}.{process.pid}.part"]
    assert not (cache / row.file_name).exists()
    server.manner = "whole"
    assert fetch(row).read_bytes() == CONTENT


def test_nothing_to_download():
    with pytest.raises(ValueError, match=r"res2net200_vd_paddle cannot be downloaded: PaddleClas"):
        fetch(PRETRAINED["res2net200_vd_paddle"])
