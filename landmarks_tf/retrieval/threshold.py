"""Where to keep silent: a threshold on the confidence, chosen on one part and used on another.

GAP never gains by silence: an answer at the end of the ranking takes nothing from those before it.
A service that must say "no landmark" needs a threshold all the same.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np


class OpenSetScores(NamedTuple):
    """What a threshold makes of Q queries, of which some show a landmark.

    Args:
        threshold: answers of this confidence and above are given.
        precision: right / given answers; 1 where none is given.
        recall: right answers / queries that show a landmark.
        f1: their harmonic mean.
        accuracy: (right answers + silence to queries without a landmark) / Q.
    """

    threshold: float
    precision: float
    recall: float
    f1: float
    accuracy: float


def open_set_scores(confidences, correct, shows_landmark, threshold: float) -> OpenSetScores:
    """Scores of answering only from `threshold` on.

    Args:
        confidences: (Q,) of the answer to each query; -inf where there is none.
        correct: (Q,) whether it is right.
        shows_landmark: (Q,) whether the query shows a landmark of the train set.

    Raises:
        ValueError: shapes that differ, NaN, no query that shows a landmark, or a right answer to
            one that shows none.
    """
    confidences, correct, shows = _checked(confidences, correct, shows_landmark)
    given = confidences >= threshold
    right = int((given & correct).sum())
    precision = right / int(given.sum()) if given.any() else 1.0
    recall = right / int(shows.sum())
    f1 = 2 * right / (int(given.sum()) + int(shows.sum()))
    silent = int((~given & ~shows).sum())
    return OpenSetScores(float(threshold), precision, recall, f1, (right + silent) / len(shows))


def choose_threshold(
    confidences, correct, shows_landmark, *, least_precision: float | None = None
) -> OpenSetScores:
    """The threshold of the highest F1, or of the highest recall at a precision asked for.

    Among equals the highest threshold, which answers least. The scores are those on the queries
    that it was chosen on: judge it on others.

    Args:
        confidences, correct, shows_landmark: as `open_set_scores`.
        least_precision: 0..1; None for the highest F1.

    Raises:
        ValueError: as `open_set_scores`; no threshold reaches the precision.
    """
    confidences, correct, shows = _checked(confidences, correct, shows_landmark)
    order = np.argsort(-confidences, kind="stable")
    ranked = confidences[order]
    # Equal confidences are answered together.
    last = np.append(ranked[1:] != ranked[:-1], True) & (ranked > -np.inf)
    given = np.flatnonzero(last) + 1
    right = correct[order].cumsum()[last]
    if not given.size:
        raise ValueError("expected at least one answer to choose a threshold on, received none.")
    if least_precision is None:
        best = np.argmax(2 * right / (given + shows.sum()))
    else:
        reached = right / given >= least_precision
        if not reached.any():
            raise ValueError(
                f"no threshold has a precision of {least_precision}; the highest is "
                f"{(right / given).max():.3f}."
            )
        best = np.argmax(np.where(reached, right, -1))
    return open_set_scores(confidences, correct, shows, ranked[last][best])


def _checked(confidences, correct, shows_landmark) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    confidences = np.asarray(confidences, np.float64)
    correct, shows = np.asarray(correct, bool), np.asarray(shows_landmark, bool)
    if confidences.ndim != 1 or not confidences.shape == correct.shape == shows.shape:
        raise ValueError(
            "expected a confidence, whether it is right and whether a landmark is shown for each "
            f"query, received the shapes {confidences.shape}, {correct.shape} and {shows.shape}."
        )
    if np.isnan(confidences).any():
        raise ValueError("expected confidences that can be ordered, received NaN.")
    if not shows.any():
        raise ValueError("expected at least one query that shows a landmark, received none.")
    if (correct & ~shows).any():
        raise ValueError(
            f"query {int((correct & ~shows).argmax())} shows no landmark, and its answer is called "
            "right."
        )
    return confidences, correct, shows
