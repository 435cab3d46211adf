"""What an index in parts is made of, read from its folder."""

from __future__ import annotations

import shutil

import pytest

from landmarks_tf.retrieval.index_folder import IndexFolderError
from landmarks_tf.retrieval.sharded_folder import part_folder, read_parts, read_sharded_manifest
from landmarks_tf.retrieval.sharded_index import ShardedIndex
from tests.tiny_index import clustered, names, quiet

ROWS = clustered(137, 8)


def build(path, fingerprint="m"):
    options = {"parts": 4, "kind": "exact", "fingerprint": fingerprint, "report": quiet}
    return ShardedIndex.build(ROWS, names(len(ROWS)), path, **options)


def test_what_it_is_made_of_is_read_without_opening_it(tmp_path):
    build(tmp_path / "index")
    parts = read_parts(tmp_path / "index", fingerprint="m")
    assert (parts.offsets, parts.num_rows, parts.dim) == ((0, 34, 68, 102), 137, 8)
    assert parts.ids.tolist() == names(137)
    build(tmp_path / "other", fingerprint="n")
    assert read_parts(tmp_path / "other").digest != parts.digest
    with pytest.raises(IndexFolderError, match="another model's embeddings"):
        read_parts(tmp_path / "index", fingerprint="n")
    shutil.rmtree(tmp_path / "index" / "part-00001")
    shutil.copytree(tmp_path / "index" / "part-00002", tmp_path / "index" / "part-00001")
    with pytest.raises(IndexFolderError, match="part-00001 is not the part that was built here"):
        read_parts(tmp_path / "index")
    shutil.rmtree(tmp_path / "index" / "part-00001")
    with pytest.raises(FileNotFoundError, match="part-00001 is missing"):
        read_parts(tmp_path / "index")


def test_the_manifest_names_every_part_and_its_first_row(tmp_path):
    build(tmp_path / "index")
    manifest = read_sharded_manifest(tmp_path / "index", "m")
    assert [part["first_row"] for part in manifest["parts"]] == [0, 34, 68, 102]
    assert all(part_folder(tmp_path / "index", number).is_dir() for number in range(4))
    assert not part_folder(tmp_path / "index", 4).exists()


def test_another_kind_of_index_is_told_apart(tmp_path):
    build(tmp_path / "index")
    with pytest.raises(IndexFolderError, match="no sharded index: open it with open_index"):
        read_sharded_manifest(part_folder(tmp_path / "index", 0), None)
    with pytest.raises(FileNotFoundError, match="no such folder"):
        read_parts(tmp_path / "none")
