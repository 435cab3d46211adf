"""Proxy-anchor loss in float64, proxy by proxy (Kim et al., arXiv 2003.13911, equation 4)."""

from __future__ import annotations

import math

import numpy as np


def loss(labels, cosines, margin: float, scale: float) -> float:
    """Pull of the classes that the batch holds, plus push of all of them."""
    cosines = np.array(cosines, np.float64)
    pulls, pushes = [], []
    for proxy in range(cosines.shape[1]):
        own = [s for s, label in zip(cosines[:, proxy], labels, strict=True) if label == proxy]
        other = [s for s, label in zip(cosines[:, proxy], labels, strict=True) if label != proxy]
        if own:
            pulls.append(math.log(1 + sum(math.exp(-scale * (s - margin)) for s in own)))
        pushes.append(math.log(1 + sum(math.exp(scale * (s + margin)) for s in other)))
    return sum(pulls) / len(pulls) + sum(pushes) / len(pushes)
