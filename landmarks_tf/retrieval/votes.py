"""From the classes of a query's neighbours to one class: how neighbours vote.

| scheme | a neighbour's vote | the winner's confidence |
|---|---|---|
| cosine | its cosine, 0 where that is negative | the sum of its votes |
| majority | 1 | the number of its votes, and by at most 1 more the nearer the nearest of them |
| distance | 1 / its L2 distance | the sum of its votes |

Equal votes go to the class of the nearer neighbour. Confidences order answers as GAP does; they are
no probabilities (`landmarks_tf.retrieval.calibration`).

Source: S4 (reproduction.md section 3.2) takes the majority of k = 3; Dudani, The Distance-Weighted
k-Nearest-Neighbor Rule, IEEE SMC 1976 (distance; the weight here is scikit-learn's); GLDv2's
baseline and the winners of Recognition 2020 sum similarities (cosine).
"""

from __future__ import annotations

import numpy as np

SCHEMES = ("cosine", "majority", "distance")


def tally(classes: np.ndarray, scores: np.ndarray, scheme: str) -> tuple[np.ndarray, np.ndarray]:
    """The class that wins among the k neighbours of each query.

    By hand: neighbours of class 7 with cosine 0.9, of class 4 with 0.8 and 0.7: 4 wins with
    1.5 (cosine) or 2 + 1.8 / 2 (majority); by distance 7 has 1 / sqrt(0.2) = 2.24 votes and 4
    1 / sqrt(0.4) + 1 / sqrt(0.6) = 2.87.

    Args:
        classes: (Q, k) integers, nearest first.
        scores: (Q, k) cosines (less a penalty, if there is one), falling.
        scheme: one of `SCHEMES`.

    Returns:
        classes (Q,) and confidences (Q,) float64. With "cosine", where the nearest neighbour's
        cosine is negative, it alone is the confidence. With "distance", a distance of 0 outweighs
        any number of others, and the confidence is infinite.

    Raises:
        ValueError: an unknown scheme.
    """
    if scheme not in SCHEMES:
        raise ValueError(f"expected the vote to be one of {', '.join(SCHEMES)}, got {scheme!r}.")
    scores = np.asarray(scores, np.float64)
    same = classes[:, :, None] == classes[:, None, :]
    # (Q, k): the sum over all neighbours that share the class of neighbour j.
    sums = np.einsum("qij,qj->qi", same, _votes(scores, scheme))
    winner = np.argmax(sums, axis=1)[:, None]  # argmax takes the nearest of equals
    confidences = np.take_along_axis(sums, winner, 1)[:, 0]
    if scheme == "cosine":
        confidences = np.where(scores[:, 0] < 0, scores[:, 0], confidences)
    elif scheme == "majority":
        confidences += (1 + np.take_along_axis(scores, winner, 1)[:, 0]) / 2
    else:
        confidences = np.where(_touching(scores).any(axis=1), np.inf, confidences)
    return np.take_along_axis(classes, winner, 1)[:, 0], confidences


def _votes(scores: np.ndarray, scheme: str) -> np.ndarray:
    if scheme == "majority":
        return np.ones_like(scores)
    if scheme == "cosine":
        return np.maximum(scores, 0.0)
    touching = _touching(scores)
    distances = np.sqrt(np.where(touching, 1.0, 2 - 2 * scores))
    # Where a neighbour is the query itself, the others have no say.
    return np.where(touching.any(axis=1, keepdims=True), touching, 1 / distances)


def _touching(scores: np.ndarray) -> np.ndarray:
    return scores >= 1.0
