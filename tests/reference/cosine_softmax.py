"""Softmax losses over class scores in float64, number by number."""

from __future__ import annotations

import math
import statistics

import numpy as np


def smoothed_cross_entropy(labels, logits, smoothing: float = 0.0) -> np.ndarray:
    """(B,) cross-entropies against (1 - e) one-hot + e / N (Szegedy et al., arXiv 1512.00567)."""
    losses = []
    for label, row in zip(labels, np.asarray(logits, np.float64), strict=True):
        top = max(row)
        log_sum = top + math.log(math.fsum(math.exp(score - top) for score in row))
        total = 0.0
        for k, score in enumerate(row):
            target = smoothing / len(row) + (1 - smoothing if k == label else 0.0)
            total -= target * (score - log_sum)
        losses.append(total)
    return np.array(losses)


def cosface_logits(labels, cosines, margin, scale: float) -> np.ndarray:
    """s (cos - m) for the own class, s cos for others (Wang et al., arXiv 1801.09414, eq. 4)."""
    out = np.zeros(np.shape(cosines))
    for b, row in enumerate(cosines):
        for k, cosine in enumerate(row):
            own = float(margin if np.ndim(margin) == 0 else margin[k])
            out[b, k] = scale * (float(cosine) - (own if k == labels[b] else 0.0))
    return out


def adacos_scale(labels, cosines, before: float) -> float:
    """log(B_avg) / cos(min(pi/4, theta_med)) (Zhang et al., arXiv 1905.00292, eq. 15)."""
    sums, angles = [], []
    for label, row in zip(labels, np.asarray(cosines, np.float64), strict=True):
        sums.append(math.fsum(math.exp(before * x) for k, x in enumerate(row) if k != label))
        angles.append(math.acos(min(1.0, max(-1.0, row[label]))))
    angle = min(math.pi / 4, statistics.median(angles))
    return math.log(statistics.fmean(sums)) / math.cos(angle)


def adacos_fixed_scale(num_classes: int) -> float:
    """sqrt(2) log(C - 1), the scale that AdaCos starts from."""
    return math.log((num_classes - 1) ** math.sqrt(2))
