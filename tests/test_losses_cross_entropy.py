"""Softmax cross-entropy: by hand, against loops over exponentials, and PyTorch's."""

from __future__ import annotations

import math

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from landmarks_tf.losses import CrossEntropyLoss, cross_entropy_losses
from tests import contracts, softmax_losses
from tests.reference import cosine_softmax as reference
from tests.torch_margins import peer

pytestmark = contracts.IGNORE_ARRAY_COPY


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_contract(smoothing, tmp_path):
    contracts.check_loss(
        lambda **options: CrossEntropyLoss(smoothing, **options),
        np.array([3, 0, 2, 2, 1]),
        softmax_losses.cosines_of(5, 4),
        tmp_path,
    )


def test_hand_derived():
    logits = np.float32([[math.log(3), 0]])
    plain = math.log(4 / 3)
    np.testing.assert_allclose(cross_entropy_losses([0], logits), [plain], rtol=1e-6)
    # Smoothed by 0.2 the other class, whose logit is log 3 lower, has 0.1 of the target.
    smoothed = plain + 0.1 * math.log(3)
    assert round(smoothed, 6) == 0.397543
    np.testing.assert_allclose(cross_entropy_losses([0], logits, 0.2), [smoothed], rtol=1e-6)


@settings(max_examples=60, deadline=None)
@given(
    batch=st.integers(1, 6),
    num_classes=st.integers(1, 7),
    smoothing=st.floats(0, 0.99),
    scale=st.floats(0.01, 200),
    seed=st.integers(0, 2**31),
)
def test_equals_the_loop(batch, num_classes, smoothing, scale, seed):
    logits = scale * softmax_losses.cosines_of(batch, num_classes, seed)
    labels = np.random.default_rng(seed).integers(0, num_classes, batch)
    np.testing.assert_allclose(
        cross_entropy_losses(labels, logits, smoothing),
        reference.smoothed_cross_entropy(labels, logits, smoothing),
        rtol=1e-5,
        atol=2e-7 * scale + 1e-7,
    )


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_edges(smoothing):
    softmax_losses.check_edges(
        lambda **options: CrossEntropyLoss(smoothing, **options),
        lambda labels, logits: reference.smoothed_cross_entropy(labels, logits, smoothing),
    )


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_far_apart_logits(smoothing):
    logits = np.float32([[3e4, -3e4, 0], [-3e4, 3e4, 0]])
    rows, gradient = softmax_losses.rows_and_gradient(
        CrossEntropyLoss(smoothing, reduction="none"), np.array([0, 0]), logits
    )
    share = smoothing / 3
    expected = [9e4 * share, 6e4 - 6e4 * 2 * share + 3e4 * share]
    np.testing.assert_allclose(rows, expected, rtol=1e-6, atol=1e-3)
    target = np.array([1 - 2 * share, share, share])
    np.testing.assert_allclose(gradient, np.eye(3)[:2] - target, atol=1e-6)


def test_labels():
    softmax_losses.check_labels(CrossEntropyLoss)
    softmax_losses.check_half_precision_is_refused(CrossEntropyLoss)


def test_the_biggest_class_id_survives():
    softmax_losses.check_the_biggest_class_id(
        lambda **options: CrossEntropyLoss(0.1, **options),
        lambda labels, logits: reference.smoothed_cross_entropy(labels, logits, 0.1),
    )


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_compiled(smoothing):
    softmax_losses.check_compiled(lambda **options: CrossEntropyLoss(smoothing, **options))


def test_equals_keras_own():
    labels, logits = np.array([0, 4, 2, 2]), 9 * softmax_losses.cosines_of(4, 5)
    theirs = keras.losses.SparseCategoricalCrossentropy(from_logits=True)(labels, logits)
    np.testing.assert_allclose(CrossEntropyLoss()(labels, logits), theirs, rtol=1e-6)
    theirs = keras.losses.CategoricalCrossentropy(from_logits=True, label_smoothing=0.1)
    np.testing.assert_allclose(
        CrossEntropyLoss(0.1)(labels, logits), theirs(np.eye(5)[labels], logits), rtol=1e-6
    )


@pytest.mark.peers
@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_equals_pytorchs(smoothing):
    theirs = peer(f"cross_entropy_{smoothing}")
    rows, gradient = softmax_losses.rows_and_gradient(
        CrossEntropyLoss(smoothing, reduction="none"), theirs.labels, theirs.scores
    )
    np.testing.assert_allclose(rows, theirs.losses, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(gradient, theirs.gradients["scores"], atol=1e-5)


def test_refusals():
    logits = np.zeros((2, 3), np.float32)
    contracts.check_refusals(
        {
            "Received: label_smoothing=1": lambda: CrossEntropyLoss(1),
            "Received: label_smoothing=-0.1": lambda: cross_entropy_losses([0, 0], logits, -0.1),
            "Received: label_smoothing=nan": lambda: CrossEntropyLoss(math.nan),
            "float64 of shape (2, 3)": lambda: cross_entropy_losses(
                [0, 0], logits.astype("float64")
            ),
        }
    )
