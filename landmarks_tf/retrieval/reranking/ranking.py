"""Rankings that a re-ranker takes and gives: scores (Q, k) falling, rows (Q, k) of the index."""

from __future__ import annotations

import numpy as np

from landmarks_tf.retrieval.vectors import EmbeddingError


def check_ranking(scores, rows, *, num_queries: int, num_index: int) -> tuple:
    """The ranking as (Q, k) float32 and int64 arrays.

    Args:
        scores: (Q, k), higher is better, falling.
        rows: (Q, k) rows of the index, none twice in a query's list.
        num_queries: Q.
        num_index: M, the rows of the index.

    Raises:
        ValueError: for shapes that do not fit, rows outside the index or given twice, scores that
            are NaN.
    """
    scores, rows = np.asarray(scores, np.float32), np.asarray(rows)
    if scores.ndim != 2 or scores.shape != rows.shape or len(rows) != num_queries:
        raise ValueError(
            f"expected scores and rows of one shape ({num_queries}, k), one list for each query; "
            f"received {scores.shape} and {rows.shape}"
        )
    if rows.dtype.kind not in "iu":
        raise ValueError(f"expected rows as whole numbers, received {rows.dtype}")
    if rows.size and not 0 <= rows.min() <= rows.max() < num_index:
        raise ValueError(
            f"expected rows between 0 and {num_index - 1}, received {rows.min()} to {rows.max()}: "
            "the ranking belongs to another index"
        )
    if np.isnan(scores).any():
        raise ValueError(f"query {int(np.isnan(scores).any(axis=1).argmax())} has a score of NaN")
    ordered = np.sort(rows, axis=1)
    if (ordered[:, 1:] == ordered[:, :-1]).any():
        query = int((ordered[:, 1:] == ordered[:, :-1]).any(axis=1).argmax())
        raise ValueError(f"the ranking of query {query} names a row twice")
    return scores, rows.astype(np.int64, copy=False)


def ordered(scores: np.ndarray, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(Q, k) scores and rows by falling score; equal scores by rising row, as exact search has."""
    scores = scores.astype(np.float32, copy=False)
    order = np.lexsort((rows, -scores), axis=1)
    return np.take_along_axis(scores, order, 1), np.take_along_axis(rows, order, 1)


def with_tail(head, tail) -> tuple[np.ndarray, np.ndarray]:
    """A re-ranked head (Q, a) and what stood below it (Q, b), as one falling ranking (Q, a + b).

    The tail keeps its order. Where its scores would stand above the head's last, all of a query's
    tail is lowered by the difference.
    """
    (head_scores, head_rows), (tail_scores, tail_rows) = head, tail
    if head_scores.shape[1] and tail_scores.shape[1]:
        excess = tail_scores[:, :1] - head_scores[:, -1:]
        tail_scores = tail_scores - np.maximum(excess, 0.0)
    return np.hstack([head_scores, tail_scores]), np.hstack([head_rows, tail_rows])


def unit_rows(matrix: np.ndarray, *, name: str) -> np.ndarray:
    """The rows of a (N, D) matrix divided by their length, as float32.

    Raises:
        EmbeddingError: a row has no length, or holds NaN.
    """
    matrix = matrix.astype(np.float64)
    lengths = np.sqrt(np.einsum("nd,nd->n", matrix, matrix))
    bad = np.flatnonzero(~((lengths > 1e-12) & np.isfinite(lengths)))
    if bad.size:
        raise EmbeddingError(
            f"{name}: row {bad[0]} has length {lengths[bad[0]]:.3g} and so no direction"
        )
    return (matrix / lengths[:, None]).astype(np.float32)
