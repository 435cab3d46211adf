"""The k nearest others of every row of an index: what database-side methods walk on.

Memory: the graph is (M, k) float32 and int64, 12 bytes an edge: 183 MB for 761,757 rows of 20
neighbours; beside it one block of the exact search. Time: an exact search of M queries.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from tqdm import tqdm

from landmarks_tf.retrieval.exact import ExactIndex

_ROWS_PER_BLOCK = 4_096


class NeighbourGraph(NamedTuple):
    """Nearest others of each row of an index.

    Attributes:
        scores: (M, k) float32, cosines, falling.
        rows: (M, k) int64, never the row itself.
    """

    scores: np.ndarray
    rows: np.ndarray


def neighbour_graph(index, k: int, *, progress: bool = False) -> NeighbourGraph:
    """The k nearest others of each row, by exact search.

    Args:
        index: (M, D) unit rows.
        k: how many, 1 to M - 1.
        progress: show a progress bar over rows.

    Raises:
        ValueError, EmbeddingError: k out of range, an index that cannot be searched.
    """
    exact = ExactIndex(index)
    if not 1 <= k < len(exact):
        raise ValueError(
            f"neighbours must be between 1 and the {len(exact) - 1} others that each row of the "
            f"index has, received {k}"
        )
    scores = np.empty((len(exact), k), np.float32)
    rows = np.empty((len(exact), k), np.int64)
    with tqdm(total=len(exact), desc="neighbours", unit="row", disable=not progress) as bar:
        for start in range(0, len(exact), _ROWS_PER_BLOCK):
            own = np.arange(start, min(start + _ROWS_PER_BLOCK, len(exact)))
            found = exact.search(np.asarray(exact.embeddings[own[0] : own[-1] + 1]), k + 1)
            scores[own], rows[own] = _without_itself(own, *found)
            bar.update(len(own))
    return NeighbourGraph(scores, rows)


def _without_itself(own: np.ndarray, scores: np.ndarray, rows: np.ndarray):
    """Drops each row's own number; the last one where copies of the row have crowded it out."""
    itself = rows == own[:, None]
    last = rows.shape[1] - 1
    dropped = np.where(itself.any(axis=1), itself.argmax(axis=1), last)
    kept = np.arange(rows.shape[1]) != dropped[:, None]
    shape = (len(own), last)
    return scores[kept].reshape(shape), rows[kept].reshape(shape)
