"""`convert --checked`: the records are those of a conversion with proof, whatever happened between
the check and the conversion."""

from __future__ import annotations

import os
import shutil

import pytest

from landmarks_tf.records import Manifest
from tests.reference import gldv2
from tfrecords_tools import proof, shards, workers
from tfrecords_tools.checked import told
from tfrecords_tools.convert import convert
from tfrecords_tools.image_source import FolderImages
from tfrecords_tools.integrity.cli import check
from tfrecords_tools.options import ConvertOptions

NAMES = [gldv2.image_id(f"train 7 {number}") for number in range(12)]


@pytest.fixture
def raw(tmp_path):
    """Twelve images of one landmark, checked."""
    gldv2.write_folder(tmp_path / "raw", {7: 12})
    check(tmp_path / "raw", progress=False)
    return tmp_path / "raw"


@pytest.fixture
def proven(monkeypatch):
    """The pictures that were decoded, as they are."""
    seen = []

    def prove(data, *words):
        seen.append(bytes(data))
        return proof.prove_image(data, *words)

    monkeypatch.setattr(shards, "prove_image", prove)
    return seen


def _convert(raw, out, **words):
    lines = []
    options = ConvertOptions("train", shards=3)
    convert(raw, out, options, workers=2, progress=False, say=lines.append, **words)
    return lines


def _bytes(folder):
    return {path.name: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def _path(raw, number):
    return gldv2.image_path(raw, "train", NAMES[number])


def test_nothing_is_decoded_twice_and_the_bytes_are_the_same(raw, tmp_path, proven):
    _convert(raw, tmp_path / "with proof")
    assert len(proven) == 12
    lines = _convert(raw, tmp_path / "checked", checked=True)
    assert len(proven) == 12
    assert lines[0] == "check had proven 12 of 12 images"
    assert _bytes(tmp_path / "checked") == _bytes(tmp_path / "with proof")
    assert "verify_pixels" not in Manifest.load(tmp_path / "checked", "train").plan
    # With or without it: the same conversion, which is there already.
    assert "is already complete" in _convert(raw, tmp_path / "checked")[0]


def _other_bytes_and_the_old_time(path):
    before = path.stat()
    path.write_bytes(path.read_bytes()[:-40] + bytes(40))
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def _another_file_in_its_place(path):
    damaged = path.with_suffix(".new")
    shutil.copy2(path, damaged)
    _other_bytes_and_the_old_time(damaged)
    damaged.replace(path)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda path: path.write_bytes(path.read_bytes()[:-40]), "truncated"),
        (_other_bytes_and_the_old_time, "undecodable"),
        (_another_file_in_its_place, "undecodable"),
        (lambda path: path.write_bytes(b""), "empty file"),
        (lambda path: path.unlink(), "missing"),
        (os.utime, None),
    ],
    ids=["cut", "same size and time", "replaced", "emptied", "deleted", "touched"],
)
def test_what_changed_since_the_check_is_proven(raw, tmp_path, proven, change, reason):
    change(_path(raw, 5))
    there = _path(raw, 5).is_file()
    data = _path(raw, 5).read_bytes() if there else b""
    lines = _convert(raw, tmp_path / "checked", checked=True)
    assert proven == ([data] if data else [])
    images = 12 if there else 11
    others = "; the others were decoded now" if there else ""
    assert f"check had proven 11 of {images} images{others}" in lines
    manifest = Manifest.load(tmp_path / "checked", "train")
    assert {kind.split(":")[0] for kind in manifest.skipped_reasons} == (
        {reason} if reason else set()
    )
    _convert(raw, tmp_path / "with proof")
    assert _bytes(tmp_path / "checked") == _bytes(tmp_path / "with proof")


