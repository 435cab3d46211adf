"""k-reciprocal re-ranking against sets and dicts, and what it refuses."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from landmarks_tf.retrieval.exact import ExactIndex
from landmarks_tf.retrieval.reranking import k_reciprocal as module
from landmarks_tf.retrieval.reranking.k_reciprocal import k_reciprocal_rerank
from landmarks_tf.retrieval.reranking.neighbours import neighbour_graph
from tests.reference import reranking as reference


def clustered(count, dim=5, seed=0):
    rng = np.random.default_rng(seed)
    rows = rng.normal(size=(4, dim))[rng.integers(0, 4, count)] + rng.normal(size=(count, dim)) / 2
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


@settings(max_examples=25, deadline=None)
@given(
    num_rows=st.integers(8, 40),
    k1=st.integers(2, 7),
    weight=st.sampled_from([0.0, 0.3, 1.0]),
    block=st.integers(1, 50),
    seed=st.integers(0, 2**31),
)
def test_equals_the_sets(num_rows, k1, weight, block, seed):
    rng = np.random.default_rng(seed)
    k2, depth = int(rng.integers(1, k1 + 1)), int(rng.integers(k1, num_rows + 1))
    index, queries = clustered(num_rows, seed=seed), clustered(3, seed=seed + 1)
    scores, rows = ExactIndex(index).search(queries, depth)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "_ROWS_PER_BLOCK", block)
        patch.setattr(module, "_QUERIES_PER_BLOCK", 2)
        patch.setattr(module, "_GATHERED_FLOATS", 5 * block)
        found, found_rows = k_reciprocal_rerank(
            queries, index, scores, rows, k1=k1, k2=k2, weight=weight
        )
    exact = index.astype(np.float64)
    for query in range(3):
        expected = reference.k_reciprocal_scores(
            queries[query].astype(np.float64), exact, rows[query].tolist(), k1, k2, weight
        )
        by_row = dict(zip(rows[query].tolist(), expected, strict=True))
        assert sorted(found_rows[query].tolist()) == sorted(rows[query].tolist())
        assert (np.diff(found[query]) <= 0).all()
        np.testing.assert_allclose(
            found[query], [by_row[row] for row in found_rows[query].tolist()], atol=1e-5
        )


def test_a_stranger_that_is_near_by_chance_falls_behind_the_group():
    # Rows 0 to 5 are one landmark; row 6 is nearer, but has six nearer friends of its own.
    def at(*degrees):
        radians = np.radians(degrees)
        return np.stack([np.cos(radians), np.sin(radians)], axis=1).astype(np.float32)

    index = at(6, 7, 8, 9, 10, 11, -5.5, -10, -9, -8, -7, -6.5, -6)
    scores, rows = ExactIndex(index).search(at(0), 12)
    assert rows[0, :5].tolist() == [6, 0, 12, 11, 1]
    _, again = k_reciprocal_rerank(at(0), index, scores, rows, k1=6, k2=1)
    assert set(again[0, :5].tolist()) == {0, 1, 2, 3, 4}


def test_a_query_nobody_knows_keeps_its_order():
    # Two tight groups far off: neither has the query among its nearest.
    index = np.concatenate([clustered(1)] * 10 + [clustered(1, seed=9)] * 10)
    query = clustered(1, seed=4)
    scores, rows = ExactIndex(index).search(query, 20)
    found, found_rows = k_reciprocal_rerank(query, index, scores, rows, k1=4, k2=1)
    np.testing.assert_array_equal(found_rows, rows)
    np.testing.assert_allclose(found, 0.3 - 0.3 * (2 - 2 * scores) / 4, atol=1e-6)


@pytest.mark.parametrize(
    ("settings_", "message"),
    [
        ({"k1": 1}, r"k1 must be between 2 and 29, received 1"),
        ({"k1": 30}, r"k1 must be between 2 and 29"),
        ({"k2": 0}, r"k2 must be between 1 and k1 = 5"),
        ({"k2": 6}, r"k2 must be between 1 and k1 = 5"),
        ({"weight": 1.5}, r"weight must be between 0 and 1"),
        ({"k1": 11}, r"ranking of 10 rows is shorter than k1 = 11; search deeper"),
    ],
)
def test_refuses_settings_out_of_range(settings_, message):
    index, queries = clustered(30), clustered(2, seed=1)
    scores, rows = ExactIndex(index).search(queries, 10)
    with pytest.raises(ValueError, match=message):
        k_reciprocal_rerank(queries, index, scores, rows, **{"k1": 5, "k2": 2, **settings_})


def test_refuses_a_graph_or_ranking_of_another_index():
    index, queries = clustered(30), clustered(2, seed=1)
    scores, rows = ExactIndex(index).search(queries, 10)
    with pytest.raises(ValueError, match=r"graph of shape \(30, 5\), received \(20, 5\)"):
        graph = neighbour_graph(index[:20], 5)
        k_reciprocal_rerank(queries, index, scores, rows, k1=5, k2=2, graph=graph)
    with pytest.raises(ValueError, match=r"belongs to another index"):
        k_reciprocal_rerank(queries, index, scores, rows + 25, k1=5, k2=2)
