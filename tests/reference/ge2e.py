"""GE2E in float64, row by row (Wan et al., arXiv 1710.10467, equations 5 to 9)."""

from __future__ import annotations

import math

import numpy as np

from tests.reference.cosine import cosine


def similarities(embeddings, images_per_class: int, w: float = 10.0, b: float = -5.0):
    """(P * K, P): w cos + b of every row with every class' centroid.

    Rows and centroids are made unit length; the own class' centroid leaves the row itself out.
    """
    units = [_unit(row) for row in np.array(embeddings, np.float64)]
    groups = [
        range(first, first + images_per_class) for first in range(0, len(units), images_per_class)
    ]
    out = np.zeros((len(units), len(groups)))
    for i, row in enumerate(units):
        for k, members in enumerate(groups):
            centroid = np.mean([units[m] for m in members if m != i], axis=0)
            out[i, k] = w * cosine(row, centroid) + b
    return out


def softmax_losses(scores, images_per_class: int, epsilon: float = 0.0) -> np.ndarray:
    """(B,) equation 6, with S1's epsilon inside of the logarithm."""
    losses = []
    for i, row in enumerate(np.array(scores, np.float64)):
        own = row[i // images_per_class]
        losses.append(math.log(sum(math.exp(s) for s in row) + epsilon) - own)
    return np.array(losses)


def contrast_losses(scores, images_per_class: int) -> np.ndarray:
    """(B,) equation 7."""
    losses = []
    for i, row in enumerate(np.array(scores, np.float64)):
        own = i // images_per_class
        others = [_sigmoid(s) for k, s in enumerate(row) if k != own]
        losses.append(1 - _sigmoid(row[own]) + max(others))
    return np.array(losses)


def _sigmoid(x: float) -> float:
    return 0.5 * (1 + math.tanh(x / 2))


def _unit(row: np.ndarray) -> np.ndarray:
    length = math.sqrt(sum(x * x for x in row))
    return row / length if length else row
