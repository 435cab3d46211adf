"""Which own pictures are trained on, which are searched, and which are the questions."""

from __future__ import annotations

import numpy as np

# Of a smaller class two to train on and one to find would leave none to ask with.
SMALLEST_HELD_OUT_CLASS = 4
TRAIN, INDEX, TEST = 0, 1, 2


def split_by_class(
    ids: np.ndarray, classes: np.ndarray, *, index_fraction: float, query_fraction: float
) -> np.ndarray:
    """Holds out pictures of each class for index and test (queries).

    Of a class of n pictures, n at least 4, max(1, int(query_fraction * n)) become queries and
    max(1, int(index_fraction * n)) index pictures, but at least two stay in train; smaller classes
    are trained on whole. Which ones follows from their ids alone, the smallest first: ids are
    hashes, so that this is as good as chance and the same in every order and on every machine.

    Args:
        ids: (N,) S16, no two alike.
        classes: (N,) int64 class of each picture.
        index_fraction, query_fraction: both above 0 with a sum below 1, or both 0: all is train.

    Returns:
        (N,) int8: `TRAIN`, `INDEX` or `TEST`.

    Raises:
        ValueError: a fraction out of its range.
    """
    _check_fractions(index_fraction, query_fraction)
    parts = np.full(len(ids), TRAIN, np.int8)
    if query_fraction == 0:
        return parts
    order = np.lexsort((ids, classes))
    starts = np.flatnonzero(np.diff(classes[order], prepend=-1))
    for rows in np.split(order, starts[1:]):
        size = len(rows)
        if size < SMALLEST_HELD_OUT_CLASS:
            continue
        queries = min(size - 3, max(1, int(query_fraction * size)))
        index = min(size - 2 - queries, max(1, int(index_fraction * size)))
        parts[rows[:queries]] = TEST
        parts[rows[queries : queries + index]] = INDEX
    return parts


def usage_of(queries: np.ndarray) -> list[str]:
    """ "Public" or "Private" of each query, one in three Public (as in GLDv2), by ascending id.

    Args:
        queries: (Q,) S16 ids; from two on, both parts have some.
    """
    rank = np.argsort(np.argsort(queries))
    return ["Public" if place % 3 == 0 else "Private" for place in rank.tolist()]


def _check_fractions(index_fraction: float, query_fraction: float) -> None:
    if index_fraction == query_fraction == 0:
        return
    if not (index_fraction > 0 and query_fraction > 0 and index_fraction + query_fraction < 1):
        raise ValueError(
            "index_fraction and query_fraction must both be above 0 with a sum below 1, or both 0, "
            f"got {index_fraction} and {query_fraction}"
        )
