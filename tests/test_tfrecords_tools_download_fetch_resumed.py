"""Files of which an earlier run left a part: continued, begun anew, or stopped again."""

from __future__ import annotations

import random
import threading
import time

import pytest

from tests.fetched_file import CONTENT, PATH, getter
from tests.gldv2_server import gldv2_server
from tfrecords_tools.download.fetch import Patience, StoppedError
from tfrecords_tools.download.http import RefusedError
from tfrecords_tools.download.partial import partial_path


@pytest.fixture
def server():
    with gldv2_server() as served:
        served.files[PATH] = CONTENT
        yield served


@pytest.fixture
def get(server, tmp_path):
    return getter(server, tmp_path)


def leave(tmp_path, content: bytes) -> None:
    """What a killed run leaves of the file."""
    partial_path(tmp_path / "file").write_bytes(content)


def test_what_an_earlier_run_left_is_continued(server, get, tmp_path):
    leave(tmp_path, CONTENT[:123_456])
    get()
    assert server.gets(PATH) == ["bytes=123456-"]


@pytest.mark.parametrize("left", [CONTENT[:99] + b"!", CONTENT + b"more", b"x" * 300_000])
def test_what_an_earlier_run_left_may_be_wrong(server, get, tmp_path, left):
    leave(tmp_path, left)
    assert get().broken == 1
    assert server.gets(PATH) == [f"bytes={len(left)}-", ""]


def test_a_file_that_moved_is_continued_where_it_is(server, get, tmp_path):
    leave(tmp_path, CONTENT[:1000])
    server.faults[PATH] = ["moved"]
    assert get().broken == 0
    assert server.gets(PATH) == ["bytes=1000-", "bytes=1000-"]
    (tmp_path / "file").unlink()
    server.faults[PATH] = ["moved"] * 99  # to itself
    with pytest.raises(RefusedError, match=r"never to the file \(302\)$"):
        get()


def test_a_whole_file_without_its_name_needs_no_server(server, get, tmp_path):
    leave(tmp_path, CONTENT)
    get()
    assert server.asked == []


def test_a_file_that_changes_between_two_runs_is_not_joined(server, get, tmp_path):
    server.faults[PATH] = ["cut", *["missing"] * 9]
    with pytest.raises(RefusedError, match=r"404"):
        get(None)
    assert partial_path(tmp_path / "file").stat().st_size == 150_000
    server.files[PATH] = random.Random(6).randbytes(200_000)
    server.faults[PATH] = []
    get(None)
    assert server.gets(PATH)[-1] == "bytes=150000-"  # with the old version's tag: all of the new


def test_a_file_that_shrank_between_two_runs_is_not_taken(server, get, tmp_path):
    server.faults[PATH] = ["cut", *["missing"] * 9]
    with pytest.raises(RefusedError, match=r"404"):
        get(None)
    server.files[PATH], server.faults[PATH] = CONTENT[:100], []
    get(None)


def test_a_stop_ends_pieces_and_pauses(server, get, tmp_path):
    stop = threading.Event()
    stop.set()
    with pytest.raises(StoppedError):
        get(stop=stop)
    server.faults[PATH] = ["busy"] * 9
    server.retry_after = "60"
    stop = threading.Event()
    threading.Timer(0.1, stop.set).start()
    began = time.monotonic()
    with pytest.raises(StoppedError):
        get(stop=stop, patience=Patience())
    assert time.monotonic() - began < 30
    server.faults = {}
    get()  # and what came goes on
