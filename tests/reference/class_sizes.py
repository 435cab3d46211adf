"""Margins and weights by class size in float64, class by class."""

from __future__ import annotations

import math


def dynamic_margins(sizes, low: float, high: float, power: float) -> list[float]:
    """a n^-p + b through (largest class, low) and (smallest class, high) (arXiv 2010.05350)."""
    most, least = 1 / max(sizes) ** power, 1 / min(sizes) ** power
    a = (high - low) / (least - most)
    b = high - a * least
    return [a / size**power + b for size in sizes]


def class_weights(sizes) -> list[float]:
    return [1 / math.log(1 + size) for size in sizes]
