"""The command, killed and interrupted at several moments, and what it says at its end."""

from __future__ import annotations

import contextlib
import signal
import subprocess
import sys
import time

import pytest

from tests.conftest import ROOT
from tests.gldv2_downloads import fetch, left_over, on_disk, publish
from tests.gldv2_server import gldv2_server


@pytest.fixture
def server():
    with gldv2_server() as served:
        yield served


@pytest.fixture
def expected(server):
    return publish(server)


@pytest.fixture
def out(tmp_path):
    return tmp_path / "gldv2"


def start(server, out, *more: str) -> subprocess.Popen:
    words = ("download", "--out", str(out), "--tars", "0-1", "--base-url", server.url)
    return subprocess.Popen(
        [sys.executable, "-m", "tfrecords_tools", *words, *more],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def wait_for(condition) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_killed_again_and_again_it_ends_with_the_same_files(server, out):
    """SIGKILL at several moments; what readers see is whole at each, and nothing is lost."""
    expected = publish(server, images_per_tar=60, size=8_000)
    server.rate = 400_000  # of each connection: a tar takes more than a second
    kills = 0
    for pause in (0.1, 0.3, 0.5, 0.7, 0.9, 60):
        process = start(server, out)
        wait_for(lambda process=process: server.sending or process.poll() is not None)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(pause)
        kills += process.poll() is None
        process.kill()
        process.communicate()
        assert on_disk(out).items() <= expected.items()
        wait_for(lambda: not server.sending)
        if process.returncode == 0:
            break
    assert kills >= 3
    assert on_disk(out) == expected
    assert left_over(out) == []
    ranges = [asked for path in server.files for asked in server.gets(path) if asked]
    assert len(ranges) >= 3  # what was there was not fetched again


def test_killed_while_it_extracts(server, out, monkeypatch):
    """A process that dies between two images: the tar is there, and is not fetched again."""
    expected = publish(server)
    script = (
        "import os, signal, sys\n"
        "from tfrecords_tools.download import extract\n"
        "copy, done = extract._copy, []\n"
        "def dying(*arguments):\n"
        "    copy(*arguments)\n"
        "    done.append(1)\n"
        "    if len(done) == 7: os.kill(os.getpid(), signal.SIGKILL)\n"
        "extract._copy = dying\n"
        "from tfrecords_tools.__main__ import main\n"
        "main(sys.argv[1:])\n"
    )
    words = ["download", "--out", str(out), "--tars", "0-1", "--base-url", server.url, "--jobs=1"]
    done = subprocess.run([sys.executable, "-c", script, *words], cwd=ROOT, check=False)
    assert done.returncode == -signal.SIGKILL
    assert len(list(out.rglob("[0-9a-f]/**/*.jpg"))) == 6
    assert left_over(out) == ["train/.download/images_000.tar"]
    assert on_disk(out).items() <= expected.items()
    server.asked.clear()
    fetch(server, out)
    assert server.gets("train/images_000.tar") == []
    assert on_disk(out) == expected
    assert not (out / "train/.download/images_000").exists()


def test_ctrl_c_ends_it_at_once_even_where_a_server_is_silent(server, expected, out):
    server.faults = {path: ["silent"] * 9 for path in server.files if path.endswith(".tar")}
    process = start(server, out)
    wait_for(lambda: server.gets("train/images_001.tar"))
    began = time.monotonic()
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=40)
    assert process.returncode == 130
    assert time.monotonic() - began < 20  # the silence would be borne for 60 s
    assert errors.endswith("interrupted: give the same command again to continue\n")
    server.faults = {}
    fetch(server, out)
    assert on_disk(out) == expected


def test_the_command_reports_and_its_errors_are_for_people(server, expected, out, tools):
    words = ["download", "--out", out, "--base-url", server.url, "--tars", "0-1"]
    code, told, _ = tools(*words, "--dry-run")
    assert code == 0
    assert "train: 2 of 2 tars to fetch" in told
    code, told, _ = tools(*words)
    assert code == 0
    assert "fetched " in told
    del server.files["md5sum/test/md5.images_000.txt"]
    (out / "test/.download/images_000.json").unlink()
    code, _, errors = tools(*words)
    assert code == 1
    assert errors.splitlines()[-3:-1] == [
        "error: 1 file(s) could not be fetched:",
        f"  test/images_000.tar: {server.url}/md5sum/test/md5.images_000.txt: the server has "
        "no such file (404)",
    ]
    assert tools(*words, "--jobs", "0")[0] == 2
