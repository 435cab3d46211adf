"""`convert --runner direct` against `convert`: the same bytes, local and behind a URL.

Beam has an environment of its own (`make peers`), as it wants older packages than the suite's.
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.reference import gldv2
from tfrecords_tools.__main__ import main
from tfrecords_tools.convert import convert
from tfrecords_tools.options import ConvertOptions

PYTHON = Path(os.environ.get("LANDMARKS_BEAM_PYTHON", ROOT / ".venv-beam" / "bin" / "python"))
TRAIN = ("--split", "train", "--validation-fraction", "0.2", "--shards", "3")

needs_beam = pytest.mark.skipif(
    not PYTHON.is_file(), reason="Apache Beam's environment is not here: `make peers` builds it"
)


@pytest.fixture(scope="module")
def shelf(tmp_path_factory):
    """raw: 27 clean train images of 4 landmarks, one missing and one empty.

    expected: the records of train and validation as `convert` writes them; said.txt what it said.
    """
    folder = tmp_path_factory.mktemp("shelf")
    raw = folder / "raw"
    gldv2.write_folder(raw, {900: 10, 7: 6, 55: 2, 31: 9}, unclean={7: 3, 8: 2})
    gldv2.image_path(raw, "train", gldv2.image_id("train 900 0")).unlink()
    gldv2.image_path(raw, "train", gldv2.image_id("train 900 1")).write_bytes(b"")
    options = ConvertOptions("train", validation_fraction=0.2, shards=3)
    said = []
    convert(raw, folder / "expected", options, workers=1, progress=False, say=said.append)
    (folder / "said.txt").write_text("".join(f"{line}\n" for line in said))
    return folder


def _run(shelf, *arguments, kills="no file", full="no file") -> subprocess.CompletedProcess:
    return subprocess.run(
        [PYTHON, "-m", "tests.beam_shelf", "convert", "--runner", "direct", *map(str, arguments)],
        cwd=ROOT,
        env={"SHELF": str(shelf), "SHELF_KILLS": kills, "SHELF_FULL": full},
        capture_output=True,
        text=True,
    )


def _bytes(folder) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


@needs_beam
def test_local_folders_give_the_same_bytes(shelf):
    done = _run(shelf, "--raw", shelf / "raw", "--out", shelf / "local", *TRAIN)
    assert done.returncode == 0, done.stderr
    assert _bytes(shelf / "local") == _bytes(shelf / "expected")
    said = (shelf / "said.txt").read_text()
    assert done.stdout == said.replace(str(shelf / "expected"), str(shelf / "local"))


@needs_beam
def test_killed_behind_a_url_it_goes_on_to_the_same_bytes(shelf):
    ours = ("--raw", "shelf://raw", "--out", "shelf://remote", *TRAIN)
    killed = _run(shelf, *ours, kills="remote/.train-00001")
    assert killed.returncode == -9
    remote, state = shelf / "remote", shelf / "remote" / ".convert-train"
    notes = {path.name for path in state.glob("*-of-*.json")}
    assert {path.name + ".json" for path in remote.glob("*-of-*")} == notes
    assert notes
    assert "train-00001-of-00003.json" not in notes
    assert not list(remote.glob("*.manifest.json"))
    kept = {path.name: path.stat().st_ino for path in remote.glob("*-of-*")}
    # A shard that was damaged meanwhile is written anew, the others are kept.
    damaged = sorted(kept)[0]
    data = bytearray((remote / damaged).read_bytes())
    data[len(data) // 2] ^= 1
    (remote / damaged).write_bytes(data)
    done = _run(shelf, *ours)
    assert done.returncode == 0, done.stderr
    assert _bytes(remote) == _bytes(shelf / "expected")
    now = {name: (remote / name).stat().st_ino for name in kept}
    assert {name for name in kept if now[name] != kept[name]} == {damaged}
    _check_finished_is_left_alone(shelf, ours)


def _check_finished_is_left_alone(shelf, ours):
    before = _bytes(shelf / "remote")
    again = _run(shelf, *ours)
    assert "shelf://remote is already complete: nothing to do" in again.stdout
    other = _run(shelf, *ours, "--seed", "3")
    assert other.returncode == 1
    assert "seed is 0 there, 3 is asked for (train, validation)" in other.stderr
    assert _bytes(shelf / "remote") == before


@needs_beam
def test_a_full_disk_is_told_in_words(shelf):
    ours = ("--raw", shelf / "raw", "--out", "shelf://full", *TRAIN)
    done = _run(shelf, *ours, full="full/.train-00002-of-00003.tmp")
    assert done.returncode == 1
    assert "error: the Beam pipeline failed: " in done.stderr
    assert "No space left on device" in done.stderr
    assert "finished shards are kept: once this is mended, the same command" in done.stderr
    assert "Traceback" not in done.stderr
    assert not list((shelf / "full").glob("*.manifest.json"))


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (("--records", "x", "--runner", "direct"), "--runner reads a GLDv2 folder"),
        (("--raw", "x", "--runner", "direct", "--workers", "2"), "--workers does not go with"),
        (("--raw", "x", "--runner", "direct", "--dry-run"), "--dry-run does not go with --runner"),
        (("--raw", "x", "--beam-options=--a=b"), "--beam-options goes with --runner"),
        (("--raw", "x", "--runner", "direct", "--beam-options='"), "cannot be read: No closing"),
    ],
)
def test_options_that_do_not_go_together(tmp_path, capsys, flags, words):
    assert main(["convert", "--out", str(tmp_path), "--split", "train", *flags]) == 2
    assert words in capsys.readouterr().err


def test_without_beam_it_says_what_to_install(tmp_path, capsys, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "apache_beam", None)
    flags = ("--raw", "x", "--out", str(tmp_path), "--split", "train", "--runner", "flink")
    assert main(["convert", *flags]) == 2
    assert "pip install 'landmarks-tf[beam]'" in capsys.readouterr().err
