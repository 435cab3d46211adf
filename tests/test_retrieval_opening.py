"""`open_index` opens each kind of index by what its manifest says."""

from __future__ import annotations

import json

import pytest

from landmarks_tf.retrieval.exact_folder import load_exact, save_exact
from landmarks_tf.retrieval.index_folder import IndexFolderError
from landmarks_tf.retrieval.opening import open_index
from landmarks_tf.retrieval.sharded_index import ShardedIndex
from tests import tiny_index
from tests.tiny_index import clustered, quiet


def test_each_kind(tmp_path):
    rows = clustered(30, 6)
    tiny_index.saved(tmp_path / "scann", rows)
    save_exact(rows, None, tmp_path / "exact")
    ShardedIndex.build(rows, None, tmp_path / "sharded", parts=2, kind="exact", report=quiet)
    answers = []
    for kind in ("scann", "exact", "sharded"):
        index = open_index(tmp_path / kind, report=quiet)
        assert index.kind == kind
        answers.append(index.search(rows[:4], 5)[1].tolist())
    assert answers[0] == answers[1] == answers[2]
    with pytest.raises(IndexFolderError, match=r"is no exact index"):
        load_exact(tmp_path / "scann")


def test_what_is_no_index(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"there is no such folder"):
        open_index(tmp_path / "index")
    save_exact(clustered(3, 6), None, tmp_path / "index")
    manifest = tmp_path / "index" / "manifest.json"
    manifest.write_text(json.dumps({**json.loads(manifest.read_text()), "kind": "graph"}))
    with pytest.raises(IndexFolderError, match=r"of kind 'graph', known are"):
        open_index(tmp_path / "index")
