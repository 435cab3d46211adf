"""Nearest others against a plain loop, with copies of rows among them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from landmarks_tf.retrieval.reranking import neighbours as module
from landmarks_tf.retrieval.reranking.neighbours import neighbour_graph
from tests.reference import reranking as reference


def unit_rows(count, dim, seed=0):
    rows = np.random.default_rng(seed).normal(size=(count, dim))
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


@settings(max_examples=25, deadline=None)
@given(num_rows=st.integers(2, 25), block=st.integers(1, 30), seed=st.integers(0, 2**31))
def test_equals_the_plain_loop_whatever_the_blocks(num_rows, block, seed):
    index = unit_rows(num_rows, 6, seed)
    k = 1 + seed % (num_rows - 1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "_ROWS_PER_BLOCK", block)
        graph = neighbour_graph(index, k)
    for row in range(num_rows):
        assert graph.rows[row].tolist() == reference.nearest(index[row], index, k, row)
        expected = index[graph.rows[row]].astype(np.float64) @ index[row]
        np.testing.assert_allclose(graph.scores[row], expected, rtol=1e-6)


def test_copies_of_a_row_never_make_it_its_own_neighbour():
    index = np.repeat(unit_rows(2, 4), [6, 3], axis=0)  # rows 0 to 5 are one picture
    graph = neighbour_graph(index, 2)
    assert graph.rows[5].tolist() == [0, 1]
    assert graph.rows[0].tolist() == [1, 2]
    assert graph.rows[7].tolist() == [6, 8]
    assert not (graph.rows == np.arange(9)[:, None]).any()


@pytest.mark.parametrize("k", [0, 9])
def test_refuses_more_neighbours_than_others(k):
    with pytest.raises(ValueError, match=r"between 1 and the 8 others that each row"):
        neighbour_graph(unit_rows(9, 3), k)
