"""metrics.csv beside metrics.jsonl, read by Python's own reader and by pandas."""

from __future__ import annotations

import csv
import json

import pandas as pd
import pytest

from landmarks_tf.training.metrics_csv import MetricsCsv

LINES = [
    {"step": 10, "loss": 2.5},
    {"step": 20, "loss": 1.5, "val_top1": 0.5},
    {"step": 30, "loss": 1e-9},
    {"step": 40, "val_top1": 0.75, "loss": 0.5},
]


def write(table, lines):
    for line in lines:
        with table.lines.open("a") as stream:
            stream.write(json.dumps(line) + "\n")
        table.add(line)


def rows(path):
    with path.open(newline="") as stream:
        return list(csv.DictReader(stream))


def test_the_values_are_those_of_the_lines(tmp_path):
    table = MetricsCsv(tmp_path / "metrics.jsonl")
    write(table, LINES)
    assert table.path == tmp_path / "metrics.csv"
    read = pd.read_csv(table.path)
    assert list(read.columns) == ["step", "loss", "val_top1"]
    expected = pd.DataFrame(LINES)[["step", "loss", "val_top1"]]
    pd.testing.assert_frame_equal(read, expected)


def test_every_line_is_there_at_once(tmp_path):
    table = MetricsCsv(tmp_path / "metrics.jsonl")
    for count, line in enumerate(LINES, 1):
        write(table, [line])
        assert len(rows(table.path)) == count


@pytest.mark.parametrize("kept", [0, 1, 3])
def test_made_anew_from_the_lines_that_are_left(tmp_path, kept):
    """As when a run resumes: what was beyond its step is gone, with columns of its own."""
    write(MetricsCsv(tmp_path / "metrics.jsonl"), LINES)
    (tmp_path / "metrics.jsonl").write_text("".join(json.dumps(x) + "\n" for x in LINES[:kept]))
    table = MetricsCsv(tmp_path / "metrics.jsonl")
    assert table.path.exists() is (kept > 0)
    write(table, [{"step": 99, "loss": 7.0}])
    assert [row["step"] for row in rows(table.path)] == [str(x["step"]) for x in LINES[:kept]] + [
        "99"
    ]
    assert ("val_top1" in rows(table.path)[0]) is (kept > 1)
    assert [path.name for path in sorted(tmp_path.iterdir())] == ["metrics.csv", "metrics.jsonl"]


def test_names_that_need_quotes(tmp_path):
    table = MetricsCsv(tmp_path / "metrics.jsonl")
    write(table, [{'a "b", c': 1, "step": 2}])
    assert rows(table.path) == [{'a "b", c': "1", "step": "2"}]
