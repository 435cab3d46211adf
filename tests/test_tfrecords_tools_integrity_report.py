from __future__ import annotations

import json

import pytest

from tests.reference import gldv2, gldv2_tables
from tfrecords_tools.integrity.files import find_files
from tfrecords_tools.integrity.pictures import Verdict
from tfrecords_tools.integrity.published import compare
from tfrecords_tools.integrity.report import SHOWN_PROBLEMS, counted, make_report, summary
from tfrecords_tools.integrity.tables import read_tables
from tfrecords_tools.integrity.tally import FindingsList, Tally
from tfrecords_tools.integrity.traits import FAULTS, TREATMENT, to_bits


@pytest.fixture
def found(tmp_path):
    gldv2_tables.write_whole(tmp_path)
    gldv2.image_path(tmp_path, "train", gldv2.image_id("train 7 0")).unlink()
    gldv2.put(tmp_path, "train", "0123456789abcdef", b"")
    tables = read_tables(tmp_path)
    files = find_files(tables, "train")
    tally = Tally("train", FindingsList(None))
    tally.add(Verdict(b"abc", "", to_bits(frozenset({"grey"})), noted=True))
    tally.add(Verdict(b"abd", "truncated: x", 0, noted=False))
    return tables, files, tally


def report_of(found, problems, edition="gldv2"):
    tables, files, tally = found
    return make_report(
        tables, edition, compare(edition, tables.counts), {"train": (files, tally)}, problems
    )


def test_the_report_is_json_and_says_it_all(found):
    report = report_of(found, ["something"])
    assert json.loads(json.dumps(report)) == report
    assert (report["sound"], report["edition"], report["stage"]) == (False, "gldv2", None)
    train = report["splits"]["train"]
    assert (train["listed"], train["with_file"], train["missing"]) == (9, 8, 1)
    assert train["missing_of_clean"] == 1
    assert train["missing_examples"] == [gldv2.image_id("train 7 0")]
    assert train["not_listed_examples"] == ["0123456789abcdef"]
    assert train["images"]["faults"] == {"truncated": 1}
    assert set(report["treatment"]) == {*FAULTS, *TREATMENT}
    published = {row["name"]: row for row in report["published"]}
    assert published["train images"]["found"] == 9
    assert published["train images"]["published"] == 4_132_914
    assert not published["train images"]["agrees"]


def test_the_stage_of_a_kaggle_folder(found):
    found[0].is_kaggles = True
    assert report_of(found, [], "kaggle-recognition")["stage"] == "re-run"
    found[0].counts["train images"] = 1_580_470
    assert report_of(found, [], "kaggle-recognition")["stage"] == "public"


def test_the_summary_for_people(found):
    lines = list(summary(report_of(found, ["a", "b"])))
    assert lines[1:4] == [
        "train: 9 images listed, 8 with a file, 1 decode (1 of them proven before)",
        "  unusual, kept: 1 grey",
        "  1 file(s) are in no list: ignored",
    ]
    assert lines[4] == (
        "label spaces: 2 classes of index are in train too, by category, with 3 index images"
    )
    assert lines[5] == (
        "a data set of its own: none of the 10 counts is that of the published gldv2 "
        "(train images: 4,132,914)"
    )
    assert lines[6:] == ["2 problem(s):", "  a", "  b"]


def test_counts_that_are_not_all_as_published_are_named(found):
    found[0].counts |= {"train images": 4_132_914, "index images": 761_750}
    (line,) = [line for line in summary(report_of(found, [])) if "published" in line]
    assert line.startswith("1 of 10 counts are the published ones of gldv2; here (published): ")
    assert "index images 761,750 (761,757)" in line
    assert "scored retrieval queries none (1,129)" in line
    assert "train images 4" not in line


def test_many_problems_do_not_flood_the_terminal(found):
    lines = list(summary(report_of(found, [str(n) for n in range(100)])))
    assert lines[-1] == f"  ... and {100 - SHOWN_PROBLEMS} more"
    assert len(lines) < 40


def test_a_sound_folder_not_opened(found):
    tables, files, _ = found
    lines = list(summary(report_of((tables, files, None), [])))
    assert lines[1].endswith("8 with a file (not opened)")
    assert lines[-1] == "nothing is wrong"


def test_all_counts_as_published(found):
    tables = found[0]
    tables.counts = {c.name: c.published for c in compare("kaggle-recognition", {})}
    assert "all 3 counts are the published ones of kaggle-recognition" in list(
        summary(report_of(found, [], "kaggle-recognition"))
    )


def test_counted():
    assert counted({"grey": 3000, "tiny": 1}) == "3,000 grey, 1 tiny"
    assert counted({}) == ""
