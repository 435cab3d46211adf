"""mAP@k, P@k and first-hit positions as the Google Landmark Retrieval challenge defines them.

Every function takes the predictions in one of two forms, and the ground truth in the same form:

* mappings: query id -> ranked index ids, and query id -> ground-truth index ids. A query of the
  solution without a prediction scores zero; it is never left out of the mean.
* arrays: rankings (Q, K) of integer row numbers, best first, padded with -1, and a sequence of Q
  integer arrays with the relevant rows of each query.

Source: Weyand et al., Google Landmarks Dataset v2, CVPR 2020 (arXiv 2004.01804), and the
organisers' scoring code (tensorflow/models, research/delf, google_landmarks_dataset).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

REPORTED_RANKS = (1, 5, 10, 50, 100)
# Rows of a ranking that are looked up at a time: bounds the memory, not the result.
_BLOCK = 8192


class Hits(NamedTuple):
    """Where the relevant items stand in Q rankings.

    Args:
        correct: (Q, k) bool, True where a relevant item appears for the first time. A second
            appearance is not a hit, and it still occupies its rank.
        num_relevant: (Q,) int64, the number of ground-truth items of each query.
    """

    correct: np.ndarray
    num_relevant: np.ndarray


def find_hits(predictions, solution, k: int = 100) -> Hits:
    """Compares rankings with the ground truth; see the module's text for the two forms.

    Returns:
        Hits with rows in the order of `solution`.

    Raises:
        ValueError: k below one, no query at all, a prediction for a query that the solution does
            not have, a query without ground truth, rankings of the wrong shape or type.
    """
    if k < 1:
        raise ValueError(f"expected k to be at least 1, received {k}.")
    if not len(solution):
        raise ValueError("expected a solution with at least one query, received none.")
    if isinstance(predictions, Mapping):
        return _hits_of_mappings(predictions, solution, k)
    return _hits_of_arrays(np.asarray(predictions), solution, k)


def average_precisions(hits: Hits) -> np.ndarray:
    """AP@k of each query, (Q,) float64 in 0..1.

    AP = 1 / min(m, k) * sum over ranks i <= k of P(i) * rel(i), with m ground-truth items. The
    denominator is neither m nor the number of hits found.

    By hand: two relevant items, hits at ranks 1 and 4 of k = 100 -> (1/1 + 2/4) / 2 = 0.75.
    """
    num_queries, k = hits.correct.shape
    query, rank = np.nonzero(hits.correct)
    starts = np.searchsorted(query, np.arange(num_queries))
    found = np.arange(len(query)) - starts[query] + 1
    total = np.bincount(query, weights=found / (rank + 1), minlength=num_queries)
    return total / np.minimum(hits.num_relevant, k)


def mean_average_precision(predictions, solution, k: int = 100) -> float:
    """mAP@k over all queries of the solution, 0..1. Raises as `find_hits`."""
    return float(average_precisions(find_hits(predictions, solution, k)).mean())


def precisions_at_k(predictions, solution, k: int = 100) -> np.ndarray:
    """Mean precision at ranks 1..k, (k,) float64; ranks past the end of a list count as wrong.

    Raises as `find_hits`.
    """
    return _precisions(find_hits(predictions, solution, k))


def first_hit_positions(hits: Hits) -> np.ndarray:
    """Rank, from 1, of each query's first hit; k + 1 where there is none. (Q,) int64."""
    k = hits.correct.shape[1]
    return np.where(hits.correct.any(axis=1), hits.correct.argmax(axis=1) + 1, k + 1)


def mean_median_position(predictions, solution, k: int = 100) -> tuple[float, float]:
    """Mean and median of `first_hit_positions` over all queries. Raises as `find_hits`."""
    positions = first_hit_positions(find_hits(predictions, solution, k))
    return float(positions.mean()), float(np.median(positions))


