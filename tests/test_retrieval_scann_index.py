"""The ScaNN index from building to opening, and every way in which it must not open."""

from __future__ import annotations

import json
import shutil
import sys

import numpy as np
import pytest

from landmarks_tf.retrieval import scann_index
from landmarks_tf.retrieval.exact import ExactIndex
from landmarks_tf.retrieval.files import sha256
from landmarks_tf.retrieval.index_folder import IndexFolderError
from landmarks_tf.retrieval.opening import open_index
from landmarks_tf.retrieval.parameters import ScannParameters, choose_parameters
from landmarks_tf.retrieval.scann_build import ScannBuildError
from landmarks_tf.retrieval.scann_index import ScannIndex
from tests import tiny_index
from tests.reference import retrieval as reference


def clustered(count, dim, clusters=40, seed=0):
    rng = np.random.default_rng(seed)
    centres = np.random.default_rng(99).normal(size=(clusters, dim))
    rows = centres[rng.integers(0, clusters, count)] + 0.3 * rng.normal(size=(count, dim))
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def image_ids(count):
    return [f"{number * 104729:016x}" for number in range(count)]


def quiet(_line):
    pass


METHODS = {
    "brute_force": ScannParameters("brute_force", 10),
    "hashing": ScannParameters("hashing", 10, reorder=100, training_sample_size=2000),
    "tree_hashing": ScannParameters(
        "tree_hashing", 10, 40, 8, reorder=100, soar_lambda=1.5, training_sample_size=2000
    ),
    "projected": ScannParameters(
        "tree_hashing", 10, 40, 20, 1, 200, tree_anisotropy=4.0, projected_dim=18,
        training_sample_size=2000,
    ),
}  # fmt: skip


