"""Bilinear resampling in plain float64 NumPy, one output pixel at a time."""

from __future__ import annotations

import math

import numpy as np


def bilinear(image: np.ndarray, height: int, width: int) -> np.ndarray:
    """OpenCV's INTER_LINEAR: pixel centres at half integers, edges repeated, no antialiasing."""
    return _separable(image, height, width, _two_neighbours)


def antialiased(image: np.ndarray, height: int, width: int) -> np.ndarray:
    """Pillow's BILINEAR: a triangle as wide as the shrink factor, normalised at the edges."""
    return _separable(image, height, width, _triangle)


def letterbox(image: np.ndarray, size: int, resample=bilinear) -> np.ndarray:
    """Longer side to `size`, sides cut to whole pixels (at least 1), centred on black."""
    height, width = image.shape[:2]
    longer = max(height, width)
    new_height, new_width = max(1, height * size // longer), max(1, width * size // longer)
    canvas = np.zeros((size, size, 3))
    top, left = (size - new_height) // 2, (size - new_width) // 2
    canvas[top : top + new_height, left : left + new_width] = resample(image, new_height, new_width)
    return canvas


def _separable(image, height, width, weights_of) -> np.ndarray:
    rows = [weights_of(i, image.shape[0], height) for i in range(height)]
    columns = [weights_of(j, image.shape[1], width) for j in range(width)]
    source = image.astype(np.float64)
    out = np.zeros((height, width, 3))
    for i, row in enumerate(rows):
        for j, column in enumerate(columns):
            for y, wy in row.items():
                for x, wx in column.items():
                    out[i, j] += wy * wx * source[y, x]
    return out


def _two_neighbours(position: int, old: int, new: int) -> dict[int, float]:
    centre = (position + 0.5) * old / new - 0.5
    low = math.floor(centre)
    weights: dict[int, float] = {}
    for pixel, weight in ((low, 1 - (centre - low)), (low + 1, centre - low)):
        clamped = min(max(pixel, 0), old - 1)
        weights[clamped] = weights.get(clamped, 0.0) + weight
    return weights


def _triangle(position: int, old: int, new: int) -> dict[int, float]:
    radius = max(1.0, old / new)
    centre = (position + 0.5) * old / new
    raw = {y: max(0.0, 1 - abs(y + 0.5 - centre) / radius) for y in range(old)}
    total = sum(raw.values())
    return {y: weight / total for y, weight in raw.items() if weight > 0}
