from __future__ import annotations

import datetime
import email.utils

import pytest

from tests.gldv2_server import gldv2_server
from tfrecords_tools.download.http import UnansweredError, asking


@pytest.fixture
def server():
    with gldv2_server() as served:
        served.files["file"] = bytes(range(256))
        yield served


def read(url: str, **options) -> tuple:
    with asking(url, silence_s=2, **options) as answer:
        body = b""
        while piece := answer.read():
            body += piece
        return answer, body


def test_a_file_and_a_part_of_it(server):
    answer, body = read(f"{server.url}/file")
    assert (answer.start, answer.total, body) == (0, 256, bytes(range(256)))
    assert answer.validator.startswith('"')
    rest, body = read(f"{server.url}/file", offset=200, validator=answer.validator)
    assert (rest.start, rest.total, body) == (200, 256, bytes(range(200, 256)))
    assert rest.validator == answer.validator
    changed, body = read(f"{server.url}/file", offset=200, validator='"another"')
    assert (changed.start, len(body)) == (0, 256)


def test_nothing_behind_the_end(server):
    answer, body = read(f"{server.url}/file", offset=256)
    assert (answer.start, answer.total, body) == (None, 256, b"")


def test_a_head_has_no_body(server):
    answer, body = read(f"{server.url}/file", method="HEAD")
    assert (answer.total, body) == (256, b"")


@pytest.mark.parametrize(
    ("text", "wait_s"),
    [
        ("7", 7.0),
        ("Wed, 21 Oct 2015 07:28:00 GMT", 0.0),  # long ago
        ("soon", None),
        ("-3", None),
    ],
)
def test_retry_after(server, text, wait_s):
    server.faults["file"], server.retry_after = ["busy"], text
    with pytest.raises(UnansweredError, match=r"the server is busy \(503\)") as error:
        read(f"{server.url}/file")
    assert error.value.wait_s == wait_s


def test_retry_after_a_date(server):
    then = datetime.datetime.now(datetime.UTC) + datetime.timedelta(seconds=90)
    server.faults["file"] = ["busy"]
    server.retry_after = email.utils.format_datetime(then, usegmt=True)
    with pytest.raises(UnansweredError) as error:
        read(f"{server.url}/file")
    assert 80 < error.value.wait_s <= 90
