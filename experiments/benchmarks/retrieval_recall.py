"""Which share of the true neighbours a search found."""

from __future__ import annotations

import numpy as np

RANKS = (1, 10, 100)
# float32 scores of equal rows differ by their rounding; of rows that differ at all, by more.
_TIE = 1e-6
_FLOATS_AT_ONCE = 8_000_000


def recalls(
    vectors: np.ndarray, queries: np.ndarray, found: np.ndarray, true_scores: np.ndarray
) -> dict[str, float]:
    """recall@r for each r of `RANKS` up to k: the share of the r nearest rows that stand among the
    first r found, on average.

    A found row counts if its score reaches the r-th true one: of equal rows (a picture that is
    there twice) any is right. A row that is found twice counts once.

    Args:
        vectors: (N, D) unit rows of the index, perhaps memory-mapped.
        queries: (Q, D) unit rows.
        found: (Q, k) row numbers, best first; -1 for none.
        true_scores: (Q, k) the exact scores of the nearest rows, falling.

    Returns:
        {"1": share, "10": share, "100": share}, and k itself if it is none of them.

    Raises:
        ValueError: shapes that do not belong together, or a row number that is not there.
    """
    count, k = found.shape
    if true_scores.shape != found.shape or len(queries) != count or not count:
        raise ValueError(
            f"expected rankings like the true ones {true_scores.shape} for {len(queries)} "
            f"queries. Received: {found.shape}."
        )
    if found.max() >= len(vectors) or found.min() < -1:
        raise ValueError(f"a search gave row {found.max()} of an index of {len(vectors)} rows")
    ranks = sorted({rank for rank in (*RANKS, k) if rank <= k})
    hits = dict.fromkeys(ranks, 0)
    step = max(1, _FLOATS_AT_ONCE // (k * vectors.shape[1]))
    for start in range(0, count, step):
        part = slice(start, start + step)
        scores = _scores(vectors, queries[part], found[part])
        for rank in ranks:
            hits[rank] += int((scores[:, :rank] >= true_scores[part, rank - 1, None] - _TIE).sum())
    return {str(rank): hits[rank] / (rank * count) for rank in ranks}


def _scores(vectors: np.ndarray, queries: np.ndarray, found: np.ndarray) -> np.ndarray:
    """(Q, k) exact scores; -inf for no row, and for a row at its second place."""
    rows = vectors[np.maximum(found, 0).ravel()].reshape(*found.shape, -1)
    scores = np.einsum("qkd,qd->qk", rows.astype(np.float64), queries.astype(np.float64))
    order = np.argsort(found, axis=1, kind="stable")
    sorted_rows = np.take_along_axis(found, order, 1)
    again = np.zeros(found.shape, bool)
    np.put_along_axis(again, order[:, 1:], sorted_rows[:, 1:] == sorted_rows[:, :-1], 1)
    return np.where(again | (found < 0), -np.inf, scores)


def true_scores(vectors: np.ndarray, queries: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """(Q, k) exact scores of the true neighbours `rows` (Q, k), falling; in float64."""
    count, k = rows.shape
    step = max(1, _FLOATS_AT_ONCE // (k * vectors.shape[1]))
    parts = [slice(start, start + step) for start in range(0, count, step)]
    found = [_scores(vectors, queries[part], rows[part]) for part in parts]
    return -np.sort(-np.concatenate(found), axis=1)
