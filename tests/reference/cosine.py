"""Cosines between rows and class centres in float64, pair by pair."""

from __future__ import annotations

import math

import numpy as np


def cosine(left, right) -> float:
    """0 where either has no direction."""
    dot = sum(float(a) * float(b) for a, b in zip(left, right, strict=True))
    lengths = math.sqrt(sum(float(a) ** 2 for a in left)) * math.sqrt(
        sum(float(b) ** 2 for b in right)
    )
    return dot / lengths if lengths else 0.0


def class_cosines(embeddings, centers, subcenters: int = 1) -> np.ndarray:
    """(B, D), (N * K, D) -> (B, N): the nearest of each class' K consecutive centres."""
    num_classes = len(centers) // subcenters
    out = np.zeros((len(embeddings), num_classes))
    for b, embedding in enumerate(embeddings):
        for c in range(num_classes):
            own = centers[c * subcenters : (c + 1) * subcenters]
            out[b, c] = max(cosine(embedding, center) for center in own)
    return out