def test_a_file_that_changes_while_it_is_read_is_proven(raw, tmp_path, proven, monkeypatch):
    """Between the reading and the question whether it is the file of the check."""
    read = FolderImages.image_bytes

    def image_bytes(self, image_id):
        data = read(self, image_id)
        os.utime(self.raw.image_path(image_id))
        return data

    monkeypatch.setattr(FolderImages, "image_bytes", image_bytes)
    assert _convert(raw, tmp_path / "out", checked=True)[0].startswith("check had proven 0 of 12")
    assert len(proven) == 12


def test_what_the_check_found_bad_is_found_bad(tmp_path, proven):
    gldv2.write_folder(tmp_path / "raw", {7: 12})
    _path(tmp_path / "raw", 3).write_bytes(_path(tmp_path / "raw", 3).read_bytes()[:-40])
    check(tmp_path / "raw", progress=False)
    lines = _convert(tmp_path / "raw", tmp_path / "out", checked=True)
    assert lines[0] == "check had proven 11 of 12 images; the others were decoded now"
    assert len(proven) == 1
    assert Manifest.load(tmp_path / "out", "train").skipped == 1


def test_of_a_journal_that_was_cut_short_whole_lines_are_believed(raw, tmp_path, proven):
    journal = raw / ".check" / "train.journal"
    whole = journal.read_bytes()
    for cut in (len(whole) - 2, whole.index(b"\n") + 1, 10, 0):  # the twelve are one line
        journal.write_bytes(whole[:cut])
        lines = _convert(raw, tmp_path / f"{cut}", checked=True)
        assert lines[0] == "check had proven 0 of 12 images; the others were decoded now"
    assert len(proven) == 48


def test_the_journal_of_another_folder_is_refused(raw, tmp_path):
    shutil.copytree(raw, tmp_path / "copy")  # with its .check and all times
    with pytest.raises(ValueError, match=r"is the journal of another folder than .*copy/train"):
        _convert(tmp_path / "copy", tmp_path / "out", checked=True)
    gldv2.write_folder(tmp_path / "other", {7: 12})
    with pytest.raises(ValueError, match=r"is the journal of another folder than .*other/train"):
        _convert(tmp_path / "other", tmp_path / "out", checked=raw / ".check")
    assert not (tmp_path / "out").exists()


def test_no_journal_is_an_error_that_says_what_to_do(raw, tmp_path, tools):
    shutil.rmtree(raw / ".check")
    words = ("convert", "--raw", raw, "--out", tmp_path / "out", "--split", "train", "--checked")
    code, _, err = tools(*words)
    assert (code, err.count("\n")) == (1, 1)
    assert f"there is no {raw}/.check/train.journal, where check notes" in err
    assert f"check --raw {raw}` first" in err
    assert tools("check", "--raw", raw, "--journal", tmp_path / "notes")[0] == 0
    code, out, _ = tools(*words, tmp_path / "notes")
    assert (code, out.splitlines()[0]) == (0, "check had proven 12 of 12 images")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--raw", "r", "--no-verify-pixels"], "leave --no-verify-pixels out"),
        (["--raw", "r", "--reencode-short-side", "64"], "is of no use to --reencode-short-side"),
        (["--records", "r"], "is for images in files, not for --records"),
        (["--raw", "r", "--runner", "direct"], "not for --runner"),
    ],
)
def test_what_it_does_not_go_with(tools, words, message):
    code, _, err = tools("convert", "--out", "o", "--split", "train", *words, "--checked")
    assert code == 2
    assert message in err


def test_worker_processes_know_it_too(raw, tmp_path, monkeypatch):
    _convert(raw, tmp_path / "threads", checked=True)
    monkeypatch.setattr(workers, "IMAGES_PER_PROCESS", 2)
    lines = _convert(raw, tmp_path / "processes", checked=True)
    assert lines[0] == "check had proven 12 of 12 images"
    assert _bytes(tmp_path / "threads") == _bytes(tmp_path / "processes")


def test_notes_of_a_version_that_did_not_count():
    notes = [{"first": 0, "last": 3}, {"first": 4, "last": 5, "checked": 2}]
    assert told(notes) == "check had proven 2 of 6 images; the others were decoded now"