@pytest.fixture(scope="module", params=METHODS)
def built(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp(request.param) / "index"
    vectors = clustered(2000, 24)
    lines = []
    index = ScannIndex.build(
        vectors,
        image_ids(2000),
        folder,
        parameters=METHODS[request.param],
        fingerprint="model-a",
        report=lines.append,
    )
    return folder, vectors, index, lines


def test_search_finds_what_a_plain_loop_finds(built):
    _, vectors, index, _ = built
    queries = clustered(20, 24, seed=5)
    scores, rows = index.search(queries, 10)
    expected_scores, expected_rows = reference.search(vectors, queries, 10)
    hits = [len(set(a) & set(b)) for a, b in zip(rows.tolist(), expected_rows, strict=True)]
    exact = index.parameters.method == "brute_force"
    assert np.mean(hits) / 10 > (0.999 if exact else 0.9)
    # What it says of the rows it found is so; leaves are drawn, so one nearest row may be missed.
    of_found = np.einsum("qd,qkd->qk", *(x.astype(float) for x in (queries, vectors[rows])))
    np.testing.assert_allclose(scores, of_found, atol=1e-6)
    nearest = np.isclose(scores[:, 0], np.array(expected_scores)[:, 0], rtol=0, atol=1e-6)
    assert nearest.mean() >= (1.0 if exact else 0.95)


def test_one_line_reports_the_recall_that_is_also_kept(built):
    folder, _, index, lines = built
    manifest = json.loads((folder / "manifest.json").read_text())
    assert manifest["recall"] == pytest.approx(index.recall, abs=0.02)
    assert lines == [
        f"ScaNN index {folder}: 2000 rows of 24, {index.parameters.method}, "
        f"recall@10 {index.recall:.4f} against exact search"
    ]
    assert ScannParameters.from_dict(manifest["parameters"]) == index.parameters


def test_it_can_be_moved_and_answers_as_before(built, tmp_path):
    folder, vectors, index, _ = built
    moved = tmp_path / "elsewhere"
    shutil.copytree(folder, moved)
    again = open_index(moved, fingerprint="model-a", report=quiet)
    assert isinstance(again, ScannIndex)
    for ours, theirs in zip(
        again.search(vectors[:50], 10), index.search(vectors[:50], 10), strict=True
    ):
        np.testing.assert_array_equal(ours, theirs)
    assert again.ids.tolist() == image_ids(2000)
    assert (len(again), again.dim, again.fingerprint) == (2000, 24, "model-a")


def test_without_scann_it_is_searched_exactly(built, monkeypatch):
    folder, vectors, _, _ = built
    monkeypatch.setitem(sys.modules, "scann.scann_ops.py", None)
    lines = []
    index = open_index(folder, report=lines.append)
    assert isinstance(index, ExactIndex)
    assert len(lines) == 1
    assert "ScaNN cannot be imported here" in lines[0]
    assert "searched exactly" in lines[0]
    queries = clustered(5, 24, seed=6)
    _, rows = index.search(queries, 10)
    assert rows.tolist() == reference.search(vectors, queries, 10)[1]
    assert index.ids[3] == image_ids(4)[3]
    with pytest.raises(ImportError, match="ScaNN cannot be imported"):
        ScannIndex.load(folder, report=quiet)


def test_parts_of_two_indexes_are_found_out_by_their_recall(built, tmp_path):
    """Rows of another model with a manifest that agrees: only the search can tell."""
    folder, _, index, _ = built
    mixed = tmp_path / "mixed"
    shutil.copytree(folder, mixed)
    rows = mixed / "scann" / "dataset.npy"
    np.save(rows, clustered(2000, 24, seed=77))
    manifest = json.loads((mixed / "manifest.json").read_text())
    manifest["files"]["scann/dataset.npy"]["sha256"] = sha256(rows)
    (mixed / "manifest.json").write_text(json.dumps(manifest))
    if index.parameters.method == "brute_force":  # has nothing that could disagree with its rows
        assert ScannIndex.load(mixed, report=quiet).recall == 1.0
        return
    with pytest.raises(IndexFolderError, match=r"finds 0\.\d+ of the 10 exact neighbours"):
        ScannIndex.load(mixed, report=quiet)


def test_a_changed_byte_is_found_before_scann_reads_it(built, tmp_path):
    folder, _, _, _ = built
    changed = tmp_path / "changed"
    shutil.copytree(folder, changed)
    rows = changed / "scann" / "dataset.npy"
    content = bytearray(rows.read_bytes())
    content[5000] ^= 255
    rows.write_bytes(content)
    for opening in (ScannIndex.load, open_index):
        with pytest.raises(IndexFolderError, match="was changed since it was built"):
            opening(changed, report=quiet)


def test_small_sets_choose_brute_force_and_k_is_cut(tmp_path):
    vectors = clustered(7, 5)
    index = ScannIndex.build(vectors, None, tmp_path / "index", k=100, report=quiet)
    assert index.parameters == choose_parameters(7, 5, 100)
    assert (index.parameters.method, index.parameters.num_neighbors) == ("brute_force", 7)
    assert index.ids is None
    assert index.recall == 1.0
    # Replaced as a whole by the next one.
    again = ScannIndex.build(vectors[:1], ["a"], tmp_path / "index", report=quiet)
    assert (len(again), again.ids.tolist()) == (1, ["a"])
    assert [p.name for p in tmp_path.iterdir()] == ["index"]


def test_a_failed_build_leaves_the_old_index_and_no_rest(tmp_path, monkeypatch):
    vectors = clustered(50, 5)
    ScannIndex.build(vectors, None, tmp_path / "index", k=3, report=quiet)

    def is_killed(source, folder, parameters, wanted):
        (folder / "scann").mkdir()
        (folder / "scann" / "half").write_bytes(b"half")
        raise ScannBuildError("killed by SIGABRT")

    with monkeypatch.context() as patch:
        patch.setattr(scann_index, "build_in_child", is_killed)
        with pytest.raises(ScannBuildError, match="SIGABRT"):
            ScannIndex.build(vectors[:9], None, tmp_path / "index", k=3, report=quiet)
    assert [p.name for p in tmp_path.iterdir()] == ["index"]
    assert len(ScannIndex.load(tmp_path / "index", report=quiet)) == 50


def test_a_build_below_the_wanted_recall_is_refused(tmp_path):
    rng = np.random.default_rng(0)
    noise = rng.normal(size=(1500, 64)).astype(np.float32)
    noise /= np.linalg.norm(noise, axis=1, keepdims=True)
    poor = ScannParameters("tree_hashing", 50, 30, 1, 8, reorder=50, training_sample_size=1500)
    with pytest.raises(IndexFolderError, match=r"finds 0\.\d+ of the 50 exact .* less than 0.9"):
        ScannIndex.build(noise, None, tmp_path / "x", parameters=poor, min_recall=0.9, report=quiet)
    assert not list(tmp_path.iterdir())


def test_bad_input_is_refused_before_anything_is_written(tmp_path):
    vectors = clustered(20, 5)
    broken = vectors.copy()
    broken[3] = np.nan
    with pytest.raises(ValueError, match="the index: row 3 holds NaN"):
        ScannIndex.build(broken, None, tmp_path / "index")
    with pytest.raises(ValueError, match="expected 20 ids"):
        ScannIndex.build(vectors, ["a"], tmp_path / "index")
    with pytest.raises(ValueError, match="num_neighbors must be between 1 and 20, received 21"):
        ScannIndex.build(
            vectors, None, tmp_path / "index", parameters=ScannParameters("brute_force", 21)
        )
    assert not list(tmp_path.iterdir())


def changed(folder):
    """An index of 300 rows, changed in every way; and what it must hold: {id: row}."""
    rows, added = tiny_index.clustered(300, 12), tiny_index.clustered(30, 12, seed=3)
    index = tiny_index.saved(folder, rows, tiny_index.names(300))
    index.remove(tiny_index.names(50))
    index.add(added[:20], tiny_index.names(20, first=900))
    index.update(added[20:], [*tiny_index.names(9, first=100), "image00900"])
    index.add(rows[:1], ["image00000"])  # it was removed before
    held = dict(zip(tiny_index.names(300), rows, strict=True))
    held = {name: row for name, row in held.items() if name not in tiny_index.names(50)}
    held |= dict(zip(tiny_index.names(20, first=900), added[:20], strict=True))
    held |= dict(zip([*tiny_index.names(9, first=100), "image00900"], added[20:], strict=True))
    return index, held | {"image00000": rows[0]}


def assert_holds(index, held, queries):
    """Answers are those of a plain loop over what it must hold."""
    names, k = sorted(held), 25
    assert len(index) == len(held)
    _, expected = reference.search(np.stack([held[name] for name in names]), queries, k)
    _, rows = index.search(queries, k)
    assert [sorted(index.ids[row]) for row in rows] == [
        sorted(names[row] for row in best) for best in expected
    ]


def test_added_updated_and_removed_rows_reload_as_they_were(tmp_path):
    index, held = changed(tmp_path / "index")
    queries = tiny_index.clustered(12, 12, seed=8)
    assert_holds(index, held, queries)
    lines = []
    again = open_index(tmp_path / "index", fingerprint="model-a", report=lines.append)
    assert_holds(again, held, queries)
    # 59 of the built rows are gone, 30 added ones are there.
    assert "271 rows of 12 (89 rows changed since it was built), brute_force" in lines[0]
    for ours, theirs in zip(again.search(queries, 9), index.search(queries, 9), strict=True):
        np.testing.assert_array_equal(ours, theirs)
    assert again.search(queries)[0].shape == (12, 5)  # its own k
    with pytest.raises(ValueError, match=r"between 1 and the number of indexed rows \(271\)"):
        again.search(queries, len(held) + 1)
    with pytest.raises(ValueError, match=r"queries have dimension 5"):
        again.search(queries[:, :5], 3)


def test_a_changed_index_without_scann_answers_the_same(tmp_path, monkeypatch):
    _, held = changed(tmp_path / "index")
    monkeypatch.setitem(sys.modules, "scann.scann_ops.py", None)
    index = open_index(tmp_path / "index", report=quiet)
    assert isinstance(index, ExactIndex)
    assert_holds(index, held, tiny_index.clustered(12, 12, seed=8))


def test_a_rebuild_takes_all_changes_in(tmp_path):
    index, held = changed(tmp_path / "index")
    queries = tiny_index.clustered(12, 12, seed=8)
    index.rebuild()
    assert_holds(index, held, queries)
    assert (len(index.changes), len(index.vectors), index.fingerprint) == (0, 271, "model-a")
    assert_holds(open_index(tmp_path / "index", report=quiet), held, queries)
    index.remove([tiny_index.names(1, first=200)[0]])  # its state is that on disk
    assert len(index) == 270


def test_many_changes_rebuild_by_themselves(tmp_path, monkeypatch):
    monkeypatch.setattr(scann_index, "_REBUILD_AT_LEAST", 10)
    rebuilt = []
    monkeypatch.setattr(ScannIndex, "rebuild", lambda self: rebuilt.append(len(self)))
    index = tiny_index.saved(tmp_path / "i", tiny_index.clustered(60, 8), tiny_index.names(60))
    index.remove(tiny_index.names(10))
    index.remove(tiny_index.names(5, first=10), rebuild_share=None)
    assert rebuilt == []
    index.remove(tiny_index.names(1, first=20))
    assert rebuilt == [44]


def test_changes_that_cannot_be(tmp_path):
    rows = tiny_index.clustered(20, 8)
    nameless = tiny_index.saved(tmp_path / "a", rows)
    with pytest.raises(IndexFolderError, match=r"built without ids"):
        nameless.remove(["x"])
    index = tiny_index.saved(tmp_path / "b", rows, tiny_index.names(20))
    other = open_index(tmp_path / "b", report=quiet)
    with pytest.raises(ValueError, match=r"not in the index, so nothing was removed"):
        index.remove(["image00000", "nobody"])
    assert len(index) == len(open_index(tmp_path / "b", report=quiet)) == 20
    index.remove(["image00000"])
    for change in (lambda: other.remove(["image00001"]), other.rebuild):
        with pytest.raises(IndexFolderError, match=r"changed by another process"):
            change()
    assert len(open_index(tmp_path / "b", report=quiet)) == 19
