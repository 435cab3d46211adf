"""Files fetched from a real server that does everything wrong, checked byte by byte."""

from __future__ import annotations

import threading
import time

import pytest

from tests.fetched_file import CONTENT, IMPATIENT, MD5, PATH, QUICK, getter
from tests.gldv2_server import gldv2_server
from tfrecords_tools.download.fetch import Patience, announced_size, fetch_text
from tfrecords_tools.download.http import RefusedError, UnansweredError
from tfrecords_tools.download.partial import partial_path


@pytest.fixture
def server():
    with gldv2_server() as served:
        served.files[PATH] = CONTENT
        yield served


@pytest.fixture
def get(server, tmp_path):
    return getter(server, tmp_path)


@pytest.mark.parametrize("md5", [MD5, None])
def test_a_good_server(server, get, md5):
    assert get(md5).broken == 0
    assert server.gets(PATH) == [""]


@pytest.mark.parametrize("md5", [MD5, None])
@pytest.mark.parametrize("fault", ["cut", "reset", "chunked-cut"])
def test_a_connection_that_breaks_is_continued(server, get, fault, md5):
    server.faults[PATH] = [fault] * 2
    assert get(md5).broken == 2
    first, second, third = server.gets(PATH)
    assert first == ""
    if fault != "reset":  # what a reset left in the kernel's buffers is lost
        assert (second, third) == ("bytes=150000-", "bytes=225000-")


@pytest.mark.parametrize("md5", [MD5, None])
@pytest.mark.parametrize("fault", ["silent", "mute"])
def test_a_silent_connection_is_given_up_and_continued(server, get, fault, md5):
    server.faults[PATH] = [fault] * 2
    assert get(md5, IMPATIENT).broken >= 2


def test_without_a_checksum_or_a_version_nothing_is_joined(server, get):
    server.validators = False
    server.faults[PATH] = ["cut"]
    assert get(None).broken == 1
    assert server.gets(PATH) == ["", ""]
    assert get(MD5).broken == 0


def test_with_a_checksum_parts_are_joined_without_a_version(server, get):
    server.validators = False
    server.faults[PATH] = ["cut"]
    get(MD5)
    assert server.gets(PATH) == ["", "bytes=150000-"]


@pytest.mark.parametrize("md5", [MD5, None])
def test_a_server_that_knows_no_ranges(server, get, md5):
    server.faults[PATH] = ["cut", "no-range"]
    assert get(md5).broken == 1
    assert server.gets(PATH) == ["", "bytes=150000-"]


@pytest.mark.parametrize("fault", ["wrong-range", "lying-range"])
def test_bytes_of_another_place_are_not_taken(server, get, fault):
    server.faults[PATH] = ["cut", fault]
    get(MD5)
    assert server.gets(PATH)[-1] == ""  # from the start again


@pytest.mark.parametrize("md5", [MD5, None])
@pytest.mark.parametrize("fault", ["busy", "error"])
def test_a_busy_server_is_asked_again(server, get, fault, md5):
    server.faults[PATH] = [fault]
    assert get(md5).broken == 1


@pytest.mark.parametrize("fault", ["chunked", "until-closed", "long"])
def test_the_checksum_decides_whatever_is_said_of_the_length(server, get, fault):
    server.faults[PATH] = [fault] * 99
    get(MD5)
    assert server.gets(PATH) == [""]


def test_a_length_that_is_too_short_is_found_by_the_checksum(server, get):
    server.faults[PATH] = ["short"]
    assert get(MD5).broken == 1
    server.faults[PATH] = ["short"] * 99
    with pytest.raises(RefusedError, match=r"299900 bytes came whose MD5 is .* \(3 times\)"):
        get(MD5)


def test_a_length_that_is_too_long_is_found_without_a_checksum(server, get):
    """The server has nothing behind the last byte, and then says how many there are (416)."""
    server.faults[PATH] = ["long"]
    assert get(None).broken == 1
    assert server.gets(PATH) == ["", "bytes=300000-"]


def test_without_a_checksum_a_length_is_needed(server, get):
    server.faults[PATH] = ["chunked"]
    get(None)
    server.faults[PATH] = ["until-closed"]
    with pytest.raises(RefusedError, match=r"the server does not say how long the file is"):
        get(None)


