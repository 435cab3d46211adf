"""What every loss over class scores must do, whatever its margin and scale.

A loss' test file calls these with the loss and its float64 reference.
"""

from __future__ import annotations

from collections.abc import Callable

import keras
import numpy as np
import tensorflow as tf

from tests import contracts
from tests.reference import finite_differences

BIGGEST_CLASS_ID = 203_093  # of the 203,094 landmarks of the whole of GLDv2's training set

Reference = Callable[[np.ndarray, np.ndarray], np.ndarray]


def cosines_of(batch: int, num_classes: int, seed: int = 0) -> np.ndarray:
    """(B, N) float32, uniform in [-1, 1]."""
    return np.random.default_rng(seed).uniform(-1, 1, (batch, num_classes)).astype(np.float32)


def edge_batches() -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """name -> (labels (B,), cosines (B, 5)) of batches where losses tend to break."""
    rng = np.random.default_rng(3)
    centers = _unit(rng.normal(size=(5, 4)))
    rows = _unit(rng.normal(size=(6, 4)))
    labels = np.array([0, 1, 2, 3, 4, 1])
    lone = np.array([2, 2, 2, 0, 2, 2])
    rows[1] = rows[0]
    batches = {
        "random": (labels, rows[::-1] @ centers.T),
        "a class with one image": (lone, rows @ centers.T),
        "identical images of one class": (np.array([3, 3, 0, 1, 2, 4]), rows @ centers.T),
        "identical images of two classes": (labels, rows @ centers.T),
        "all embeddings equal": (labels, np.repeat(rows[:1] @ centers.T, 6, axis=0)),
        "embeddings of zeros": (labels, np.zeros((6, 5))),
        "perfect": (labels, centers[labels] @ centers.T),
        "worst": (labels, -centers[labels] @ centers.T),
        "one row": (labels[:1], rows[:1] @ centers.T),
    }
    for cosine in (1.0, -1.0, 1.0 + 1e-6, -1.0 - 1e-6):
        ends = rows @ centers.T
        ends[np.arange(6), labels] = cosine
        batches[f"own cosines {cosine}"] = (labels, ends)
        batches[f"all cosines {cosine}"] = (labels, np.full((6, 5), cosine))
    return {name: (ids, cosines.astype(np.float32)) for name, (ids, cosines) in batches.items()}


# Where the derivative of an angle is infinite.
AT_THE_ENDS = ("perfect", "worst", "own cosines", "all cosines")


def check_edges(
    make: Callable[..., keras.losses.Loss],
    reference: Reference,
    frozen: Callable[[np.ndarray, np.ndarray], Reference] | None = None,
    jumps_at: tuple[str, ...] = (),
) -> None:
    """Losses and gradients on `edge_batches` equal the reference's, and are finite everywhere.

    Args:
        make: takes Keras' `reduction` and returns the loss.
        reference: labels, cosines -> (B,) losses.
        frozen: labels, cosines -> the reference through which gradients flow, where a part of the
            loss lets none through; `reference` itself by default.
        jumps_at: batches where the loss jumps and has no derivative.
    """
    for name, (labels, cosines) in edge_batches().items():
        rows, gradient = rows_and_gradient(make(reduction="none"), labels, cosines)
        expected = reference(labels, cosines)
        assert np.isfinite(rows).all() and np.isfinite(gradient).all(), name
        np.testing.assert_allclose(rows, expected, rtol=2e-5, atol=1e-4, err_msg=name)
        if not name.startswith((*AT_THE_ENDS, *jumps_at)):
            passing = frozen(labels, cosines) if frozen else reference
            slopes = finite_differences.gradient(
                lambda moved, passing=passing, ids=labels: passing(ids, moved).sum(), cosines
            )
            np.testing.assert_allclose(gradient, slopes, rtol=2e-4, atol=1e-3, err_msg=name)


