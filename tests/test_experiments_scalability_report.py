"""Studies as tables and one figure; the report's own numbers give its own percentages."""

from __future__ import annotations

import csv
import json

import pytest
from PIL import Image

from experiments.scalability_report import (
    PUBLISHED_SIZES,
    csv_text,
    main,
    markdown,
    published_series,
    series_of,
)


def study(name="mine", **other):
    def row(step, size, value):
        part = {"map@100": value, "queries": 7, "relative": value / 0.5}
        none = {"map@100": 0.0, "queries": 9, "relative": None}
        found = {"step": step, "index_size": size, "ground_truth": 60}
        return found | {"public": part, "private": none}

    whole = {"format_version": 1, "experiment": name, "loss": "arcface", "data": "demo"}
    whole |= {"search": "exact", "seeds": {"train": 3}, "notes": ["Small."]}
    return whole | {"trained": [row(80, 1_065, 0.5), row(1, 2_000, 0.25)]} | other


def test_published_percentages():
    """As the report prints them (reproduction.md section 2.10), from its six-digit values."""
    arcface, ge2e, unet = published_series()
    assert [round(100 * v, 2) for v in arcface["public"]] == [
        *(100, 95.84, 91.28, 86.49, 80.20, 71.61, 64.67)
    ]
    assert [round(100 * v, 2) for v in ge2e["private"]] == [
        *(100, 92.56, 82.05, 71.59, 60.68, 47.49, 39.22)
    ]
    assert [round(100 * v, 2) for v in unet["public"]] == [
        *(100, 86.58, 77.40, 61.38, 48.29, 36.66, 27.35)
    ]
    assert arcface["sizes"] == list(PUBLISHED_SIZES)


def test_tables():
    rows = list(csv.DictReader(csv_text([study(), study("other")]).splitlines()))
    assert len(rows) == 8
    assert rows[2] == {
        "experiment": "mine",
        "state": "trained",
        "step": "1",
        "index_size": "2000",
        "ground_truth": "60",
        "part": "public",
        "queries": "7",
        "map@100": "0.25",
        "relative": "0.5",
    }
    assert rows[3]["relative"] == ""
    text = markdown([study()])
    assert (
        "mine, trained (7 public and 9 private queries; exact search; data: demo; seed 3)" in text
    )
    assert "| 1 | 2,000 | 60 | 0.2500 | 50.00% | 0.0000 | - |" in text
    assert text.endswith("Note: Small.")


def test_untrained_is_a_line_of_its_own():
    both = study(untrained=study()["trained"])
    assert [(one["label"], one["method"]) for one in series_of(both)] == [
        ("mine", "arcface"),
        ("mine, untrained", ""),
    ]
    assert series_of(both)[0]["public"] == [1.0, 0.5]


def test_the_command_draws_several_runs(tmp_path, capsys):
    for name in "ab":
        (tmp_path / name / "scalability").mkdir(parents=True)
        (tmp_path / name / "scalability" / "scalability.json").write_text(json.dumps(study(name)))
    out = tmp_path / "out"
    assert main([str(tmp_path / "a"), str(tmp_path / "b"), "--out", str(out), "--published"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        str(out / f"scalability.{kind}") for kind in ("csv", "md", "png")
    ]
    with Image.open(out / "scalability.png") as picture:
        assert picture.width > 1_000
    assert sorted(path.name for path in out.iterdir()) == [
        *("scalability.csv", "scalability.md", "scalability.png")
    ]


@pytest.mark.parametrize("text", ["[]", "{}", '{"format_version": 2, "trained": []}', "{"])
def test_a_strange_study_is_refused(tmp_path, capsys, text):
    (tmp_path / "scalability").mkdir()
    (tmp_path / "scalability" / "scalability.json").write_text(text)
    assert main([str(tmp_path), "--out", str(tmp_path / "out")]) == 1
    assert "scalability.json" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_a_run_without_a_study_is_told_how_to_make_one(tmp_path, capsys):
    assert main([str(tmp_path), "--out", str(tmp_path / "out")]) == 1
    assert "--stage scalability" in capsys.readouterr().err
