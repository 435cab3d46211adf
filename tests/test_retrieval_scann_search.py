"""What a ScaNN searcher answers when its leaves run dry, and when ScaNN cannot be imported."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from landmarks_tf.retrieval.exact import ExactIndex
from landmarks_tf.retrieval.parameters import ScannParameters, choose_parameters
from landmarks_tf.retrieval.scann_build import build
from landmarks_tf.retrieval.scann_search import ScannSearcher, import_scann
from landmarks_tf.retrieval.vectors import EmbeddingError


def clustered(count, dim, clusters=40, seed=0):
    rng = np.random.default_rng(seed)
    centres = np.random.default_rng(99).normal(size=(clusters, dim))
    rows = centres[rng.integers(0, clusters, count)] + 0.3 * rng.normal(size=(count, dim))
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


PARAMETERS = ScannParameters(
    "tree_hashing", 10, 50, 2, reorder=100, soar_lambda=1.5, training_sample_size=3000
)


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tree")
    vectors = clustered(3000, 32)
    build(vectors, folder, PARAMETERS)
    return ScannSearcher(folder, PARAMETERS), vectors


def test_finds_the_exact_neighbours_with_exact_scores(tree):
    searcher, vectors = tree
    queries = clustered(60, 32, seed=1)
    scores, rows = searcher.search(queries, 10)
    assert (scores.dtype, rows.dtype) == (np.float32, np.int64)
    _, exact_rows = ExactIndex(vectors).search(queries, 10)
    hits = [len(set(a) & set(b)) for a, b in zip(rows.tolist(), exact_rows.tolist(), strict=True)]
    assert np.mean(hits) / 10 > 0.9
    np.testing.assert_allclose(
        scores, np.einsum("qkd,qd->qk", vectors[rows].astype(float), queries), atol=1e-6
    )
    assert (np.diff(scores, axis=1) <= 0).all()


@pytest.mark.parametrize("k", [200, 2999, 3000])
def test_more_neighbours_than_the_searched_leaves_hold(tree, k):
    """ScaNN itself pads these with row 0 and NaN."""
    searcher, vectors = tree
    queries = clustered(5, 32, seed=2)
    raw_rows, raw_scores = searcher._searcher.search_batched(queries, final_num_neighbors=k)
    assert np.isnan(raw_scores).any() or raw_rows.shape[1] < k
    scores, rows = searcher.search(queries, k)
    assert np.isfinite(scores).all()
    assert all(len(set(row)) == k for row in rows.tolist())
    exact_scores, _ = ExactIndex(vectors).search(queries, k)
    assert (exact_scores[:, -1] <= scores[:, -1] + 1e-6).all() or k < 3000


def test_a_single_query_and_none(tree):
    searcher, vectors = tree
    scores, rows = searcher.search(vectors[17:18])  # its own k
    assert rows.shape == (1, 10)
    assert rows[0, 0] == 17
    np.testing.assert_allclose(scores[0, 0], 1.0, rtol=1e-6)
    scores, rows = searcher.search(np.zeros((0, 32), np.float32), 3)
    assert scores.shape == rows.shape == (0, 3)


def test_refuses_what_exact_search_refuses(tree):
    searcher, vectors = tree
    with pytest.raises(EmbeddingError, match="dimension 31, the index has dimension 32"):
        searcher.search(vectors[:2, :31], 3)
    with pytest.raises(EmbeddingError, match="queries: row 1 holds NaN"):
        searcher.search(np.stack([vectors[0], np.full(32, np.nan, np.float32)]), 3)
    with pytest.raises(ValueError, match="between 1 and the number of indexed rows"):
        searcher.search(vectors[:2], 3001)


def test_import_failure_is_one_line(monkeypatch):
    monkeypatch.setitem(sys.modules, "scann.scann_ops.py", None)
    with pytest.raises(ImportError, match=r"^ScaNN cannot be imported here: .+$"):
        import_scann()


def test_wide_concatenated_embeddings_stay_on_the_fast_path(tmp_path):
    """600 dimensions, whose 300 pairs are more blocks than ScaNN adds up fast."""
    vectors = np.concatenate([clustered(900, 150, seed=seed) for seed in range(4)], axis=1) / 2
    wide = choose_parameters(20_000, 600, 10).fitted_to(900)
    build(vectors, tmp_path, wide)
    assert np.load(tmp_path / "scann" / "hashed_dataset.npy").shape == (900, 256)
    scores, rows = ScannSearcher(tmp_path, wide).search(vectors[::60], 10)
    np.testing.assert_allclose(
        scores, np.einsum("qkd,qd->qk", vectors[rows].astype(float), vectors[::60]), atol=1e-6
    )
    _, exact_rows = ExactIndex(vectors).search(vectors[::60], 10)
    hits = [len(set(a) & set(b)) for a, b in zip(rows.tolist(), exact_rows.tolist(), strict=True)]
    assert np.mean(hits) / 10 > 0.9