def retrieval_summary(predictions, solution, k: int = 100) -> dict[str, float | int | None]:
    """The reported numbers of one part (public or private) of a solution.

    Returns:
        map@k, p@1, p@5, p@10, p@50, p@100 (those up to k), mean_position, median_position, and
        queries, the number of queries that the means run over. A part without queries has null
        in place of every mean, never a zero.
    """
    ranks = [rank for rank in REPORTED_RANKS if rank <= k]
    names = [f"map@{k}", *(f"p@{rank}" for rank in ranks), "mean_position", "median_position"]
    if not len(solution):
        if len(predictions):
            raise ValueError("expected no prediction for a solution without queries.")
        return {**dict.fromkeys(names), "queries": 0}
    hits = find_hits(predictions, solution, k)
    precisions = _precisions(hits)
    positions = first_hit_positions(hits)
    values = [average_precisions(hits).mean(), *(precisions[rank - 1] for rank in ranks)]
    values += [positions.mean(), np.median(positions)]
    return {**dict(zip(names, map(float, values), strict=True)), "queries": len(solution)}


def _precisions(hits: Hits) -> np.ndarray:
    num_queries, k = hits.correct.shape
    # Whole numbers up to the division: no rounding depends on the number of queries.
    return hits.correct.sum(axis=0).cumsum() / (num_queries * np.arange(1, k + 1))


def _hits_of_mappings(predictions: Mapping, solution: Mapping, k: int) -> Hits:
    unknown = predictions.keys() - solution.keys()
    if unknown:
        raise ValueError(
            f"expected predictions for queries of the solution only, received {len(unknown)} "
            f"unknown ones, such as {min(unknown)!r}."
        )
    correct = np.zeros((len(solution), k), bool)
    num_relevant = np.empty(len(solution), np.int64)
    for row, (query_id, truth) in enumerate(solution.items()):
        num_relevant[row] = len(truth)
        ranking = predictions.get(query_id, ())
        if isinstance(ranking, str):
            raise ValueError(
                f"expected a list of ids for query {query_id!r}, received the text {ranking!r}."
            )
        relevant = frozenset(truth)
        ranking = ranking[:k]
        if relevant.isdisjoint(ranking):
            continue
        flags = list(map(relevant.__contains__, ranking))
        if len(set(ranking)) != len(ranking):
            _strike_repeats(flags, ranking)
        correct[row, : len(flags)] = flags
    _check_relevant(num_relevant, list(solution))
    return Hits(correct, num_relevant)


def _strike_repeats(flags: list[bool], ranking: Sequence) -> None:
    seen = set()
    for rank, item in enumerate(ranking):
        flags[rank] = flags[rank] and item not in seen
        seen.add(item)


def _hits_of_arrays(rankings: np.ndarray, relevance: Sequence, k: int) -> Hits:
    if rankings.ndim != 2 or not np.issubdtype(rankings.dtype, np.integer):
        raise ValueError(
            "expected rankings (Q, K) of integer row numbers, received an array of shape "
            f"{rankings.shape} and type {rankings.dtype}."
        )
    if len(rankings) != len(relevance):
        raise ValueError(
            f"expected as many rankings as queries, received {len(rankings)} and {len(relevance)}."
        )
    rankings = rankings[:, :k]
    truths = [np.asarray(rows).reshape(-1) for rows in relevance]
    num_relevant = np.array([len(rows) for rows in truths], np.int64)
    _check_relevant(num_relevant, range(len(truths)))
    relevant_rows = np.concatenate(truths)
    if not np.issubdtype(relevant_rows.dtype, np.integer) or relevant_rows.min() < 0:
        raise ValueError("expected the relevant rows to be integers from 0 up.")
    # One number for each (query, row) pair makes the lookup one search in a sorted array.
    stride = int(max(relevant_rows.max(), rankings.max(initial=0))) + 1
    pairs = np.repeat(np.arange(len(truths)), num_relevant) * stride + relevant_rows
    pairs.sort()
    correct = np.zeros((len(rankings), k), bool)
    for start in range(0, len(rankings), _BLOCK):
        block = rankings[start : start + _BLOCK].astype(np.int64)
        keys = (np.arange(start, start + len(block)) * stride)[:, None] + block
        slots = np.minimum(np.searchsorted(pairs, keys), len(pairs) - 1)
        found = np.flatnonzero((pairs[slots] == keys) & (block >= 0))
        _, first = np.unique(keys.ravel()[found], return_index=True)
        query, rank = np.divmod(found[first], max(1, block.shape[1]))
        correct[start + query, rank] = True
    return Hits(correct, num_relevant)


def _check_relevant(num_relevant: np.ndarray, names: Sequence) -> None:
    if not num_relevant.all():
        name = names[int(np.argmin(num_relevant))]
        raise ValueError(
            f"expected ground truth for every query, received none for {name!r}; "
            "drop the ignored queries first."
        )
