"""Intervals and paired tests for GAP, which is no mean over queries.

All answers stand in one ranking, so a query that is drawn twice stands in it twice, and the whole
ranking is scored anew for each resample: as a ranking with weights, many resamples at a time.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from landmarks_tf.metrics.recognition import check_known, has_landmark, ranked_answers
from landmarks_tf.metrics.resampling import (
    RESAMPLES,
    Interval,
    PairedTest,
    check_request,
    coin_flips,
    drawn_queries,
    percentile_interval,
    randomisation_p_value,
)

Answers = Mapping[str, tuple[int, float]]
Truth = Mapping[str, Sequence[int]]


class Ranking(NamedTuple):
    """A run's answers in GAP's order.

    Args:
        ranks: (Q,) rank from 0 of the answer to each query of the solution, -1 without one.
        correct: (Q,) whether it is right.
    """

    ranks: np.ndarray
    correct: np.ndarray


class Bins(NamedTuple):
    """What GAP tells apart of a ranking.

    Of n right answers, bin 2s + 1 is the s-th, and bin 2s holds the wrong ones between it and the
    one before; 2n those after the last, and 2n + 1 the queries that do not stand in the ranking.

    Args:
        of_query: (Q,) bin of each query.
        num_correct: n.
    """

    of_query: np.ndarray
    num_correct: int


def gap_interval(
    predictions: Answers,
    solution: Truth,
    *,
    ignore_non_landmarks: bool = False,
    level: float = 0.95,
    resamples: int = RESAMPLES,
    seed: int = 0,
    progress: bool = False,
) -> Interval:
    """Percentile bootstrap interval of `global_average_precision`.

    Resamples without any query that has ground truth, where GAP is undefined, are left out.

    Args:
        level, resamples: as `landmarks_tf.metrics.resampling.mean_interval`.
        progress: shows a bar on standard error.

    Raises:
        ValueError: as `global_average_precision` and `mean_interval`.
    """
    check_request(level, resamples)
    truth = has_landmark(solution)
    (bins,) = _binned(_ranking(predictions, solution, ignore_non_landmarks))
    gaps = []
    with _bar(resamples, progress) as bar:
        for rows in drawn_queries(len(truth), resamples, seed):
            gaps.append(_drawn_gap(bins, rows, truth))
            bar.update(len(rows))
    return _interval(np.concatenate(gaps), level)


def paired_gap_test(
    predictions_a: Answers,
    predictions_b: Answers,
    solution: Truth,
    *,
    ignore_non_landmarks: bool = False,
    level: float = 0.95,
    resamples: int = RESAMPLES,
    seed: int = 0,
    progress: bool = False,
) -> PairedTest:
    """GAP of run A against that of run B on one solution.

    The interval is that of the paired bootstrap. For the p-value the runs exchange their answers to
    a query by a coin, and an answer keeps its rank: confidences of two runs need not be on one
    scale, and GAP reads nothing but the order.

    Raises:
        ValueError: as `gap_interval`.
    """
    check_request(level, resamples)
    truth = has_landmark(solution)
    runs = [
        _ranking(predictions, solution, ignore_non_landmarks)
        for predictions in (predictions_a, predictions_b)
    ]
    (a,), (b,) = (_binned(run) for run in runs)
    everyone = np.arange(len(truth))[None]
    observed = float((_drawn_gap(a, everyone, truth) - _drawn_gap(b, everyone, truth))[0])
    drawn, exchanged = [], []
    with _bar(2 * resamples, progress) as bar:
        for rows in drawn_queries(len(truth), resamples, seed):
            drawn.append(_drawn_gap(a, rows, truth) - _drawn_gap(b, rows, truth))
            bar.update(len(rows))
        # A coin for each query that has an answer in either run: no other can be exchanged.
        asked = np.flatnonzero((runs[0].ranks >= 0) | (runs[1].ranks >= 0))
        if not asked.size:
            return PairedTest(0.0, Interval(0.0, 0.0), 1.0)
        merged = _binned(*runs)
        for flips in coin_flips(len(asked), resamples, seed):
            exchanged.append(_exchanged(merged, asked, flips) / truth.sum())
            bar.update(len(flips))
    p_value = randomisation_p_value(observed, np.concatenate(exchanged), len(asked))
    return PairedTest(observed, _interval(np.concatenate(drawn), level), p_value)


def _ranking(predictions: Answers, solution: Truth, ignore_non_landmarks: bool) -> Ranking:
    check_known(predictions, solution)
    ids, right = ranked_answers(predictions, solution, ignore_non_landmarks=ignore_non_landmarks)
    row_of = {query_id: row for row, query_id in enumerate(solution)}
    rows = np.array([row_of[query_id] for query_id in ids], np.int64)
    ranks, correct = np.full(len(solution), -1), np.zeros(len(solution), bool)
    ranks[rows], correct[rows] = np.arange(len(rows)), right
    return Ranking(ranks, correct)


def _binned(*runs: Ranking) -> list[Bins]:
    """Each run's bins in one ranking of all runs' answers: by rank, then query, then run."""
    rows = [np.flatnonzero(run.ranks >= 0) for run in runs]
    ranks, correct = (
        np.concatenate([part[of] for part, of in zip(parts, rows, strict=True)])
        for parts in zip(*runs, strict=True)
    )
    order = np.lexsort((np.concatenate(rows), ranks))
    ordered = correct[order]
    bins = np.empty(len(order), np.int64)
    bins[order] = 2 * (ordered.cumsum() - ordered) + ordered
    num_correct = int(correct.sum())
    result = []
    for run, of in zip(runs, rows, strict=True):
        # Gathered once a draw: the fewer bytes, the more of it stays in the cache.
        kind = np.min_scalar_type(2 * num_correct + 1)
        of_query = np.full(len(run.ranks), 2 * num_correct + 1, kind)
        of_query[of], bins = bins[: len(of)], bins[len(of) :]
        result.append(Bins(of_query, num_correct))
    return result


def _drawn_gap(bins: Bins, rows: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """(b,) GAP of each row of drawn queries (b, Q); NaN where none of them has ground truth."""
    with np.errstate(invalid="ignore", divide="ignore"):
        return _gap_sum(bins.of_query[rows], bins.num_correct) / truth[rows].sum(axis=1)


def _exchanged(runs: list[Bins], asked: np.ndarray, flips: np.ndarray) -> np.ndarray:
    """(b,) difference of GAP times M, the answers exchanged where coins (b, asked) say so."""
    a, b = (run.of_query[asked] for run in runs)
    num_correct = runs[0].num_correct
    return _gap_sum(np.where(flips, b, a), num_correct) - _gap_sum(
        np.where(flips, a, b), num_correct
    )


def _gap_sum(bins: np.ndarray, num_correct: int) -> np.ndarray:
    """(b,) sum over ranks of P(i) rel(i) for answers in bins (b, Q), each as often as it occurs."""
    width = 2 * num_correct + 2
    places = bins + (np.arange(len(bins)) * width)[:, None]
    counts = np.bincount(places.ravel(), minlength=len(bins) * width).reshape(-1, width)
    wrong_ahead = counts[:, :-2:2].cumsum(axis=1)
    own = counts[:, 1:-1:2]
    right_ahead = own.cumsum(axis=1) - own
    total = np.zeros(len(bins))
    for copy in range(1, int(own.max(initial=0)) + 1):
        right = right_ahead + copy
        total += np.where(own >= copy, right / (wrong_ahead + right), 0.0).sum(axis=1)
    return total


def _interval(gaps: np.ndarray, level: float) -> Interval:
    gaps = gaps[~np.isnan(gaps)]
    if not gaps.size:
        raise ValueError("no resample holds a query with a landmark; draw more of them.")
    return percentile_interval(gaps, level)


def _bar(total: int, progress: bool):
    from tqdm import tqdm

    return tqdm(total=total, desc="resamples", disable=not progress)
