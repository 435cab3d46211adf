from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from tfrecords_tools.arrange.layout import (
    MARKER,
    ArrangeError,
    partial_folder,
    refuse_other,
    write_folder,
)
from tfrecords_tools.arrange.sources import OwnPicture
from tfrecords_tools.arrange.splits import INDEX, TEST, TRAIN
from tfrecords_tools.arrange.tables import Arrangement

PARTS = [TRAIN, TRAIN, INDEX, TEST, TRAIN, TEST]


@pytest.fixture
def arranged(tmp_path):
    pictures = []
    for number in range(6):
        path = tmp_path / "photos" / f"{'ab'[number % 2]}" / f"{number}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(bytes([number]))
        pictures.append(OwnPicture(str(path), f"{path.parent.name}/{path.name}", path.parent.name))
    return Arrangement(
        pictures,
        np.array([picture.id for picture in pictures], "S16"),
        ["a", "b"],
        np.array([0, 1] * 3),
        np.array(PARTS, np.int8),
    )


def make(out, arranged, copy=False):
    return write_folder(out, arranged, [("a/x.jpg", "a", "missing")], copy=copy, progress=False)


def content(out):
    return {
        str(path.relative_to(out)): path.read_bytes()
        for path in sorted(out.rglob("*"))
        if path.is_file()
    }


@pytest.mark.parametrize("copy", [False, True])
def test_every_picture_lies_in_its_place(arranged, tmp_path, copy):
    out = tmp_path / "out"
    assert make(out, arranged, copy)
    for picture, part in zip(arranged.pictures, PARTS, strict=True):
        name = picture.id
        split = ("train", "index", "test")[part]
        path = out / split / name[0] / name[1] / name[2] / f"{name}.jpg"
        assert path.is_symlink() != copy
        assert path.read_bytes() == Path(picture.path).read_bytes()
    assert (out / "skipped.csv").read_text() == "path,label,reason\na/x.jpg,a,missing\n"
    marker = json.loads((out / MARKER).read_text())
    assert (marker["train"], marker["index"], marker["test"]) == (3, 1, 2)
    assert not partial_folder(out).exists()
    assert not list(out.glob("*.journal"))


def test_folder_and_pictures_moved_together_stay_right(arranged, tmp_path):
    make(tmp_path / "out", arranged)
    moved = tmp_path.parent / f"{tmp_path.name} moved"
    shutil.copytree(tmp_path, moved, symlinks=True)
    shutil.rmtree(tmp_path / "photos")
    files = [path for path in (moved / "out").rglob("*.jpg") if path.is_file()]
    assert len(files) == 6


def test_a_second_time_there_is_nothing_to_do(arranged, tmp_path):
    out = tmp_path / "out"
    make(out, arranged)
    before = content(out)
    assert not make(out, arranged)
    assert content(out) == before
    with pytest.raises(ArrangeError, match="holds other pictures, or was made with other settings"):
        make(out, arranged, copy=True)
    arranged.parts[0] = INDEX
    with pytest.raises(ArrangeError, match="holds other pictures"):
        make(out, arranged)
    assert content(out) == before


@pytest.mark.parametrize("copy", [False, True])
def test_what_a_killed_run_left_is_continued_or_cleared_away(arranged, tmp_path, copy):
    make(tmp_path / "whole", arranged, copy)
    expected = content(tmp_path / "whole")
    # As a kill leaves it: half of the pictures, no tables, nothing under the name asked for.
    out = tmp_path / "out"
    make(out, arranged, copy)
    out.rename(partial_folder(out))
    partial = partial_folder(out)
    (partial / MARKER).rename(partial / "begun.json")
    for path in sorted(partial.rglob("*.jpg"))[:3]:
        path.unlink()
    for path in partial.glob("*.csv"):
        path.unlink()
    left = {path: path.lstat().st_ino for path in partial.rglob("*.jpg")}
    assert len(left) == 3
    make(out, arranged, copy)
    assert content(out) == expected
    for path, inode in left.items():  # kept, not made anew
        assert (out / path.relative_to(partial)).lstat().st_ino == inode
    # Left by a run with other settings: nothing of it may stay.
    out.rename(partial)
    (partial / "train" / "0").mkdir(exist_ok=True)
    (partial / "train" / "0" / "stray.jpg").touch()
    (partial / "begun.json").write_text("{}")
    make(out, arranged, copy)
    assert content(out) == expected


def test_a_folder_of_something_else_is_refused(tmp_path):
    pictures = tmp_path / "photos"
    out = tmp_path / "out"
    refuse_other(out, pictures)
    out.mkdir()
    refuse_other(out, pictures)
    (out / "thesis.doc").touch()
    with pytest.raises(ArrangeError, match="is not empty and not of this command"):
        refuse_other(out, pictures)
    with pytest.raises(ArrangeError, match="is a file: --out is the folder to make"):
        refuse_other(out / "thesis.doc", pictures)
    for inside in (pictures, pictures / "x" / "out"):
        with pytest.raises(ArrangeError, match="lies in the pictures' own folder"):
            refuse_other(inside, pictures)
