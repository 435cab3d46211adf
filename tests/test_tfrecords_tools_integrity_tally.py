from __future__ import annotations

import csv
import io

from tfrecords_tools.integrity.pictures import Verdict
from tfrecords_tools.integrity.tally import COLUMNS, EXAMPLES, FindingsList, Tally
from tfrecords_tools.integrity.traits import to_bits

ID = b"0123456789abcdef"


def test_counts_examples_and_rows():
    stream = io.StringIO()
    tally = Tally("train", FindingsList(stream))
    tally.add(Verdict(ID, "", 0, noted=True))
    tally.add(Verdict(b"abc", "", to_bits(frozenset({"grey", "tiny"})), noted=False))
    tally.add(Verdict(b"def", "truncated: 5 bytes, as it were", 0, noted=False))
    tally.add(Verdict(b"fed", "missing", 0, noted=False))
    assert tally.as_json() == {
        "checked": 4,
        "checked_before": 1,
        "good": 2,
        "faults": {"truncated": 1, "missing": 1},
        "traits": {"grey": 1, "tiny": 1},
        "examples": {
            "grey": [{"id": "abc"}],
            "tiny": [{"id": "abc"}],
            "truncated": [{"id": "def", "detail": "5 bytes, as it were"}],
            "missing": [{"id": "fed"}],
        },
    }
    rows = list(csv.reader(io.StringIO(stream.getvalue())))
    assert tuple(rows[0]) == COLUMNS
    assert rows[3] == ["train", "def", "train/d/e/f/def.jpg", "truncated", "5 bytes, as it were"]
    assert len(rows) == 5


def test_ten_thousand_corrupt_images_are_all_listed_and_few_are_kept():
    stream = io.StringIO()
    tally = Tally("index", FindingsList(stream))
    for number in range(10_000):
        tally.add(Verdict(b"%016x" % number, "truncated: at the end", 0, noted=False))
    assert tally.faults == {"truncated": 10_000}
    assert len(tally.as_json()["examples"]["truncated"]) == EXAMPLES
    assert len(stream.getvalue().splitlines()) == 10_001


def test_without_a_stream_nothing_is_written():
    FindingsList(None).add("train", ID, "missing")
