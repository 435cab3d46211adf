"""Diffusion against a dense solve, and what it refuses."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from landmarks_tf.retrieval.exact import ExactIndex
from landmarks_tf.retrieval.reranking.diffusion import diffusion_rerank
from landmarks_tf.retrieval.reranking.neighbours import neighbour_graph
from tests.reference import reranking as reference


def unit_rows(count, dim=4, seed=0):
    rows = np.random.default_rng(seed).normal(size=(count, dim))
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


@settings(max_examples=25, deadline=None)
@given(
    num_rows=st.integers(6, 30),
    k=st.integers(1, 5),
    alpha=st.sampled_from([0.0, 0.5, 0.99]),
    gamma=st.sampled_from([1.0, 3.0]),
    seed=st.integers(0, 2**31),
)
def test_equals_a_dense_solve(num_rows, k, alpha, gamma, seed):
    rng = np.random.default_rng(seed)
    depth = int(rng.integers(2, num_rows + 1))
    fed = int(rng.integers(1, depth + 1))
    index, queries = unit_rows(num_rows, seed=seed), unit_rows(3, seed=seed + 1)
    scores, rows = ExactIndex(index).search(queries, depth)
    found, found_rows = diffusion_rerank(
        index,
        scores,
        rows,
        neighbours=k,
        query_neighbours=fed,
        alpha=alpha,
        gamma=gamma,
        iterations=200,
    )
    for query in range(3):
        expected = reference.diffusion_scores(
            index.astype(np.float64), scores[query], rows[query], k, fed, alpha, gamma
        )
        by_row = dict(zip(rows[query].tolist(), expected, strict=True))
        assert (np.diff(found[query]) <= 0).all()
        np.testing.assert_allclose(
            found[query], [by_row[row] for row in found_rows[query].tolist()], atol=1e-4
        )


def test_a_chain_of_views_is_followed_around_the_corner():
    radians = np.radians([10, 20, 30, 40, 50, 60, -45, 180])
    index = np.stack([np.cos(radians), np.sin(radians)], axis=1).astype(np.float32)
    scores, rows = ExactIndex(index).search(np.array([[1, 0]], np.float32), 8)
    assert rows[0].tolist().index(6) < rows[0].tolist().index(5)  # -45 is nearer than 60
    _, again = diffusion_rerank(index, scores, rows, neighbours=2, query_neighbours=1)
    assert set(again[0, :6].tolist()) == {0, 1, 2, 3, 4, 5}


@pytest.mark.parametrize(
    ("settings_", "message"),
    [
        ({"alpha": 1.0}, r"alpha must be from 0 to below 1, received 1"),
        ({"query_neighbours": 6}, r"between 1 and the 5 rows of the ranking, received 6"),
        ({"gamma": 0}, r"gamma and iterations must be above 0"),
        ({"iterations": 0}, r"gamma and iterations must be above 0"),
        ({"neighbours": 9}, r"between 1 and the 8 others"),
    ],
)
def test_refuses_settings_out_of_range(settings_, message):
    index = unit_rows(9)
    scores, rows = ExactIndex(index).search(unit_rows(2, seed=1), 5)
    settings_ = {"neighbours": 3, "query_neighbours": 2, **settings_}
    with pytest.raises(ValueError, match=message):
        diffusion_rerank(index, scores, rows, **settings_)


def test_refuses_a_graph_of_another_index():
    index = unit_rows(9)
    scores, rows = ExactIndex(index).search(unit_rows(2, seed=1), 5)
    with pytest.raises(ValueError, match=r"graph of shape \(9, 3\), received \(9, 2\)"):
        graph = neighbour_graph(index, 2)
        diffusion_rerank(index, scores, rows, neighbours=3, query_neighbours=2, graph=graph)
