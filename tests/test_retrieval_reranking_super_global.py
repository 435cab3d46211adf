"""Refined descriptors against plain loops, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from landmarks_tf.retrieval.exact import ExactIndex
from landmarks_tf.retrieval.reranking import super_global as module
from landmarks_tf.retrieval.reranking.super_global import super_global_rerank
from tests.reference import reranking as reference


def unit_rows(count, dim=6, seed=0):
    rows = np.random.default_rng(seed).normal(size=(count, dim)) + 0.5
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


@settings(max_examples=30, deadline=None)
@given(
    depth=st.integers(2, 12),
    beta=st.sampled_from([0.0, 0.15, 1.0]),
    pooling=st.sampled_from(["max", "mean"]),
    block=st.integers(1, 500),
    seed=st.integers(0, 2**31),
)
def test_equals_the_plain_loops(depth, beta, pooling, block, seed):
    n = 1 + seed % (depth - 1)
    index, queries = unit_rows(15, seed=seed), unit_rows(4, seed=seed + 1)
    scores, rows = ExactIndex(index).search(queries, depth)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "_FLOATS_PER_BLOCK", block)
        found, found_rows = super_global_rerank(
            queries, index, scores, rows, neighbours=n, beta=beta, pooling=pooling
        )
    for query in range(4):
        expected = reference.super_global_scores(
            queries[query].astype(np.float64),
            index[rows[query]].astype(np.float64),
            n,
            beta,
            pooling,
        )
        by_row = dict(zip(rows[query].tolist(), expected, strict=True))
        assert sorted(found_rows[query].tolist()) == sorted(rows[query].tolist())
        assert (np.diff(found[query]) <= 0).all()
        np.testing.assert_allclose(
            found[query], [by_row[row] for row in found_rows[query].tolist()], atol=1e-5
        )


def test_neighbours_pull_a_row_up():
    def at(*degrees):
        radians = np.radians(degrees)
        return np.stack([np.cos(radians), np.sin(radians)], axis=1).astype(np.float32)

    # Row 0 is as near as row 1 on the other side; its friends between it and the query move it in.
    index = at(21, -20, 8, 6)
    scores, rows = ExactIndex(index).search(at(0), 4)
    assert rows[0].tolist() == [3, 2, 1, 0]
    _, again = super_global_rerank(at(0), index, scores, rows, neighbours=2, beta=1, pooling="mean")
    assert again[0].tolist() == [3, 2, 0, 1]


@pytest.mark.parametrize(
    ("settings_", "message"),
    [
        ({"neighbours": 0}, r"neighbours must be between 1 and 4, received 0"),
        ({"neighbours": 5}, r"neighbours must be between 1 and 4, received 5"),
        ({"beta": -0.1}, r"beta must be 0 or more"),
        ({"pooling": "median"}, r"pooling must be one of max, mean, received 'median'"),
    ],
)
def test_refuses_settings_out_of_range(settings_, message):
    index, queries = unit_rows(9), unit_rows(2, seed=1)
    scores, rows = ExactIndex(index).search(queries, 5)
    with pytest.raises(ValueError, match=message):
        super_global_rerank(queries, index, scores, rows, **{"neighbours": 2, **settings_})