def rows_and_gradient(loss, labels, cosines) -> tuple[np.ndarray, np.ndarray]:
    """The (B,) losses, and the derivative of their sum by the (B, N) cosines."""
    scores = tf.constant(cosines)
    with tf.GradientTape() as tape:
        tape.watch(scores)
        rows = loss(labels, scores)
        total = tf.reduce_sum(rows)
    return np.asarray(rows), np.asarray(tape.gradient(total, scores))


def check_labels(make: Callable[..., keras.losses.Loss]) -> None:
    """Columns and floats are labels; what is no class gives NaN in its own row alone."""
    cosines = cosines_of(4, 5)
    rows = make(reduction="none")
    expected = np.asarray(rows(np.array([3, 0, 1, 4]), cosines))
    for labels in (np.array([[3], [0], [1], [4]]), np.array([3, 0, 1, 4], np.float32)):
        np.testing.assert_array_equal(rows(labels, cosines), expected)
    for label in (-1, 5, 1000, 1.5, float("nan"), float("inf")):
        wrong = np.asarray(rows(np.float32([3, label, 1, 4]), cosines))
        assert np.isnan(wrong[1]), label
        assert np.isfinite(np.delete(wrong, 1)).all(), label
        assert np.isnan(make()(np.float32([3, label, 1, 4]), cosines)), label
    contracts.check_refusals(
        {
            "not one-hot rows": lambda: rows(np.eye(5, dtype=np.float32)[:4], cosines),
            "of shape (5,)": lambda: rows(np.array([0]), cosines[0]),
        }
    )


def check_the_biggest_class_id(
    make: Callable[..., keras.losses.Loss], reference: Reference
) -> None:
    """Class 203,093 is itself under every policy, and 202,752, its bfloat16, is another."""
    cosines = np.full((2, BIGGEST_CLASS_ID + 1), -0.2, np.float32)
    cosines[0, BIGGEST_CLASS_ID] = cosines[1, 202_752] = 0.5
    labels = np.array([BIGGEST_CLASS_ID] * 2)
    expected = reference(labels, cosines)
    assert expected[0] < expected[1] - 0.5
    for policy in ("float32", *contracts.MIXED_POLICIES):
        with contracts.global_policy(policy):
            rows, gradient = rows_and_gradient(make(reduction="none"), labels, cosines)
        np.testing.assert_allclose(rows, expected, rtol=2e-5, atol=1e-7)
        assert (gradient.argmin(axis=1) == BIGGEST_CLASS_ID).all()


def check_half_precision_is_refused(make: Callable[..., keras.losses.Loss]) -> None:
    """Whatever the policy; and half-precision scores of the pure function."""
    for policy in contracts.MIXED_POLICIES:
        with contracts.global_policy(policy):
            for dtype in ("float16", "bfloat16", policy):
                message = f"Received: dtype='{dtype}'"
                contracts.check_refusals({message: lambda dtype=dtype: make(dtype=dtype)})


def check_compiled(make: Callable[..., keras.losses.Loss]) -> None:
    """XLA, with static shapes, gives the same losses and gradients.

    And the traced graph holds no angle or one-hot row for each score: what has their size is the
    scores, their exponentials and the target column written into them.
    """
    labels, cosines = np.array([0, 4, 2, 2, 6, 1]), cosines_of(6, 7, seed=1)

    def step(scores):
        with tf.GradientTape() as tape:
            tape.watch(scores)
            rows = make(reduction="none")(labels, scores)
            total = tf.reduce_sum(rows)
        return rows, tape.gradient(total, scores)

    expected = rows_and_gradient(make(reduction="none"), labels, cosines)
    compiled = tf.function(step, jit_compile=True)(tf.constant(cosines))
    for ours, theirs in zip(compiled, expected, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=2e-5, atol=1e-5)
    graph = tf.function(step).get_concrete_function(tf.TensorSpec((6, 7))).graph
    large = [y.op.type for op in graph.get_operations() for y in op.outputs if y.shape == (6, 7)]
    assert "TensorScatterUpdate" in large
    assert not {"OneHot", "Acos", "Cos", "Sin", "Sqrt", "SelectV2"} & set(large), large


def _unit(rows: np.ndarray) -> np.ndarray:
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)
