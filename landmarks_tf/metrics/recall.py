"""How much of the ground truth is found: recall@k, hit rate@k and R-precision.

Beside GLDv2's official numbers, for comparison with other work. Two things go by the name of
recall@k: the found part of what is relevant (information retrieval, DELF), here `recalls_at_k`, and
whether anything relevant is found at all (metric learning), here `hit_rates_at_k`. All functions
take predictions and ground truth in the forms of `landmarks_tf.metrics.retrieval`, and raise as its
`find_hits`.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from landmarks_tf.metrics.retrieval import REPORTED_RANKS, Hits, find_hits, first_hit_positions


def recalls_at_k(predictions, solution, k: int = 100) -> np.ndarray:
    """Mean over queries of hits within the first 1..k ranks / ground-truth items. (k,) float64.

    By hand: two relevant items, hits at ranks 1 and 4 -> 1/2, 1/2, 1/2, 1.

    Source: Manning, Raghavan and Schütze, Introduction to Information Retrieval, section 8.3.
    """
    return _recalls(find_hits(predictions, solution, k))


def hit_rates_at_k(predictions, solution, k: int = 100) -> np.ndarray:
    """Share of the queries with a hit within the first 1..k ranks. (k,) float64, 0..1.

    Source: Jégou, Douze and Schmid, Product Quantization for Nearest Neighbor Search, PAMI 2011,
    and, as "Recall@K", Oh Song et al., Deep Metric Learning via Lifted Structured Feature
    Embedding, CVPR 2016.
    """
    return _hit_rates(find_hits(predictions, solution, k))


def r_precision(predictions, solution) -> float:
    """Mean over queries of the precision at rank m, with m ground-truth items, 0..1.

    Ranks past the end of a list count as wrong: for a query with 150 relevant items a list of 100
    gives at most 100/150.

    By hand: two relevant items, hits at ranks 1 and 4 -> 1/2.

    Source: Manning, Raghavan and Schütze, section 8.4; Musgrave et al., A Metric Learning Reality
    Check, ECCV 2020, section 3.2.
    """
    return _r_precision(find_hits(predictions, solution, _deepest(predictions, solution)))


def recall_summary(predictions, solution, k: int = 100) -> dict[str, float | None]:
    """recall@1, ..., hit_rate@1, ... (the reported ranks up to k) and r_precision of one part.

    Null in place of every mean for a part without queries.
    """
    ranks = [rank for rank in REPORTED_RANKS if rank <= k]
    names = [f"{name}@{rank}" for name in ("recall", "hit_rate") for rank in ranks]
    if not len(solution) and not len(predictions):
        return dict.fromkeys([*names, "r_precision"])
    hits = find_hits(predictions, solution, max(k, _deepest(predictions, solution)))
    places = np.array(ranks) - 1
    values = [*_recalls(hits)[places], *_hit_rates(hits)[places], _r_precision(hits)]
    return dict(zip([*names, "r_precision"], map(float, values), strict=True))


def _recalls(hits: Hits) -> np.ndarray:
    num_queries, k = hits.correct.shape
    query, rank = np.nonzero(hits.correct)
    gained = np.bincount(rank, weights=1 / hits.num_relevant[query], minlength=k)
    return gained.cumsum() / num_queries


def _hit_rates(hits: Hits) -> np.ndarray:
    num_queries, k = hits.correct.shape
    found_at = np.bincount(first_hit_positions(hits) - 1, minlength=k + 1)
    return found_at[:k].cumsum() / num_queries


def _r_precision(hits: Hits) -> float:
    query, rank = np.nonzero(hits.correct)
    query = query[rank < hits.num_relevant[query]]
    return float((1 / hits.num_relevant[query]).sum() / len(hits.num_relevant))


def _deepest(predictions, solution) -> int:
    """The last rank that R-precision looks at: no hit lies beyond the longest list."""
    return max(1, min(_longest(solution), _longest(predictions)))


def _longest(lists) -> int:
    return max(map(len, lists.values() if isinstance(lists, Mapping) else lists), default=0)