def test_a_wrong_file_is_fetched_again_and_not_for_ever(server, get, tmp_path):
    server.faults[PATH] = ["flipped", "page"]
    assert get(MD5).broken == 2
    (tmp_path / "file").unlink()
    server.faults[PATH] = ["flipped"] * 99
    with pytest.raises(RefusedError, match=rf"its MD5 should be {MD5}, 300000 bytes came") as error:
        get(MD5)
    assert "(3 times)" in str(error.value)
    assert server.gets(PATH)[3:] == ["", "", ""]
    assert not (tmp_path / "file").exists()


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        ("missing", r"the server has no such file \(404\)"),
        ("forbidden", r"the server refuses it .* \(403\)"),
        ("gzip", r"is sent gzip-encoded"),
    ],
)
def test_what_will_not_change_is_asked_once(server, get, fault, message):
    server.faults[PATH] = [fault] * 99
    with pytest.raises(RefusedError, match=message):
        get()
    assert len(server.gets(PATH)) == 1


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        ("busy", r"the server is busy \(503\) \(4 tries\)"),
        ("mute", r"no answer for 0.4 s \(4 tries\)"),
    ],
)
def test_what_may_change_is_asked_a_few_times(server, get, fault, message):
    server.faults[PATH] = [fault] * 99
    with pytest.raises(RefusedError, match=message):
        get(patience=IMPATIENT if fault == "mute" else QUICK)
    assert len(server.gets(PATH)) == 4


def test_a_server_without_ranges_that_always_cuts_is_given_up(server, get, tmp_path):
    """Each try brings 150,000 bytes, and none brings anything new after the first."""
    server.faults[PATH] = ["cut"] * 99
    server.validators = False
    with pytest.raises(RefusedError, match=r"cut after 150000 of 300000 bytes \(4 tries\)"):
        get(None)
    assert partial_path(tmp_path / "file").read_bytes() == CONTENT[:150_000]
    assert len(server.gets(PATH)) == 4


def test_tries_are_counted_anew_while_something_comes(server, get):
    server.faults[PATH] = ["cut"] * 6  # more than the 4 in a row: 150, 75, 37, 18 kB come
    assert get(patience=QUICK).broken == 6


def test_a_trickle_is_a_stall(server, get):
    server.faults[PATH] = ["trickle"]
    began = time.monotonic()
    assert get(patience=IMPATIENT).broken >= 1
    assert time.monotonic() - began < 60  # 300,000 bytes would take 100 minutes
    assert server.gets(PATH)[1].startswith("bytes=")


def test_more_than_there_may_be_is_refused(server, get):
    server.faults[PATH] = ["chunked"]
    with pytest.raises(RefusedError, match=r"more came than the 1000 bytes there should be"):
        get(largest=1000)


def test_a_text(server):
    server.files["sum.txt"] = b"12 caf\xe9\n"
    url, stop = f"{server.url}/sum.txt", threading.Event()
    server.faults["sum.txt"] = ["cut", "busy"]
    assert fetch_text(url, patience=QUICK, stop=stop) == "12 café\n"
    server.files["sum.txt"] = b"x" * 5000
    with pytest.raises(RefusedError, match=r"more came than the 4096 bytes"):
        fetch_text(url, patience=QUICK, stop=stop)
    server.faults["sum.txt"] = ["busy"] * 99
    with pytest.raises(RefusedError, match=r"the server is busy \(503\) \(4 tries\)"):
        fetch_text(url, patience=QUICK, stop=stop)


def test_the_size_that_is_announced(server):
    url = f"{server.url}/{PATH}"
    assert announced_size(url, silence_s=1) == 300_000
    server.head_faults[PATH] = ["until-closed", "missing", "busy"]
    assert announced_size(url, silence_s=1) is None
    with pytest.raises(RefusedError, match=r"404"):
        announced_size(url, silence_s=1)
    with pytest.raises(UnansweredError, match=r"503"):
        announced_size(url, silence_s=1)


def test_pauses_double_vary_and_are_bounded():
    patience = Patience(first_wait_s=1, longest_wait_s=60)
    for failures, longest in ((1, 1), (2, 2), (5, 16), (7, 60), (9999, 60)):
        waits = {patience.wait_s(failures, None) for _ in range(50)}
        assert longest / 2 <= min(waits) < max(waits) <= longest
        assert len(waits) > 40
    assert patience.wait_s(1, 30.0) == 30
    assert patience.wait_s(9, 1e9) == 60
