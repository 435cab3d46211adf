"""Equal error rate: the monitor of GE2E's training."""

from __future__ import annotations

import numpy as np


def equal_error_rate(scores: np.ndarray, targets: np.ndarray) -> float:
    """Where as large a share of the negatives is accepted as of the positives is refused, 0..1.

    The root x of 1 - x - TPR(x), with TPR the polyline of the ROC curve over the false-positive
    rate (reproduction.md section 2.2). Equal scores are accepted together, so that constant scores
    give 0.5; perfect ones give 0, and perfectly wrong ones 1.

    By hand: positives 0.9 and 0.4, negatives 0.6 and 0.1. In falling order TPR rises to 1/2, FPR to
    1/2: there 1/2 of the positives is refused and 1/2 of the negatives accepted, hence 0.5.

    For GE2E, rows of P classes of K and similarities (P * K, P), the targets are
    `np.arange(P * K)[:, None] // K == np.arange(P)`.

    Args:
        scores: any shape; higher means more alike.
        targets: booleans (or 0 and 1) of the same shape, true where it should be high.

    Raises:
        ValueError: shapes that differ, NaN scores, other targets, or only one kind of them.
    """
    scores, targets = np.asarray(scores, np.float64), np.asarray(targets)
    if scores.shape != targets.shape:
        raise ValueError(
            f"expected scores and targets of one shape, received {scores.shape} and "
            f"{targets.shape}."
        )
    if np.isnan(scores).any():
        raise ValueError("expected scores that can be ordered, received NaN.")
    if not np.isin(targets, (0, 1)).all():
        raise ValueError(f"expected targets of 0 and 1, received {np.unique(targets)[:5]}.")
    false_positives, true_positives = _roc(scores.ravel(), targets.ravel().astype(bool))
    # Rises from -1 at (0, 0) to 1 at (1, 1).
    beyond = false_positives + true_positives - 1.0
    end = int(np.argmax(beyond >= 0))
    start = end - 1
    part = -beyond[start] / (beyond[end] - beyond[start])
    step = false_positives[end] - false_positives[start]
    return float(false_positives[start] + part * step)


def _roc(scores: np.ndarray, targets: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(false-positive rate, true-positive rate) from (0, 0) to (1, 1), a point for each score."""
    positives = int(targets.sum())
    negatives = targets.size - positives
    if not positives or not negatives:
        raise ValueError(
            f"expected targets of both kinds, received {positives} true and {negatives} false."
        )
    order = np.argsort(-scores, kind="stable")
    ranked = scores[order]
    last_of_equals = np.append(ranked[1:] != ranked[:-1], True)
    accepted = np.cumsum(targets[order])[last_of_equals]
    wrongly = np.flatnonzero(last_of_equals) + 1 - accepted
    return np.append(0.0, wrongly / negatives), np.append(0.0, accepted / positives)
