"""Changes on disk: whole or not there, and refused when they do not fit."""

from __future__ import annotations

import json
import signal
import subprocess
import sys

import numpy as np
import pytest

from landmarks_tf.retrieval.files import read_json
from landmarks_tf.retrieval.index_changes import Changes, read_changes, write_changes
from landmarks_tf.retrieval.index_folder import IndexFolderError, read_manifest, write_manifest
from tests.conftest import ROOT

IDS = np.array(["a", "b", "c"])
ROWS = np.eye(3, dtype=np.float32)


@pytest.fixture
def folder(tmp_path):
    path = tmp_path / "index"
    path.mkdir()
    np.save(path / "ids.npy", IDS)
    write_manifest(path, num_rows=3, dim=3, parameters={}, recall=1.0, fingerprint="m")
    return path


def manifest_of(folder, digests=True):
    return read_manifest(folder, fingerprint="m", digests=digests)


def some(number, removed=(1,), ids=("x", "y"), rows=ROWS[:2]):
    return Changes(rows, np.array(ids), np.array(removed, np.int64), number)


def test_round_trip_over_several_changes(folder):
    manifest = manifest_of(folder)
    assert len(read_changes(folder, manifest, IDS)) == 0
    for number in (1, 2, 3):
        manifest = write_changes(folder, some(number, removed=range(number - 1)), manifest)
        assert manifest == manifest_of(folder)
        read = read_changes(folder, manifest, IDS)
        assert (read.number, read.removed.tolist()) == (number, list(range(number - 1)))
        np.testing.assert_array_equal(read.rows, ROWS[:2])
        assert read.ids.tolist() == ["x", "y"]
    # The state before this one stays for whoever read its manifest; older ones go.
    numbers = {path.name[:6] for path in (folder / "changes").iterdir()}
    assert numbers == {"000002", "000003"}


def test_programs_that_know_of_no_changes_refuse_them(folder):
    write_changes(folder, some(1), manifest_of(folder))
    assert read_json(folder / "manifest.json", what="")["format_version"] == 2


def test_a_state_that_another_process_changed_is_not_written_over(folder):
    before = manifest_of(folder)
    write_changes(folder, some(1), before)
    with pytest.raises(IndexFolderError, match=r"changed by another process since it was opened"):
        write_changes(folder, some(1, removed=[2]), before)
    assert read_changes(folder, manifest_of(folder), IDS).removed.tolist() == [1]


@pytest.mark.parametrize("step", ["rows", "ids", "removed", "manifest"])
def test_killed_while_writing_it_is_as_it_was(folder, step):
    """A real process that ends by SIGKILL right before it renames each file into place."""
    manifest = write_changes(folder, some(1), manifest_of(folder))
    code = (
        "import os, pathlib, signal, sys, numpy as np\n"
        "from landmarks_tf.retrieval.index_changes import Changes, write_changes\n"
        "from landmarks_tf.retrieval.files import read_json\n"
        "folder, step = pathlib.Path(sys.argv[1]), sys.argv[2]\n"
        "replace = pathlib.Path.replace\n"
        "def dies(self, target):\n"
        "    if step in target.name:\n"
        "        os.kill(os.getpid(), signal.SIGKILL)\n"
        "    return replace(self, target)\n"
        "pathlib.Path.replace = dies\n"
        "changes = Changes(np.eye(3, dtype='f4'), np.array(['p', 'q', 'r']), np.arange(3), 2)\n"
        "write_changes(folder, changes, read_json(folder / 'manifest.json', what=''))\n"
    )
    done = subprocess.run([sys.executable, "-c", code, str(folder), step], cwd=ROOT, check=False)
    assert done.returncode == -signal.SIGKILL
    assert manifest_of(folder) == manifest
    assert read_changes(folder, manifest, IDS).ids.tolist() == ["x", "y"]
    manifest = write_changes(folder, some(2, ids=["x", "z"]), manifest)  # and it goes on
    assert read_changes(folder, manifest_of(folder), IDS).ids.tolist() == ["x", "z"]
    assert not [p.name for p in (folder / "changes").iterdir() if p.name.endswith(".tmp")]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (some(1, rows=ROWS[:1]), r"2 added rows of 3 expected, found \(1, 3\)"),
        (some(1, rows=ROWS[:2] * 2), r"row 0 has length 2"),
        (some(1, removed=[2, 1]), r"not a rising list"),
        (some(1, removed=[3]), r"must lie between 0 and 2"),
        (some(1, ids=["x", "a"]), r"id a is given to more than one row"),
    ],
)
def test_changes_that_do_not_fit_are_refused(folder, changes, message):
    manifest = write_changes(folder, changes, manifest_of(folder))
    with pytest.raises(IndexFolderError, match=message):
        read_changes(folder, manifest, IDS)
    with pytest.raises(IndexFolderError, match=r"has no ids"):
        read_changes(folder, write_changes(folder, some(2), manifest), None)


def test_a_changed_byte_and_a_missing_file_are_found(folder):
    write_changes(folder, some(1), manifest_of(folder))
    removed = folder / "changes" / "000001.removed.npy"
    content = bytearray(removed.read_bytes())
    content[-8] ^= 2
    removed.write_bytes(content)
    with pytest.raises(IndexFolderError, match=r"000001\.removed\.npy was changed"):
        manifest_of(folder)
    removed.unlink()
    with pytest.raises(IndexFolderError, match=r"incomplete: changes/000001\.removed\.npy"):
        manifest_of(folder, digests=False)
    assert json.loads((folder / "manifest.json").read_text())["changes"] == 1
