"""Embeddings and centres for tests of losses over class centres, and the float64 answer."""

from __future__ import annotations

import numpy as np

from tests.reference import arcface, cosine, cosine_softmax
from tests.reference.finite_differences import gradient

MARGIN, SCALE = 0.5, 12.0


def head(rows: int, classes: int, dim: int, subcenters: int = 1, seed: int = 0):
    """labels (B,), rows (B, D) of length 1, centres (N * K, D) of any length."""
    random = np.random.default_rng(seed)
    labels = random.integers(0, classes, rows)
    labels[:3] = 0, classes - 1, 0
    embeddings = random.normal(size=(rows, dim))
    embeddings /= np.linalg.norm(embeddings, axis=1, keepdims=True)
    centers = random.normal(size=(classes * subcenters, dim)) * random.uniform(
        0.1, 3, (classes * subcenters, 1)
    )
    return labels.astype(np.int32), embeddings.astype(np.float32), centers.astype(np.float32)


def expected(labels, rows, centers, subcenters: int = 1, smoothing: float = 0.0) -> np.ndarray:
    """(B,) ArcFace losses with the margin and scale above."""
    cosines = cosine.class_cosines(rows, centers, subcenters)
    logits = arcface.logits(labels, cosines, MARGIN, SCALE)
    return cosine_softmax.smoothed_cross_entropy(labels, logits, smoothing)


def expected_gradients(labels, rows, centers, factor, **options):
    """Of sum_b factor_b * loss_b, by rows and by centres.

    By the rows as they stand on the sphere: their own stretch is no matter of the loss.
    """

    def total(rows, centers):
        return float(factor @ expected(labels, rows, centers, **options))

    by_rows = gradient(lambda moved: total(moved, centers), rows)
    by_centers = gradient(lambda moved: total(rows, moved), centers)
    return by_rows, by_centers


def tangent(rows, by_rows) -> np.ndarray:
    """The part of (B, D) gradients that turns the unit rows."""
    by_rows = np.asarray(by_rows, np.float64)
    return by_rows - (by_rows * rows).sum(axis=1, keepdims=True) * rows
