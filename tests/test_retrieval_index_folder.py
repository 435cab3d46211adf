"""The folder of an index: whole or refused."""

from __future__ import annotations

import json

import numpy as np
import pytest

from landmarks_tf.retrieval.index_folder import (
    IndexFolderError,
    being_made,
    put_in_place,
    read_ids,
    read_manifest,
    refuse_foreign,
    write_manifest,
)


def make(folder, content=b"rows", fingerprint="model-a"):
    (folder / "scann").mkdir(parents=True)
    (folder / "scann" / "dataset.npy").write_bytes(content)
    np.save(folder / "ids.npy", np.array(["a", "b"]))
    write_manifest(folder, num_rows=2, dim=3, parameters={}, recall=1.0, fingerprint=fingerprint)
    return folder


def read(folder, fingerprint=None, digests=True):
    return read_manifest(folder, fingerprint=fingerprint, digests=digests)


def test_round_trip(tmp_path):
    manifest = read(make(tmp_path / "index"), "model-a")
    assert (manifest["num_rows"], manifest["dim"]) == (2, 3)
    assert manifest["files"]["scann/dataset.npy"]["bytes"] == 4
    assert read_ids(tmp_path / "index", manifest).tolist() == ["a", "b"]


def test_what_is_missing_or_unfinished(tmp_path):
    with pytest.raises(FileNotFoundError, match="no such folder"):
        read(tmp_path / "index")
    folder = make(tmp_path / "index")
    (folder / "scann" / "dataset.npy").unlink()
    with pytest.raises(IndexFolderError, match=r"incomplete: scann/dataset\.npy is missing"):
        read(folder)
    (folder / "manifest.json").unlink()
    with pytest.raises(FileNotFoundError, match="never finished"):
        read(folder)


def test_changed_cut_and_foreign_files(tmp_path):
    folder = make(tmp_path / "index")
    data = folder / "scann" / "dataset.npy"
    data.write_bytes(b"rowz")
    read(folder, digests=False)
    with pytest.raises(IndexFolderError, match="was changed since it was built"):
        read(folder)
    data.write_bytes(b"row")
    with pytest.raises(IndexFolderError, match="has 3 bytes, expected 4"):
        read(folder, digests=False)
    data.write_bytes(b"rows")
    (folder / "scann" / "scann_docids.pkl").write_bytes(b"cos\nsystem\n(S'true'\ntR.")
    with pytest.raises(IndexFolderError, match=r"not part of it: \['scann/scann_docids.pkl'\]"):
        read(folder, digests=False)


def test_another_model_version_or_manifest(tmp_path):
    folder = make(tmp_path / "index")
    with pytest.raises(IndexFolderError, match=r"another model's .* expected .*'model-b'"):
        read(folder, "model-b")
    manifest = json.loads((folder / "manifest.json").read_text())
    (folder / "manifest.json").write_text(json.dumps({**manifest, "format_version": 9}))
    with pytest.raises(IndexFolderError, match="format version 9, this program reads 1"):
        read(folder)
    del manifest["recall"]
    (folder / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(IndexFolderError, match="lacks recall"):
        read(folder)


def test_ids_that_do_not_fit(tmp_path):
    folder = make(tmp_path / "index")
    manifest = read(folder)
    np.save(folder / "ids.npy", np.array(["a", "b", "c"]))
    with pytest.raises(IndexFolderError, match=r"holds \(3,\) ids for 2 rows"):
        read_ids(folder, manifest)


def test_only_an_index_is_ever_replaced(tmp_path):
    photographs = tmp_path / "photographs"
    photographs.mkdir()
    refuse_foreign(photographs)  # empty: nothing to lose
    (photographs / "holiday.jpg").write_bytes(b"x")
    with pytest.raises(IndexFolderError, match="is no index; it is left alone"):
        refuse_foreign(photographs)
    (tmp_path / "file").write_text("x")
    with pytest.raises(IndexFolderError, match="left alone"):
        refuse_foreign(tmp_path / "file")
    old, new = make(tmp_path / "index"), make(tmp_path / "new", fingerprint="model-b")
    refuse_foreign(old)
    put_in_place(new, old)
    assert read(old)["fingerprint"] == "model-b"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["file", "index", "photographs"]


def test_what_is_being_made_has_its_name_only_at_the_end(tmp_path):
    path = tmp_path / "new" / "index"
    with being_made(path) as folder:
        assert folder.parent == path.parent
        assert not path.exists()
        (folder / "manifest.json").touch()
    assert [entry.name for entry in path.parent.iterdir()] == ["index"]


def test_what_fails_while_it_is_being_made_leaves_the_older_index(tmp_path):
    path = make(tmp_path / "index", b"old")
    (tmp_path / ".index.partial").mkdir()  # of a process that was killed
    (tmp_path / ".index.partial" / "rest").touch()
    with pytest.raises(OSError, match="full"), being_made(path) as folder:
        assert list(folder.iterdir()) == []
        raise OSError("the disk is full")
    assert (path / "scann" / "dataset.npy").read_bytes() == b"old"
    with being_made(path) as folder:
        (folder / "new").touch()
    assert [entry.name for entry in path.iterdir()] == ["new"]
    assert [entry.name for entry in tmp_path.iterdir()] == ["index"]


def test_nothing_is_made_where_something_else_lies(tmp_path):
    (tmp_path / "index").write_text("a letter")
    with pytest.raises(IndexFolderError, match="left alone"), being_made(tmp_path / "index"):
        pytest.fail("the block is not entered")
    assert (tmp_path / "index").read_text() == "a letter"
