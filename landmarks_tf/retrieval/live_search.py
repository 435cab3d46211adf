"""Searching an index of which some rows are gone and to which others came."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from landmarks_tf.retrieval.exact import ExactIndex
from landmarks_tf.retrieval.index_changes import Changes
from landmarks_tf.retrieval.ranking_merge import merge_rankings

Search = Callable[[np.ndarray, int], tuple[np.ndarray, np.ndarray]]


def search_changed(
    search: Search, num_rows: int, changes: Changes, queries: np.ndarray, k: int
) -> tuple[np.ndarray, np.ndarray]:
    """The k best of the rows that are there: the built ones without the removed, and the added.

    Args:
        search: (queries, k) -> (scores, rows) over the built index.
        num_rows: N, rows of the built index.
        changes: what changed since.
        queries: (Q, D) unit rows.
        k: 1 to the number of rows that are there.

    Returns:
        scores (Q, k), rows (Q, k); added rows are numbered from N on.
    """
    parts = []
    if left := num_rows - len(changes.removed):
        parts.append(_search_left(search, num_rows, changes.removed, queries, min(k, left)))
    if len(changes.rows):
        added = ExactIndex(changes.rows)
        scores, rows = added.search(queries, min(k, len(added)))
        parts.append((scores, rows + num_rows))
    return merge_rankings(parts, k)


def _search_left(
    search: Search, num_rows: int, removed: np.ndarray, queries: np.ndarray, k: int
) -> tuple[np.ndarray, np.ndarray]:
    """As `search`, without removed rows: asks for some more, and more again where it must."""
    if not len(removed):
        return search(queries, k)
    gone = np.zeros(num_rows, bool)
    gone[removed] = True
    scores = np.empty((len(queries), k), np.float32)
    rows = np.empty((len(queries), k), np.int64)
    # As many as are gone near an average query, and some: a removed class may lie all in one place.
    share = len(removed) / num_rows
    asked = min(num_rows, k + min(len(removed), 8 + int(2 * k * share / (1 - share))))
    pending = np.arange(len(queries))
    while len(pending):
        found_scores, found_rows = search(queries[pending], asked)
        dead = gone[found_rows]
        enough = (~dead).sum(axis=1) >= k
        # The living first, in the order found.
        order = np.argsort(dead[enough], axis=1, kind="stable")[:, :k]
        scores[pending[enough]] = np.take_along_axis(found_scores[enough], order, 1)
        rows[pending[enough]] = np.take_along_axis(found_rows[enough], order, 1)
        pending = pending[~enough]
        asked = min(num_rows, k + len(removed), 2 * asked)
    return scores, rows
