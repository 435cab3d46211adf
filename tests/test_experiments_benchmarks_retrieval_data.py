"""Where the vectors of a search benchmark come from, and what is refused."""

from __future__ import annotations

import h5py
import numpy as np
import pytest

from experiments.benchmarks import retrieval_data as data
from experiments.benchmarks.retrieval_spectra import built_in


def rows_of(count, dim=4, seed=0):
    return np.random.default_rng(seed).standard_normal((count, dim)).astype(np.float32)


def unit(rows):
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def load(folder):
    return np.load(folder / "index.npy"), np.load(folder / "queries.npy")


def test_npz_is_split_into_index_and_queries(tmp_path):
    rows = rows_of(50)
    np.savez(tmp_path / "a.npz", embeddings=rows.astype(np.float16), labels=np.arange(50))
    source = data.read_source(tmp_path / "a.npz")
    np.testing.assert_array_equal(source.labels, np.arange(50))
    told = data.prepare_given(source, tmp_path / "out", queries=5, seed=1)
    assert told == {"kind": "given", "name": "a.npz", "rows": 45, "dim": 4, "queries": 5}
    assert data.prepared(tmp_path / "out") == told
    index, queries = load(tmp_path / "out")
    assert index.dtype == queries.dtype == np.float32
    # Every row is on one side, in its order, one unit long.
    together = np.concatenate([index, queries])
    expected = unit(rows.astype(np.float16).astype(np.float32))
    np.testing.assert_allclose(
        np.sort(together.view("f4,f4,f4,f4").ravel()).view("f4").reshape(-1, 4),
        np.sort(expected.copy().view("f4,f4,f4,f4").ravel()).view("f4").reshape(-1, 4),
        atol=1e-7,
    )
    places = [np.abs(expected - row).max(axis=1).argmin() for row in index]
    assert places == sorted(places)


def test_npy_and_small_sets_give_a_tenth(tmp_path):
    np.save(tmp_path / "a.npy", rows_of(30))
    told = data.prepare_given(
        data.read_source(tmp_path / "a.npy"), tmp_path / "out", queries=2000, seed=0
    )
    assert (told["rows"], told["queries"]) == (27, 3)


def test_ann_benchmarks_brings_its_queries(tmp_path):
    with h5py.File(tmp_path / "glove-4-angular.hdf5", "w") as file:
        file["train"], file["test"] = rows_of(40), rows_of(12, seed=1)
        file.attrs["distance"] = "angular"
    source = data.read_source(tmp_path / "glove-4-angular.hdf5")
    data.prepare_given(source, tmp_path / "out", queries=12, seed=0)
    index, queries = load(tmp_path / "out")
    np.testing.assert_allclose(index, unit(rows_of(40)), atol=1e-6)
    np.testing.assert_allclose(queries, unit(rows_of(12, seed=1)), atol=1e-6)
    assert data.prepare_given(source, tmp_path / "few", queries=5, seed=0)["queries"] == 5


def test_the_folder_of_a_run(tmp_path):
    for part in ("embeddings", "records/metadata"):
        (tmp_path / part).mkdir(parents=True)
    np.save(tmp_path / "embeddings/index.npy", unit(rows_of(3)))
    np.save(tmp_path / "embeddings/index.ids.npy", np.array(["b", "a", "c"]))
    np.save(tmp_path / "embeddings/test.npy", unit(rows_of(2, seed=1)))
    table = tmp_path / "records/metadata/index_image_to_landmark.csv"
    table.write_text("id,landmark_id\na,7\nb,8\nc,7\n")
    source = data.read_source(tmp_path)
    np.testing.assert_array_equal(source.labels, [8, 7, 7])
    assert source.queries.shape == (2, 4)


def test_drawn(tmp_path):
    told = data.prepare_drawn(built_in(8), tmp_path, rows=1000, queries=20, seed=0)
    assert told["kind"] == "drawn" and "133 classes, sizes as in GLDv2's index" in told["name"]
    index, queries = load(tmp_path)
    assert index.shape == (1000, 8) and queries.shape == (20, 8)
    np.testing.assert_allclose(np.linalg.norm(index, axis=1), 1, atol=1e-6)


def test_nothing_half_written_is_taken(tmp_path):
    source = data.Source(np.array([[1.0, 0], [0, 1]] * 9 + [[0, 0]]), None, None, "zeros")
    with pytest.raises(ValueError, match=r"zeros: a row has length 0"):
        data.prepare_given(source, tmp_path, queries=1, seed=0)
    assert data.prepared(tmp_path) is None


def broken(kind, path):
    if kind == "no array":
        np.savez(path.with_suffix(".npz"), vectors=rows_of(3))
        return path.with_suffix(".npz")
    if kind == "labels":
        np.savez(path.with_suffix(".npz"), embeddings=rows_of(3), labels=np.arange(2))
        return path.with_suffix(".npz")
    if kind == "text":
        np.save(path.with_suffix(".npy"), np.array([["a"]]))
        return path.with_suffix(".npy")
    if kind == "csv":
        path.with_suffix(".csv").write_text("1,2")
        return path.with_suffix(".csv")
    if kind == "folder":
        path.mkdir()
        return path
    with h5py.File(path.with_suffix(".hdf5"), "w") as file:
        file["train"] = rows_of(3)
        if kind == "distance":
            file["test"], file.attrs["distance"] = rows_of(3), "jaccard"
        if kind == "dimension":
            file["test"] = rows_of(3, dim=5)
    return path.with_suffix(".hdf5")


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("no array", r"must hold an array `embeddings`.*It holds: vectors"),
        ("labels", r"expected a label for each of 3 rows. Received: \(2,\)"),
        ("text", r"expected embeddings \(N, D\). Received: \(1, 1\) <U1"),
        ("csv", r"a .npy, a .npz, an ann-benchmarks .hdf5 or the folder of a run"),
        ("folder", r"is no finished run: it lacks embeddings/index.npy"),
        ("no test", r"lacks test of ann-benchmarks' files"),
        ("distance", r"made for the distance 'jaccard'"),
        ("dimension", r"queries \(3, 5\) do not fit an index of \(3, 4\)"),
    ],
)
def test_what_is_refused(kind, message, tmp_path):
    with pytest.raises(ValueError, match=message):
        data.read_source(broken(kind, tmp_path / "a"))


def test_nothing_there(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no embeddings at .*nowhere"):
        data.read_source(tmp_path / "nowhere")


def test_too_few_to_hold_one_out(tmp_path):
    np.save(tmp_path / "a.npy", rows_of(9))
    with pytest.raises(ValueError, match=r"a.npy has 9 rows: at least 10"):
        data.prepare_given(
            data.read_source(tmp_path / "a.npy"), tmp_path / "out", queries=1, seed=0
        )
