"""Recall beside a loop over sets, ties, and rankings that are none."""

from __future__ import annotations

import numpy as np
import pytest

from experiments.benchmarks.retrieval_recall import recalls, true_scores


def unit(random, count, dim):
    rows = random.standard_normal((count, dim)).astype(np.float32)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


@pytest.mark.parametrize("k", [1, 10, 25, 100])
def test_like_a_loop_over_sets(k, monkeypatch):
    monkeypatch.setattr("experiments.benchmarks.retrieval_recall._FLOATS_AT_ONCE", 3000)
    random = np.random.default_rng(k)
    vectors, queries = unit(random, 300, 8), unit(random, 20, 8)
    truth = np.argsort(-(queries.astype(np.float64) @ vectors.T.astype(np.float64)), axis=1)[:, :k]
    found = np.where(random.random(truth.shape) < 0.3, 299 - truth, truth)
    found[0, -1] = -1
    expected = {}
    for rank in {1, 10, 100, k}:
        if rank <= k:
            hits = [len(set(f[:rank]) & set(t[:rank])) for f, t in zip(found, truth, strict=True)]
            expected[str(rank)] = np.mean(hits) / rank
    scores = true_scores(vectors, queries, truth)
    assert recalls(vectors, queries, found, scores) == pytest.approx(expected)


def test_of_equal_rows_any_is_right_and_one_counts_once():
    vectors = np.array([[1, 0], [1, 0], [0, 1], [1, 0]], np.float32)
    queries = np.array([[1, 0]], np.float32)
    scores = true_scores(vectors, queries, np.array([[0, 1]]))
    np.testing.assert_array_equal(scores, [[1, 1]])
    assert recalls(vectors, queries, np.array([[3, 1]]), scores) == {"1": 1.0, "2": 1.0}
    assert recalls(vectors, queries, np.array([[3, 3]]), scores) == {"1": 1.0, "2": 0.5}
    assert recalls(vectors, queries, np.array([[2, 0]]), scores) == {"1": 0.0, "2": 0.5}


@pytest.mark.parametrize(
    ("found", "message"),
    [
        ([[0, 4]], r"row 4 of an index of 4 rows"),
        ([[0, 1, 2]], r"expected rankings like the true ones \(1, 2\)"),
    ],
)
def test_rankings_that_are_none(found, message):
    vectors, queries = np.eye(4, dtype=np.float32), np.eye(4, dtype=np.float32)[:1]
    with pytest.raises(ValueError, match=message):
        recalls(vectors, queries, np.array(found), np.ones((1, 2)))
