"""A book of numbers keeps what was written, whatever happened to the writer."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys

import pytest

from experiments.score_book import ScoreBook
from tests.conftest import ROOT


def test_what_was_put_is_there_the_next_time(tmp_path):
    path = tmp_path / "new" / "scores.jsonl"
    book = ScoreBook(path, "a")
    assert book.get("one") is None
    book.put("one", {"map": 0.1, "precisions": [1 / 3, 0.0]})
    book.put("two", 2)
    book.put("one", {"map": 0.2})
    again = ScoreBook(path, "a")
    assert (again.get("one"), again.get("two"), len(again)) == ({"map": 0.2}, 2, 2)


def test_numbers_of_something_else_are_thrown_away(tmp_path):
    path = tmp_path / "scores.jsonl"
    ScoreBook(path, "a").put("one", 1)
    assert len(ScoreBook(path, "b")) == 0
    assert len(ScoreBook(path, "a")) == 0  # and they are gone


@pytest.mark.parametrize("lost", range(1, 60, 7))
def test_a_line_cut_short_is_as_good_as_not_written(tmp_path, lost):
    path = tmp_path / "scores.jsonl"
    book = ScoreBook(path, "a")
    book.put("one", 1)
    book.put("two", {"text": "x" * 60})
    path.write_bytes(path.read_bytes()[:-lost])
    again = ScoreBook(path, "a")
    # Without its line's end the last line is whole all the same.
    assert again.get("two") == ({"text": "x" * 60} if lost == 1 else None)
    assert again.get("one") == 1
    again.put("three", 3)
    assert ScoreBook(path, "a").get("three") == 3
    for line in path.read_text().splitlines():
        json.loads(line)


@pytest.mark.parametrize("content", [b"", b"\xff\xfe", b"nothing\n"])
def test_a_file_that_is_no_book_is_begun_anew(tmp_path, content):
    path = tmp_path / "scores.jsonl"
    path.write_bytes(content)
    assert len(ScoreBook(path, "a")) == 0


def test_a_killed_writer_loses_nothing_that_it_had_put(tmp_path):
    path = tmp_path / "scores.jsonl"
    program = (
        "import sys; from experiments.score_book import ScoreBook\n"
        "book = ScoreBook(sys.argv[1], 'a')\n"
        "for number in range(10**6):\n"
        "    book.put(str(number), number); print(number, flush=True)\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program, str(path)], stdout=subprocess.PIPE, text=True, cwd=ROOT
    ) as writer:
        for line in writer.stdout:
            if int(line) == 20:
                os.kill(writer.pid, signal.SIGKILL)
                break
        last = max([20, *map(int, writer.stdout.read().split())])
    book = ScoreBook(path, "a")
    assert [book.get(str(number)) for number in range(last + 1)] == list(range(last + 1))
