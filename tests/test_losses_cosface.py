"""CosFace: by hand, against a loop, gradients, class ids, pytorch-metric-learning."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from landmarks_tf.losses import CosFaceLoss, cosface_logits
from tests import contracts, softmax_losses
from tests.reference import cosine_softmax as reference
from tests.torch_margins import check_peer

pytestmark = contracts.IGNORE_ARRAY_COPY


def expected_losses(labels, cosines, margin=0.35, scale=64.0, smoothing=0.0):
    logits = reference.cosface_logits(labels, cosines, margin, scale)
    return reference.smoothed_cross_entropy(labels, logits, smoothing)


@pytest.mark.parametrize("margin", [0.2, [0.1, 0.2, 0.0, 0.4]])
def test_contract(margin, tmp_path):
    contracts.check_loss(
        lambda **options: CosFaceLoss(margin, scale=16.0, **options),
        np.array([3, 0, 2, 2, 1]),
        softmax_losses.cosines_of(5, 4),
        tmp_path,
    )


def test_hand_derived():
    logits = cosface_logits([1, 0], np.float32([[0.25, 0.5, -0.5]] * 2))
    np.testing.assert_allclose(logits, [[16, 9.6, -32], [-6.4, 32, -32]], rtol=1e-6)
    loss = CosFaceLoss(0.5, scale=2.0)([0], np.float32([[0.5, 0.0]]))
    np.testing.assert_allclose(loss, np.log(2), rtol=1e-6)


@settings(max_examples=60, deadline=None)
@given(
    batch=st.integers(1, 6),
    num_classes=st.integers(2, 7),
    margin=st.floats(0, 1.9),
    scale=st.floats(0.5, 64),
    seed=st.integers(0, 2**31),
    by_class=st.booleans(),
)
def test_equals_the_loop(batch, num_classes, margin, scale, seed, by_class):
    rng = np.random.default_rng(seed)
    cosines = softmax_losses.cosines_of(batch, num_classes, seed)
    labels = rng.integers(0, num_classes, batch)
    if by_class:
        margin = rng.uniform(0, margin, num_classes)
    expected = reference.cosface_logits(labels, cosines, margin, scale)
    logits = cosface_logits(labels, cosines, margin, scale)
    np.testing.assert_allclose(logits, expected, rtol=1e-5, atol=1e-6 * scale)
    rows = CosFaceLoss(margin, scale, label_smoothing=0.1, reduction="none")(labels, cosines)
    np.testing.assert_allclose(
        rows, expected_losses(labels, cosines, margin, scale, 0.1), rtol=1e-5, atol=1e-6 * scale
    )


def test_without_margin_it_is_scaled_softmax():
    cosines, labels = softmax_losses.cosines_of(4, 5), np.array([0, 4, 2, 2])
    plain = keras.losses.SparseCategoricalCrossentropy(from_logits=True)(labels, 8 * cosines)
    np.testing.assert_allclose(CosFaceLoss(0, 8)(labels, cosines), plain, rtol=1e-6)


def test_edges():
    softmax_losses.check_edges(
        lambda **options: CosFaceLoss(**options), lambda *given: expected_losses(*given)
    )


def test_labels():
    softmax_losses.check_labels(CosFaceLoss)
    softmax_losses.check_half_precision_is_refused(CosFaceLoss)


def test_the_biggest_class_id_survives():
    softmax_losses.check_the_biggest_class_id(CosFaceLoss, expected_losses)


def test_compiled():
    softmax_losses.check_compiled(CosFaceLoss)


@pytest.mark.peers
def test_equals_pytorch_metric_learnings():
    check_peer("cosface", CosFaceLoss(margin=0.35, scale=64.0, reduction="none"))


def test_refusals():
    cosines = np.zeros((2, 3), np.float32)
    contracts.check_refusals(
        {
            "no angle. Received: margin=28.6": lambda: CosFaceLoss(28.6),
            "Received: margin=-0.1": lambda: cosface_logits([0, 0], cosines, -0.1),
            "Received: scale=0": lambda: CosFaceLoss(scale=0),
            "float16 of shape (2, 3)": lambda: cosface_logits([0, 0], cosines.astype("float16")),
            "Received: 2 margins": lambda: CosFaceLoss([0.1, 0.2])(np.array([0, 0]), cosines),
        }
    )
