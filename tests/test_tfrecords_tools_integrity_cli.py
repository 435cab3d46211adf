from __future__ import annotations

import csv
import json
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import pytest

from tests.reference import gldv2, gldv2_tables
from tests.reference.gldv2 import picture
from tests.unprivileged import public_folder, unwritable
from tfrecords_tools.integrity.cli import check
from tfrecords_tools.raw import RawFolderError

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture
def raw(tmp_path):
    gldv2_tables.write_whole(tmp_path / "raw")
    return tmp_path / "raw"


@pytest.fixture
def run(tools):
    return partial(tools, "check")


def test_a_sound_folder_is_0_and_the_report_is_written(run, raw, tmp_path):
    code, out, _ = run("--raw", raw, "--json", tmp_path / "report.json")
    assert code == 0
    assert out.splitlines()[-1] == "nothing is wrong"
    report = json.loads((tmp_path / "report.json").read_text())
    assert report["sound"]
    assert {s: part["images"]["good"] for s, part in report["splits"].items()} == {
        "train": 9,
        "index": 4,
        "test": 3,
    }
    assert report["counts"]["c2x images"] == 8
    code, out, _ = run("--raw", raw)
    assert code == 0
    assert "9 decode (9 of them proven before)" in out


def test_published_counts_can_be_demanded(run, raw):
    code, out, _ = run("--raw", raw, "--no-decode", "--published")
    assert code == 1
    assert "train images: 9, the published gldv2 has 4132914 (cvdfoundation" in out
    assert "c2x images:" not in out  # not demanded
    assert not (raw / ".check").exists()


def test_every_kind_of_bad_and_odd_image_is_counted_and_listed(raw, tmp_path):
    names = iter(gldv2.image_id(f"train {n} {i}") for n, k in gldv2_tables.CLEAN.items()
                 for i in range(k))  # fmt: skip
    good = picture("a", (64, 48))
    bad = {
        "truncated": good[:-40],
        "empty file": b"",
        "not an image": b"<html>404</html>",
        "unsupported format": b"GIF89a" + bytes(20),
    }
    odd = {"grey": picture("a", (64, 48), mode="L"), "CMYK": picture("a", (64, 48), mode="CMYK")}
    path_of = {}
    for kind, data in (bad | odd).items():
        path_of[kind] = gldv2.put(raw, "train", next(names), data)
    gone = next(names)
    gldv2.image_path(raw, "train", gone).unlink()
    report = check(raw, findings=tmp_path / "list.csv", progress=False)
    images = report["splits"]["train"]["images"]
    assert images["faults"] == dict.fromkeys(bad, 1)
    assert {kind: images["traits"][kind] for kind in odd} == dict.fromkeys(odd, 1)
    assert report["problems"] == [
        "1 of 9 listed images of train have no file (1 of them clean)",
        "4 image(s) of train cannot become records: "
        + ", ".join(f"1 {k}" for k in images["faults"]),
    ]
    with (tmp_path / "list.csv").open(newline="") as stream:
        rows = {row["finding"]: row for row in csv.DictReader(stream) if row["split"] == "train"}
    for kind, path in path_of.items():
        assert raw / rows[kind]["path"] == path
    assert rows["missing"]["id"] == gone
    assert rows["truncated"]["detail"].startswith("image file is truncated")


def test_ten_thousand_corrupt_images_flood_neither_terminal_nor_report(run, tmp_path):
    raw, report = tmp_path / "raw", tmp_path / "report.json"
    gldv2.write_folder(raw, {7: 2})
    folder = raw / "test" / "a" / "b" / "c"
    folder.mkdir(parents=True)
    names = [f"abc{number:013x}" for number in range(10_000)]
    for name in names:
        (folder / f"{name}.jpg").write_bytes(b"<html>404</html>")
    (raw / "test.csv").write_text("id\n" + "\n".join(names) + "\n")
    code, out, _ = run("--raw", raw, "--json", report, "--list", tmp_path / "list.csv")
    assert code == 1
    assert "10000 image(s) of test cannot become records: 10,000 not an image" in out
    assert len(out) < 1000
    assert report.stat().st_size < 20_000
    assert len((tmp_path / "list.csv").read_text().splitlines()) > 10_000


def test_ground_truth_that_no_search_can_find(raw):
    gldv2.image_path(raw, "index", gldv2_tables.INDEX_IDS[0]).unlink()
    gldv2.put(raw, "index", gldv2_tables.INDEX_IDS[2], b"broken")
    gldv2.put(raw, "index", gldv2_tables.INDEX_IDS[3], b"broken")  # asked for by nobody
    problems = check(raw, splits=["index"], progress=False)["problems"]
    assert problems[2].startswith("2 of 3 images that the retrieval ground truth asks for are")
    assert len(problems) == 3


