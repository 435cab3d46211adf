"""Contrastive loss in float64, pair by pair (Hadsell et al., CVPR 2006, equation 4)."""

from __future__ import annotations

import math

import numpy as np


def pair_loss(left, right, same: bool, margin: float) -> float:
    apart = math.sqrt(sum((float(a) - float(b)) ** 2 for a, b in zip(left, right, strict=True)))
    return 0.5 * apart**2 if same else 0.5 * max(0.0, margin - apart) ** 2


def mean(labels, embeddings, margin: float, average: str = "all") -> float:
    """Mean over the positive pairs plus mean over the negative ones; 0 of none."""
    embeddings = np.array(embeddings, np.float64)
    kinds: dict[bool, list[float]] = {True: [], False: []}
    for i in range(len(labels)):
        for j in range(len(labels)):
            if i != j:
                same = bool(labels[i] == labels[j])
                kinds[same].append(pair_loss(embeddings[i], embeddings[j], same, margin))
    total = 0.0
    for values in kinds.values():
        counted = [v for v in values if v > 0] if average == "nonzero" else values
        total += sum(counted) / len(counted) if counted else 0.0
    return total
