"""One ranking out of several: parts of a set that were searched apart."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np


def merge_rankings(
    parts: Iterable[tuple[np.ndarray, np.ndarray]], k: int
) -> tuple[np.ndarray, np.ndarray]:
    """The k best of rankings over disjoint sets of rows.

    The answer is that of one search over all rows if each part's is that of a search over its own
    with k (or with all rows of the part, where it has fewer). Parts are taken in one after the
    other, so that no more than two rankings are held at once.

    Args:
        parts: (scores (Q, k'), rows (Q, k')) of each part; rows are numbers in the whole set.
        k: how many are kept; fewer where the parts hold fewer together.

    Returns:
        scores (Q, k) float32, falling; rows (Q, k) int64, equal scores by rising row.

    Raises:
        ValueError: without parts, or where they answer different numbers of queries.
    """
    best: tuple[np.ndarray, np.ndarray] | None = None
    for scores, rows in parts:
        if best is None:
            best = (scores[:, :0], rows[:, :0])
        if len(scores) != len(best[0]):
            raise ValueError(
                f"rankings of {len(best[0])} and of {len(scores)} queries cannot be merged: "
                "every part must be searched with the same queries"
            )
        scores = np.concatenate([best[0], scores], axis=1)
        rows = np.concatenate([best[1], rows], axis=1)
        order = np.lexsort((rows, -scores), axis=1)[:, :k]
        best = np.take_along_axis(scores, order, 1), np.take_along_axis(rows, order, 1)
    if best is None:
        raise ValueError("there is no ranking to merge: no part was searched")
    return best