def test_kaggles_folders_pass(run, tmp_path):
    gldv2_tables.write_kaggle(tmp_path / "r20", index=True)
    gldv2_tables.write_kaggle(tmp_path / "r21", index=True, submission="images")
    gldv2_tables.write_kaggle(tmp_path / "g20", submission="landmarks")
    for name, edition in (
        ("r20", "kaggle-retrieval-2020"),
        ("r21", "kaggle-retrieval-2021"),
        ("g20", "kaggle-recognition"),
    ):
        code, out, _ = run("--raw", tmp_path / name, "--no-decode")
        assert code == 0, out
        assert f"laid out as {edition}, re-run stage" in out
    report = check(tmp_path / "r20", decode=False)
    assert report["counts"]["index images"] == 4
    gldv2.image_path(tmp_path / "g20", "test", gldv2.image_id("test 1")).unlink()
    assert check(tmp_path / "g20", decode=False)["problems"] == [
        "1 of 3 listed images of test have no file"
    ]


def test_a_report_that_cannot_be_written_is_told_before_the_work(run, raw, tmp_path):
    code, out, err = run("--raw", raw, "--json", tmp_path / "none" / "report.json")
    assert (code, out) == (1, "")
    assert f"{tmp_path / 'none'} is no folder that can be written to" in err
    assert not (raw / ".check").exists()


def test_only_one_split(raw):
    report = check(raw, splits=["test"], decode=False)
    assert list(report["splits"]) == ["test"]
    assert report["sound"]


def test_a_journal_elsewhere(raw, tmp_path):
    check(raw, journals=tmp_path / "notes", splits=["test"], progress=False)
    assert [path.name for path in (tmp_path / "notes").iterdir()] == ["test.journal"]
    assert not (raw / ".check").exists()


def test_a_folder_that_may_not_be_written_to_is_checked_all_the_same(run):
    with public_folder() as root:
        gldv2_tables.write_whole(root)
        with unwritable(root):
            code, out, _ = run("--raw", root, "--split", "test")
    assert code == 0
    assert "test: 3 images listed, 3 with a file, 3 decode" in out
    assert "is not noted, and the next check begins anew; --journal DIR" in out


def test_a_folder_of_something_else(run, tmp_path):
    (tmp_path / "holiday.jpg").touch()
    code, _, err = run("--raw", tmp_path)
    assert code == 1
    assert "is no GLDv2 folder: looked for train.csv" in err
    assert "it holds: holiday.jpg" in err
    with pytest.raises(RawFolderError, match="there is no folder"):
        check(tmp_path / "none")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "required: --raw"),
        (["--raw", "r", "--workers", "0"], "--workers must be at least 1, got 0"),
        (["--raw", "r", "--split", "val"], "invalid choice: 'val'"),
    ],
)
def test_usage_errors_are_2(run, arguments, message):
    code, out, err = run(*arguments)
    assert (code, out) == (2, "")
    assert message in err


def test_killed_it_leaves_no_report_and_goes_on(tmp_path):
    """A real process, SIGKILL in the middle, the same command again."""
    raw, report = tmp_path / "raw", tmp_path / "report.json"
    gldv2.write_folder(raw, {7: 2})
    big = picture("a", (300, 300))
    names = [gldv2.image_id(f"test {i}") for i in range(400)]
    for name in names:
        gldv2.put(raw, "test", name, big)
    (raw / "test.csv").write_text("id\n" + "".join(f"{n}\n" for n in names))
    words = [sys.executable, "-m", "tfrecords_tools", "check", "--raw", str(raw)]
    words += ["--split", "test", "--json", str(report), "--workers", "1"]
    process = subprocess.Popen(words, cwd=ROOT, stderr=subprocess.DEVNULL)
    journal = raw / ".check" / "test.journal"
    deadline = time.monotonic() + 120
    while not (journal.exists() and journal.stat().st_size > 100):
        assert process.poll() is None, "it ended before it could be killed"
        assert time.monotonic() < deadline
        time.sleep(0.01)
    process.kill()
    process.wait()
    assert not report.exists()
    images = check(raw, splits=["test"], progress=False)["splits"]["test"]["images"]
    assert images["good"] == 400
    assert 0 < images["checked_before"] < 400
