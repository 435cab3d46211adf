"""Batches of embeddings for the losses over pairs, and what every such loss must pass."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from tests import contracts


def unit_rows(rows) -> np.ndarray:
    rows = np.asarray(rows, np.float64)
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def balanced(classes: int, images: int, dim: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Labels in order, and unit rows that lean towards their class as half-trained ones do."""
    random = np.random.default_rng(seed)
    labels = np.repeat(random.permutation(1000)[:classes], images).astype(np.int32)
    towards = np.repeat(random.normal(size=(classes, dim)), images, axis=0)
    return labels, unit_rows(towards + random.normal(size=towards.shape))


def uneven(seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Classes of 4, 2 and 1 rows, not in order."""
    labels = np.array([7, 3, 7, 9, 3, 7, 7], np.int32)
    return labels, unit_rows(np.random.default_rng(seed).normal(size=(7, 4)))


_PAIRS_OF_TWO = np.array([0, 0, 1, 1, 2, 2], np.int32)
_AXES = np.repeat(np.eye(3, dtype=np.float32), 2, axis=0)

# (labels, embeddings) at which something is at its limit.
EDGES: dict[str, tuple[np.ndarray, np.ndarray]] = {
    "perfect": (_PAIRS_OF_TWO, _AXES),
    "worst": (
        _PAIRS_OF_TWO,
        np.float32([[1, 0, 0], [-1, 0, 0], [1, 0, 0], [-1, 0, 0], [1, 0, 0], [-1, 0, 0]]),
    ),
    "all equal": (_PAIRS_OF_TWO, np.full((6, 3), 3**-0.5, np.float32)),
    "all zero": (_PAIRS_OF_TWO, np.zeros((6, 3), np.float32)),
    "cosines of 1 and -1": (
        np.array([0, 0, 0, 1, 1, 1], np.int32),
        np.float32([[0.6, 0.8], [0.6, 0.8], [-0.6, -0.8], [0.6, 0.8], [-0.6, -0.8], [1, 0]]),
    ),
    "a class of one": (np.array([0, 0, 1, 2, 2], np.int32), unit_rows(np.eye(5) + 0.3)),
    "identical images": (
        np.array([0, 0, 0, 1, 1], np.int32),
        unit_rows([[1, 2, 3], [1, 2, 3], [3, 1, 1], [0, 1, 0], [0, 1, 0]]),
    ),
    "one class": (np.zeros(4, np.int32), unit_rows(np.eye(4) + 0.1)),
    "no class twice": (np.arange(4, dtype=np.int32), unit_rows(np.eye(4) + 0.1)),
    "one row": (np.array([5], np.int32), np.float32([[0.6, 0.8]])),
}


def value_and_gradient(loss: Callable, labels, inputs, **options) -> tuple[float, np.ndarray]:
    """The loss of a batch and its derivative by the inputs, through TensorFlow."""
    import tensorflow as tf

    @tf.function(**options)
    def run(inputs):
        with tf.GradientTape() as tape:
            tape.watch(inputs)
            value = loss(labels, inputs)
        return value, tape.gradient(value, inputs)

    value, gradient = run(tf.constant(inputs))
    return float(value), np.asarray(gradient)


def check_pair_loss(make: Callable, folder: Path) -> None:
    """The contract of a loss over the pairs of a batch, and: order, XLA, edges, labels."""
    labels, embeddings = balanced(4, 3, 5)
    contracts.check_loss(make, labels, embeddings, folder)
    loss = make()
    value, gradient = value_and_gradient(loss, labels, embeddings)

    order = np.random.default_rng(1).permutation(len(labels))
    shuffled = value_and_gradient(loss, labels[order], embeddings[order])
    np.testing.assert_allclose(shuffled[0], value, rtol=1e-5)
    np.testing.assert_allclose(shuffled[1], gradient[order], rtol=1e-4, atol=1e-6)

    compiled = value_and_gradient(loss, labels, embeddings, jit_compile=True)
    np.testing.assert_allclose(compiled[0], value, rtol=1e-5)
    np.testing.assert_allclose(compiled[1], gradient, rtol=1e-4, atol=1e-6)

    for name, (edge_labels, edge) in EDGES.items():
        rows = np.asarray(make(reduction="none")(edge_labels, edge))
        assert rows.shape == edge_labels.shape, name
        value, gradient = value_and_gradient(loss, edge_labels, edge)
        assert np.isfinite(value), name
        assert np.isfinite(gradient).all(), name

    expected = np.asarray(loss(labels, embeddings))
    for same in (labels[:, None], labels.astype(np.float32), labels.astype(np.int64)):
        np.testing.assert_array_equal(loss(same, embeddings), expected)
    for wrong in (-1.0, np.nan, 2.5):
        no_class = labels.astype(np.float32)
        no_class[2] = wrong
        assert np.isnan(make(reduction="none")(no_class, embeddings)).all()
