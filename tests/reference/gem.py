"""Generalised-mean pooling in float64, one channel at a time (Radenovic et al., section 3.2)."""

from __future__ import annotations

import numpy as np


def pool(feature_map, p: float, epsilon: float = 1e-6) -> np.ndarray:
    """(B, h, w, C) -> (B, C)."""
    feature_map = np.asarray(feature_map, np.float64)
    batch, height, width, channels = feature_map.shape
    out = np.zeros((batch, channels))
    for b in range(batch):
        for c in range(channels):
            values = [
                max(feature_map[b, y, x, c], epsilon) for y in range(height) for x in range(width)
            ]
            out[b, c] = (sum(v**p for v in values) / len(values)) ** (1 / p)
    return out
