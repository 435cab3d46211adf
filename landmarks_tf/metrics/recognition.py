"""GAP (also called micro-AP) and top-1 as the Google Landmark Recognition challenge has them.

Predictions map a query id to one (landmark, score); a query may be left out. The solution maps each
query id to its landmark ids, an empty list where the picture shows no landmark of the train set.

Source: the organisers' scoring code (tensorflow/models, research/delf, google_landmarks_dataset);
the measure is the micro-AP of Perronnin et al., A Family of Contextual Measures of Similarity
between Distributions with Application to Image Retrieval, CVPR 2009.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np


def global_average_precision(
    predictions: Mapping[str, tuple[int, float]],
    solution: Mapping[str, Sequence[int]],
    *,
    ignore_non_landmarks: bool = False,
) -> float:
    """GAP = 1/M * sum over ranks i of P(i) * rel(i), 0..1, over all predictions in one ranking.

    M counts the queries that have ground truth. Ranking: score descending, then query id, then
    landmark, both ascending. An answer to a query without ground truth is a wrong one.

    Args:
        ignore_non_landmarks: leaves answers to queries without ground truth out of the ranking
            instead of counting them as wrong.

    By hand: two queries with a landmark, one without; answers right 0.9, (no landmark) 0.8, right
    0.7 -> (1/1 + 2/3) / 2 = 5/6; with `ignore_non_landmarks` (1/1 + 2/2) / 2 = 1.

    Raises:
        ValueError: a prediction for a query that the solution does not have, a score that is NaN,
            or no query with ground truth (the measure is undefined).
    """
    num_positives = _count_positives(predictions, solution)
    _, correct = ranked_answers(predictions, solution, ignore_non_landmarks=ignore_non_landmarks)
    precision = np.cumsum(correct) / np.arange(1, len(correct) + 1)
    return float(precision[correct].sum() / num_positives)


def ranked_answers(
    predictions: Mapping[str, tuple[int, float]],
    solution: Mapping[str, Sequence[int]],
    *,
    ignore_non_landmarks: bool = False,
) -> tuple[list[str], np.ndarray]:
    """Query ids in GAP's order, and whether the answer to each is right, (R,) bool.

    Raises:
        ValueError: a score that is NaN.
    """
    ids = [key for key in predictions if solution[key] or not ignore_non_landmarks]
    if not ids:
        return [], np.zeros(0, bool)
    landmarks = np.array([predictions[key][0] for key in ids], np.int64)
    scores = np.array([predictions[key][1] for key in ids], np.float64)
    if np.isnan(scores).any():
        raise ValueError(
            "expected scores that can be ordered, received NaN for query "
            f"{ids[int(np.isnan(scores).argmax())]!r}."
        )
    correct = np.array([predictions[key][0] in solution[key] for key in ids])
    order = np.lexsort((landmarks, np.array(ids), -scores))
    return [ids[place] for place in order], correct[order]


def has_landmark(solution: Mapping[str, Sequence[int]]) -> np.ndarray:
    """(Q,) whether each query of the solution has ground truth.

    Raises:
        ValueError: none has (the measures divide by their number).
    """
    flags = np.array([bool(truth) for truth in solution.values()], bool)
    if not flags.any():
        raise ValueError(
            f"expected at least one query with a landmark, received none among {len(solution)}."
        )
    return flags


def top1_accuracy(
    predictions: Mapping[str, tuple[int, float]], solution: Mapping[str, Sequence[int]]
) -> float:
    """Share of the queries with ground truth whose answer is one of their landmarks, 0..1.

    A missing answer is a wrong one; queries without ground truth do not enter.
    Raises as `global_average_precision`, but for the scores, which are not read.
    """
    num_positives = _count_positives(predictions, solution)
    correct = sum(answer[0] in solution[key] for key, answer in predictions.items())
    return correct / num_positives


def recognition_summary(
    predictions: Mapping[str, tuple[int, float]], solution: Mapping[str, Sequence[int]]
) -> dict[str, float | int | None]:
    """The reported numbers of one part (public or private) of a solution.

    Returns:
        gap, gap_ignoring_non_landmarks, top1; queries, and queries_with_landmark, which the
        measures divide by. Without any of the latter the measures are null, never zero.
    """
    counts = {
        "queries": len(solution),
        "queries_with_landmark": sum(map(bool, solution.values())),
    }
    if not counts["queries_with_landmark"]:
        check_known(predictions, solution)
        return {"gap": None, "gap_ignoring_non_landmarks": None, "top1": None, **counts}
    return {
        "gap": global_average_precision(predictions, solution),
        "gap_ignoring_non_landmarks": global_average_precision(
            predictions, solution, ignore_non_landmarks=True
        ),
        "top1": top1_accuracy(predictions, solution),
        **counts,
    }


def _count_positives(predictions: Mapping, solution: Mapping) -> int:
    check_known(predictions, solution)
    return int(has_landmark(solution).sum())


def check_known(predictions: Mapping, solution: Mapping) -> None:
    """Raises ValueError for predictions of queries that the solution does not have."""
    unknown = predictions.keys() - solution.keys()
    if unknown:
        raise ValueError(
            f"expected predictions for queries of the solution only, received {len(unknown)} "
            f"unknown ones, such as {min(unknown)!r}."
        )
