"""What a ranking must be, and how two are joined."""

from __future__ import annotations

import numpy as np
import pytest

from landmarks_tf.retrieval.reranking.ranking import (
    check_ranking,
    ordered,
    unit_rows,
    with_tail,
)
from landmarks_tf.retrieval.vectors import EmbeddingError


def test_order_is_by_score_then_row():
    scores, rows = ordered(np.array([[0.5, 0.9, 0.5]]), np.array([[7, 1, 3]]))
    assert rows.tolist() == [[1, 3, 7]]
    assert scores.dtype == np.float32
    np.testing.assert_allclose(scores, [[0.9, 0.5, 0.5]], rtol=1e-6)


def test_a_tail_that_stands_too_high_is_lowered_as_a_whole():
    head = np.array([[0.9, 0.2], [0.9, 0.8]], np.float32), np.array([[0, 1], [0, 1]])
    tail = np.array([[0.5, 0.4], [0.5, 0.4]], np.float32), np.array([[2, 3], [3, 2]])
    scores, rows = with_tail(head, tail)
    np.testing.assert_allclose(scores, [[0.9, 0.2, 0.2, 0.1], [0.9, 0.8, 0.5, 0.4]], atol=1e-6)
    assert rows.tolist() == [[0, 1, 2, 3], [0, 1, 3, 2]]


def test_an_empty_tail_changes_nothing():
    head = np.array([[0.9, 0.2]], np.float32), np.array([[4, 1]])
    scores, rows = with_tail(head, (np.zeros((1, 0), np.float32), np.zeros((1, 0), int)))
    assert (scores.tolist(), rows.tolist()) == (head[0].tolist(), head[1].tolist())


@pytest.mark.parametrize(
    ("scores", "rows", "message"),
    [
        ([[1.0, 0.5]], [[0, 9]], r"between 0 and 8, received 0 to 9"),
        ([[1.0, 0.5]], [[0, -1]], r"received -1 to 0"),
        ([[1.0, 0.5]], [[2, 2]], r"query 0 names a row twice"),
        ([[1.0, np.nan]], [[0, 1]], r"query 0 has a score of NaN"),
        ([[1.0]], [[0, 1]], r"one shape \(1, k\)"),
        ([[1.0, 0.5]], [[0.0, 1.0]], r"whole numbers, received float64"),
        ([[1.0], [1.0]], [[0], [1]], r"one list for each query"),
    ],
)
def test_refuses_what_is_no_ranking(scores, rows, message):
    with pytest.raises(ValueError, match=message):
        check_ranking(np.array(scores), np.array(rows), num_queries=1, num_index=9)


@pytest.mark.parametrize("bad", [0.0, np.nan])
def test_a_row_without_direction_is_named(bad):
    matrix = np.ones((3, 2))
    matrix[1] = bad
    with pytest.raises(EmbeddingError, match=r"queries: row 1 has length .* no direction"):
        unit_rows(matrix, name="queries")
    np.testing.assert_allclose(unit_rows(np.array([[3.0, 4.0]]), name="q"), [[0.6, 0.8]])
