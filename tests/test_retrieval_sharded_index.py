"""An index in parts answers as one over all rows does, and its building goes on where it was."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest

from landmarks_tf.retrieval import sharded_index
from landmarks_tf.retrieval.exact import ExactIndex
from landmarks_tf.retrieval.exact_folder import save_exact
from landmarks_tf.retrieval.index_folder import IndexFolderError
from landmarks_tf.retrieval.ranking_merge import merge_rankings
from landmarks_tf.retrieval.sharded_index import ShardedIndex
from tests.tiny_index import clustered, names, quiet

# Each picture twice: ties across parts.
ROWS = np.concatenate([clustered(60, 8)] * 2 + [clustered(17, 8, seed=1)])
QUERIES = clustered(6, 8, seed=2)


def build(path, **options):
    options = {"parts": 4, "kind": "exact", "fingerprint": "m", "report": quiet, **options}
    return ShardedIndex.build(ROWS, names(len(ROWS)), path, **options)


@pytest.mark.parametrize("k", [1, 50, 137])
def test_it_answers_as_one_index_to_the_last_bit(tmp_path, k):
    index = build(tmp_path / "index")
    for ours, whole in zip(
        index.search(QUERIES, k), ExactIndex(ROWS).search(QUERIES, k), strict=True
    ):
        np.testing.assert_array_equal(ours, whole)
    assert (len(index), index.dim, index.offsets) == (137, 8, [0, 34, 68, 102])
    assert index.ids.tolist() == names(137)


def test_parts_of_scann(tmp_path):
    lines = []
    index = build(tmp_path / "index", kind="scann", parts=2, k=5, report=lines.append)
    assert [part.kind for part in index.parts] == ["scann", "scann"]
    assert "68 rows of 8, brute_force, recall@5 1.0000" in lines[0]
    scores, rows = index.search(QUERIES, 9)
    exact_scores, _ = ExactIndex(ROWS).search(QUERIES, 9)
    np.testing.assert_allclose(scores, exact_scores, atol=1e-6)
    np.testing.assert_allclose(np.einsum("qkd,qd->qk", ROWS[rows], QUERIES), scores, atol=1e-6)


def test_machines_that_hold_a_part_each_give_the_whole_answer(tmp_path):
    whole = build(tmp_path / "index")
    held = [ShardedIndex.load(tmp_path / "index", parts=[n], report=quiet) for n in range(4)]
    merged = merge_rankings((one.search(QUERIES, min(9, len(one))) for one in held), 9)
    for ours, theirs in zip(merged, whole.search(QUERIES, 9), strict=True):
        np.testing.assert_array_equal(ours, theirs)
    assert held[2].ids[68] == names(69)[68]


def test_building_goes_on_where_it_was(tmp_path, monkeypatch):
    built = []

    def counted(embeddings, ids, path, **options):
        if len(built) == 2:
            built.clear()
            raise KeyboardInterrupt
        built.append(path.name)
        save_exact(embeddings, ids, path, **options)

    monkeypatch.setattr(sharded_index, "save_exact", counted)
    with pytest.raises(KeyboardInterrupt):
        build(tmp_path / "index")
    with pytest.raises(FileNotFoundError, match=r"no index at"):
        ShardedIndex.load(tmp_path / "index")
    assert len(build(tmp_path / "index")) == 137
    assert built == ["part-00002", "part-00003"]
    assert [path.name for path in tmp_path.iterdir()] == ["index"]


def test_parts_of_other_rows_are_not_taken_for_ours(tmp_path):
    lines = []
    options = {"only": [0], "parts": 2, "kind": "exact", "report": lines.append}
    assert ShardedIndex.build(-ROWS, None, tmp_path / "index", **options) is None
    assert lines[-1].endswith("1 of 2 parts are still to be built: [1]")
    assert ShardedIndex.build(ROWS, None, tmp_path / "index", **{**options, "only": [1]}) is None
    index = ShardedIndex.build(ROWS, None, tmp_path / "index", **options)
    assert index.search(ROWS[:1], 1)[1].tolist() == [[0]]
    assert index.ids is None


def test_a_part_that_is_missing_replaced_or_changed(tmp_path):
    build(tmp_path / "index")
    part = tmp_path / "index" / "part-00001"
    with pytest.raises(IndexFolderError, match=r"another model's embeddings: expected .*'other'"):
        ShardedIndex.load(tmp_path / "index", fingerprint="other")
    vectors = part / "vectors.npy"
    content = vectors.read_bytes()
    vectors.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    with pytest.raises(IndexFolderError, match=r"was changed since it was built"):
        ShardedIndex.load(tmp_path / "index", report=quiet)
    shutil.rmtree(part)
    with pytest.raises(FileNotFoundError, match=r"incomplete: part-00001 is missing"):
        ShardedIndex.load(tmp_path / "index", report=quiet)
    save_exact(ROWS[:34], None, part)
    with pytest.raises(IndexFolderError, match=r"not the part that was built here"):
        ShardedIndex.load(tmp_path / "index", report=quiet)
    manifest = tmp_path / "index" / "manifest.json"
    manifest.write_text(json.dumps({"kind": "sharded"}))
    with pytest.raises(IndexFolderError, match=r"is no sharded index"):
        ShardedIndex.load(tmp_path / "index", report=quiet)


def test_bad_input_is_refused_before_anything_is_written(tmp_path):
    for options, message in (
        ({"parts": 0}, r"parts must be between 1 and the rows \(137\), received 0"),
        ({"parts": 138}, r"received 138"),
        ({"only": [4]}, r"parts are numbered 0 to 3, received \[4\]"),
        ({"kind": "tree"}, r'kind must be "scann" or "exact"'),
    ):
        with pytest.raises(ValueError, match=message):
            build(tmp_path / "index", **options)
    with pytest.raises(ValueError, match=r"id a is given to more than one row"):
        ShardedIndex.build(ROWS, ["a"] * 137, tmp_path / "index", parts=2)
    assert not list(tmp_path.iterdir())
    index = build(tmp_path / "index")
    with pytest.raises(ValueError, match=r"k must be between 1 and .*\(137\)"):
        index.search(QUERIES, 138)
    with pytest.raises(ValueError, match=r"queries have dimension 7, the index has dimension 8"):
        index.search(QUERIES[:, :7], 1)
