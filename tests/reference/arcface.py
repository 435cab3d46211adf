"""ArcFace in float64 with the angle itself, row by row (S1, and Deng et al. eq. 3)."""

from __future__ import annotations

import math

import numpy as np


def target(cosine: float, margin: float, form: str = "hard") -> float:
    """The own class' cosine after its angle is widened by the margin."""
    angle = math.acos(min(1.0, max(-1.0, cosine)))
    if form == "hard" and angle >= math.pi - margin:
        return math.cos(angle) - margin * math.sin(margin)
    if form == "easy" and angle >= math.pi / 2:
        return math.cos(angle)
    return math.cos(angle + margin)


def logits(labels, cosines, margin, scale: float, form: str = "hard") -> np.ndarray:
    """(B, N) scaled cosines; the margin is one number, or one for each class."""
    out = scale * np.array(cosines, np.float64)
    for row, label in enumerate(labels):
        own = margin if np.ndim(margin) == 0 else margin[label]
        out[row, label] = scale * target(float(cosines[row][label]), float(own), form)
    return out


def cross_entropy(labels, scores) -> np.ndarray:
    """(B,) losses, -log softmax at the label, by summing exponentials."""
    losses = []
    for row, label in zip(np.asarray(scores, np.float64), labels, strict=True):
        top = max(row)
        losses.append(top + math.log(sum(math.exp(x - top) for x in row)) - row[label])
    return np.array(losses)


def loss(labels, cosines, margin, scale: float, form: str = "hard") -> np.ndarray:
    """(B,) ArcFace losses."""
    return cross_entropy(labels, logits(labels, cosines, margin, scale, form))
