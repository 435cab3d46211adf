"""The recall of a built ScaNN index: measured against exact search, and reached.

The rule of `choose_parameters` knows sizes alone. Over how many leaves the neighbours of a query
are spread depends on the embeddings: in a set of many small classes they lie in several times as
many leaves as in one of large classes. Leaves and candidates are settings of a search, not of the
index, so that a built index can be asked what each of them finds.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np

from landmarks_tf.retrieval.exact import ExactIndex
from landmarks_tf.retrieval.parameters import ScannParameters

CHECK_QUERIES = 100
# Of 400 queries' mean recall@100 the standard error is some 0.0015 near 0.99.
_FIT_QUERIES = 400
_MARGIN = 0.1  # of the misses that are allowed: what is aimed at beyond, for other queries
_STEP = 1.5
_NEAR = 1.05  # where the leaves are known this well, they are known well enough
_MOST_CANDIDATES = 10  # times k


class RecallCheck:
    """Queries out of an index with what exact search finds for them.

    A found row counts if its exact score reaches the k-th exact score: among equal rows (the same
    picture twice) any is right.

    Args:
        vectors: (N, D) float32 unit rows of the index; the queries are evenly spaced among them.
        k: neighbours, 1 to N.
        num_queries: most queries.
    """

    def __init__(self, vectors: np.ndarray, k: int, num_queries: int = CHECK_QUERIES):
        chosen = np.linspace(0, len(vectors) - 1, min(num_queries, len(vectors))).round()
        self._queries = np.asarray(vectors[np.unique(chosen.astype(np.int64))])
        self._vectors, self._k = vectors, k
        self._kth = ExactIndex(vectors).search(self._queries, k)[0][:, -1]

    def recall(self, search: Callable) -> float:
        """Mean share of the k exact neighbours that `search(queries, k)` finds: scores, rows."""
        _, rows = search(self._queries, self._k)
        found = 0
        for query, query_rows, kth in zip(self._queries, rows, self._kth, strict=True):
            inside = (query_rows >= 0) & (query_rows < len(self._vectors))
            distinct = np.unique(query_rows[inside])
            scores = self._vectors[distinct].astype(np.float64) @ query.astype(np.float64)
            found += min(self._k, int((scores >= kth - 1e-6).sum()))
        return found / (self._k * len(self._queries))


def reach_recall(searcher, wanted: float) -> ScannParameters:
    """The fewest leaves, and candidates where leaves cannot suffice, that find what is wanted.

    Args:
        searcher: a `ScannSearcher`; its `parameters` are where the search for better ones begins.
        wanted: recall@k in (0, 1]; a tenth of the allowed misses is kept in hand.

    Returns:
        The searcher's parameters with `leaves_to_search` and `reorder` replaced. Where not even all
        leaves and 10 k candidates reach it, those that come nearest for the fewest leaves.
    """
    begun = searcher.parameters
    if begun.method == "brute_force":
        return begun
    check = RecallCheck(searcher.vectors, begun.num_neighbors, _FIT_QUERIES)

    def measured(parameters: ScannParameters) -> float:
        searcher.parameters = parameters
        return check.recall(searcher.search)

    try:
        aim = wanted + _MARGIN * (1 - wanted)
        widest = replace(begun, leaves_to_search=begun.num_leaves)
        most = min(_MOST_CANDIDATES * begun.num_neighbors, len(searcher))
        while (reached := measured(widest)) < aim and widest.reorder < most:
            widest = replace(widest, reorder=min(most, math.ceil(widest.reorder * _STEP)))
        return _fewest_leaves(measured, replace(begun, reorder=widest.reorder), min(aim, reached))
    finally:
        searcher.parameters = begun


def _fewest_leaves(measured: Callable, begun: ScannParameters, aim: float) -> ScannParameters:
    """All leaves reach `aim`; how few do, from where the rule put them outwards."""
    if begun.method != "tree_hashing":
        return begun
    low, high = 0, begun.num_leaves
    leaves = min(begun.leaves_to_search, high - 1)
    while high - low > 1 and high > max(low, 1) * _NEAR:
        enough = measured(replace(begun, leaves_to_search=leaves)) >= aim
        low, high = (low, leaves) if enough else (leaves, high)
        # By halves of the ratio, but by small steps at first: searching many leaves is slow.
        middle = math.sqrt(max(low, 1) * high)
        middle = max(middle, leaves / _STEP) if enough else min(middle, leaves * _STEP)
        leaves = max(low + 1, min(high - 1, round(middle)))
    return replace(begun, leaves_to_search=high)
