"""A whole demo set on disk: layout, sameness, continuation, refusals."""

from __future__ import annotations

import hashlib
import io
import json
import os
import shutil
from pathlib import Path

import pytest
from numpy._core._multiarray_umath import __cpu_dispatch__, __cpu_features__
from PIL import Image

from tests.conftest import run_module
from tfrecords_tools.demo import DemoFolderError, write_demo
from tfrecords_tools.demo.layout import MARKER, PARTIAL_MARKER
from tfrecords_tools.demo.plan import CORRUPT_KINDS, Settings, take_census

SMALL = {
    "landmarks": 6,
    "seed": 11,
    "images_per_landmark": 4,
    "index_per_landmark": 2,
    "queries_per_landmark": 1,
    "progress": False,
}
SETTINGS = Settings(**{name: value for name, value in SMALL.items() if name != "progress"})


def contents(folder: Path) -> dict[str, str]:
    """Path below the folder -> hash of the bytes, of every file."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("demo") / "set"
    write_demo(folder, workers=1, **SMALL)
    return folder


@pytest.fixture
def copy(whole, tmp_path) -> Path:
    return Path(shutil.copytree(whole, tmp_path / "copy"))


def test_the_folder_holds_the_pictures_the_tables_and_the_marker(whole):
    census = take_census(SETTINGS)
    files = set(contents(whole))
    pictures = {p.path for p in census.pictures}
    assert pictures <= files
    assert len(files - pictures) == 13
    assert MARKER in files
    assert {name for name in files - pictures if not name.endswith(".csv")} == {MARKER}


def test_every_picture_opens_except_the_documented_ones(whole):
    marker = json.loads((whole / MARKER).read_text())
    unreadable = {i for ids in marker["unreadable"].values() for i in ids}
    census = take_census(SETTINGS)
    assert unreadable == {p.id for p in census.pictures if p.kind in CORRUPT_KINDS}
    assert marker["unreadable"]["test"] == {}
    for picture in census.pictures:
        path = whole / picture.path
        file = io.BytesIO(path.read_bytes())
        if picture.id in unreadable:
            with pytest.raises(OSError, match=r"truncated|cannot identify"):
                Image.open(file).load()
            continue
        image = Image.open(file)
        image.load()
        assert 160 <= max(image.size) <= 288


def test_the_marker_counts_what_is_there(whole):
    marker = json.loads((whole / MARKER).read_text())
    for split in ("train", "index", "test"):
        files = list((whole / split).glob("?/?/?/????????????????.jpg"))
        assert marker["counts"][split] == len(files)
    total = sum(path.stat().st_size for path in whole.rglob("*.jpg"))
    assert marker["image_bytes"] == total
    assert marker["parameters"]["seed"] == 11


def test_workers_hash_seed_and_processor_do_not_change_a_byte(whole, tmp_path):
    # The same command in another process: two workers, another hash seed, and NumPy without the
    # vector instructions of this machine, as on the oldest processor that it runs on.
    present = [name for name in __cpu_dispatch__ if __cpu_features__.get(name)]
    environment = {
        **os.environ,
        "PYTHONHASHSEED": "4711",
        "NPY_DISABLE_CPU_FEATURES": " ".join(present),
    }
    sizes = [f"--{name.replace('_', '-')}={value}" for name, value in SETTINGS.as_dict().items()]
    done = run_module(
        *("tfrecords_tools", "demo", "--quiet", "--workers=2", f"--out={tmp_path / 'set'}"),
        *sizes,
        env=environment,
    )
    assert done.returncode == 0, done.stderr
    assert contents(tmp_path / "set") == contents(whole)


def test_another_seed_gives_other_pictures(whole):
    other = take_census(Settings(**{**SETTINGS.as_dict(), "seed": 12}))
    assert not {p.path for p in other.pictures} & contents(whole).keys()


def test_a_whole_set_is_left_alone(copy):
    before = contents(copy)
    times = {path: path.stat().st_mtime_ns for path in copy.rglob("*.jpg")}
    summary = write_demo(copy, workers=1, **SMALL)
    assert summary.drawn == 0
    assert summary.counts["train"] == len(take_census(SETTINGS).by_split["train"])
    assert contents(copy) == before
    assert times == {path: path.stat().st_mtime_ns for path in copy.rglob("*.jpg")}


def test_an_interrupted_set_is_continued_to_the_same_bytes(whole, copy):
    # As a killed run leaves it: marker of a part, no tables, some pictures, a temporary file.
    expected = contents(whole)
    for path in copy.glob("*.csv"):
        path.unlink()
    (copy / MARKER).rename(copy / PARTIAL_MARKER)
    pictures = sorted(copy.rglob("*.jpg"))
    for path in pictures[::7]:
        path.unlink()
    (pictures[1].parent / ".half.jpg.4711.partial").write_bytes(b"\xff\xd8half")
    summary = write_demo(copy, workers=1, **SMALL)
    assert summary.drawn == len(pictures[::7])
    assert contents(copy) == expected


def test_a_lost_picture_is_drawn_again(whole, copy):
    lost = next(copy.rglob("*.jpg"))
    lost.unlink()
    assert write_demo(copy, workers=1, **SMALL).drawn == 1
    assert contents(copy) == contents(whole)


def test_a_changed_picture_is_noticed_and_everything_drawn_again(whole, copy):
    changed = next(copy.rglob("*.jpg"))
    changed.write_bytes(changed.read_bytes() + b"more")
    assert write_demo(copy, workers=1, **SMALL).drawn == len(take_census(SETTINGS).pictures)
    assert contents(copy) == contents(whole)


def test_a_lost_table_is_written_again(whole, copy):
    (copy / "train_clean.csv").unlink()
    assert write_demo(copy, workers=1, **SMALL).drawn == 0
    assert contents(copy) == contents(whole)


def test_a_set_of_other_settings_is_refused_and_named(copy):
    before = contents(copy)
    with pytest.raises(DemoFolderError, match=r"other settings: seed 11 \(asked for: 12\)"):
        write_demo(copy, workers=1, **{**SMALL, "seed": 12})
    (copy / MARKER).rename(copy / PARTIAL_MARKER)
    with pytest.raises(DemoFolderError, match=r"landmarks 6 \(asked for: 7\)"):
        write_demo(copy, workers=1, **{**SMALL, "landmarks": 7})
    (copy / PARTIAL_MARKER).rename(copy / MARKER)
    assert contents(copy) == before


def test_a_folder_with_something_else_is_refused_untouched(tmp_path):
    (tmp_path / "thesis.tex").write_text("draft")
    with pytest.raises(DemoFolderError, match=r"is not empty and holds no demo set .*thesis\.tex"):
        write_demo(tmp_path, workers=1, **SMALL)
    assert contents(tmp_path).keys() == {"thesis.tex"}


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"parameters": 3}', b"\xff\xfe"])
def test_a_marker_that_is_no_marker_is_refused(tmp_path, content):
    (tmp_path / MARKER).write_bytes(content)
    with pytest.raises(DemoFolderError, match="is not the marker of a demo set"):
        write_demo(tmp_path, workers=1, **SMALL)


def test_a_file_in_place_of_the_folder_is_refused(tmp_path):
    path = tmp_path / "file"
    path.write_text("x")
    with pytest.raises(DemoFolderError, match="is a file"):
        write_demo(path, workers=1, **SMALL)


@pytest.mark.parametrize("workers", [0, -1, 1.5, True])
def test_a_senseless_number_of_workers_is_refused(tmp_path, workers):
    with pytest.raises(ValueError, match="workers must be a whole number of at least 1"):
        write_demo(tmp_path, workers=workers, **SMALL)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_without_write_permission_says_so(tmp_path):
    tmp_path.chmod(0o500)
    root = os.geteuid() == 0
    if root:  # root may write everywhere, so root becomes somebody else for a moment
        os.seteuid(65534)
    try:
        with pytest.raises(PermissionError, match="The demo set could not be written"):
            write_demo(tmp_path / "set", workers=1, **SMALL)
    finally:
        if root:
            os.seteuid(0)


def test_a_parent_that_is_a_file_says_so(tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(NotADirectoryError, match="could not be written"):
        write_demo(tmp_path / "file" / "set", workers=1, **SMALL)
