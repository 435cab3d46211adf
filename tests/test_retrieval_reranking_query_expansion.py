"""Averages of neighbours against plain loops and by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from landmarks_tf.retrieval.reranking import query_expansion as module
from landmarks_tf.retrieval.reranking.neighbours import neighbour_graph
from landmarks_tf.retrieval.reranking.query_expansion import augment_database, expand_queries
from landmarks_tf.retrieval.vectors import EmbeddingError
from tests.reference import reranking as reference


def at_angles(*degrees):
    radians = np.radians(degrees)
    return np.stack([np.cos(radians), np.sin(radians)], axis=1).astype(np.float32)


def angle(row):
    return float(np.degrees(np.arctan2(row[1], row[0])))


def unit_rows(count, dim, seed=0):
    rows = np.random.default_rng(seed).normal(size=(count, dim))
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def test_by_hand():
    index = at_angles(60, 180, 300)
    # The bisector of 0 and 60 degrees; with alpha = 1 the neighbour weighs cos 60 = 1/2:
    # (1 + 1/4, sqrt(3)/4), at arctan(sqrt(3) / 5) degrees.
    (average,) = expand_queries(at_angles(0.5), index, neighbours=1, alpha=0)
    np.testing.assert_allclose(angle(average), 30.25, atol=1e-3)
    (weighted,) = expand_queries(at_angles(0), index, neighbours=1, alpha=1)
    np.testing.assert_allclose(angle(weighted), np.degrees(np.arctan(3**0.5 / 5)), atol=1e-3)


def test_rows_of_an_index_are_no_neighbours_of_their_own():
    index = at_angles(0, 20, 100, 130)
    np.testing.assert_allclose(
        [angle(row) for row in augment_database(index, neighbours=1, alpha=0)],
        [10, 10, 115, 115],
        atol=1e-3,
    )


@settings(max_examples=30, deadline=None)
@given(
    num_rows=st.integers(3, 20),
    alpha=st.sampled_from([0.0, 1.0, 2.5]),
    rounds=st.integers(1, 2),
    gathered=st.integers(1, 200),
    seed=st.integers(0, 2**31),
)
def test_equals_the_plain_loops_whatever_the_blocks(num_rows, alpha, rounds, gathered, seed):
    n = 1 + seed % (num_rows - 1)
    index, queries = unit_rows(num_rows, 7, seed), unit_rows(4, 7, seed + 1)
    settings_ = {"neighbours": n, "alpha": alpha, "rounds": rounds}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "_GATHERED_FLOATS", gathered)
        expanded = expand_queries(queries, index, **settings_)
        augmented = augment_database(index, **settings_)
    exact = index.astype(np.float64)
    np.testing.assert_allclose(
        expanded,
        reference.expanded(queries.astype(np.float64), exact, n, alpha, rounds),
        atol=2e-5,
    )
    np.testing.assert_allclose(augmented, reference.augmented(exact, n, alpha, rounds), atol=2e-5)


def test_a_known_graph_is_used_and_a_foreign_one_refused():
    index = unit_rows(30, 5)
    graph = neighbour_graph(index, 6)
    np.testing.assert_array_equal(
        augment_database(index, neighbours=4, graph=graph), augment_database(index, neighbours=4)
    )
    with pytest.raises(ValueError, match=r"graph of 30 rows with 7 neighbours or more"):
        augment_database(index, neighbours=7, graph=graph)
    with pytest.raises(ValueError, match=r"received one of shape \(30, 6\)"):
        augment_database(index[:20], neighbours=4, graph=graph)


@pytest.mark.parametrize(
    ("settings_", "message"),
    [
        ({"alpha": -1.0}, r"alpha must be 0 or more, received -1"),
        ({"alpha": np.nan}, r"alpha must be 0 or more"),
        ({"rounds": 0}, r"rounds must be at least 1"),
        ({"neighbours": 0}, r"k must be between 1"),
        ({"neighbours": 31}, r"k must be between 1"),
    ],
)
def test_refuses_settings_out_of_range(settings_, message):
    with pytest.raises(ValueError, match=message):
        expand_queries(unit_rows(2, 5), unit_rows(30, 5), **settings_)


def test_a_query_that_its_neighbour_cancels_is_named():
    with pytest.raises(EmbeddingError, match=r"queries .* row 0 has length .* no direction"):
        expand_queries(at_angles(0), at_angles(180), neighbours=1, alpha=0)
