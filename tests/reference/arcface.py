"""ArcFace in float64 with the angle itself, row by row (S1, and Deng et al. eq. 3)."""

from __future__ import annotations

import math

import numpy as np


def logits(labels, cosines, margin: float, scale: float) -> np.ndarray:
    """(B, N) scaled cosines; the own class' angle is widened by the margin."""
    out = scale * np.array(cosines, np.float64)
    for row, label in enumerate(labels):
        cosine = min(1.0, max(-1.0, float(cosines[row][label])))
        angle = math.acos(cosine)
        if cosine > math.cos(math.pi - margin):
            out[row, label] = scale * math.cos(angle + margin)
        else:
            out[row, label] = scale * (cosine - margin * math.sin(math.pi - margin))
    return out


def cross_entropy(labels, scores) -> np.ndarray:
    """(B,) losses, -log softmax at the label, by summing exponentials."""
    losses = []
    for row, label in zip(np.asarray(scores, np.float64), labels, strict=True):
        top = max(row)
        losses.append(top + math.log(sum(math.exp(x - top) for x in row)) - row[label])
    return np.array(losses)


def loss(labels, cosines, margin: float, scale: float) -> np.ndarray:
    """(B,) ArcFace losses."""
    return cross_entropy(labels, logits(labels, cosines, margin, scale))


def gradient(labels, cosines, margin: float, scale: float, step: float = 1e-6) -> np.ndarray:
    """(B, N) derivative of the summed loss by central differences."""
    cosines = np.array(cosines, np.float64)
    out = np.zeros_like(cosines)
    for place in np.ndindex(cosines.shape):
        for sign in (1, -1):
            moved = cosines.copy()
            moved[place] += sign * step
            out[place] += sign * loss(labels, moved, margin, scale).sum() / (2 * step)
    return out
