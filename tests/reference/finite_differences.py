"""Derivatives in float64 by central differences."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np


def gradient(function: Callable[[np.ndarray], float], at, step: float = 1e-6) -> np.ndarray:
    """The derivative of a number by each entry of an array."""
    at = np.array(at, np.float64)
    out = np.zeros_like(at)
    for place in np.ndindex(at.shape):
        for sign in (1, -1):
            moved = at.copy()
            moved[place] += sign * step
            out[place] += sign * function(moved) / (2 * step)
    return out
