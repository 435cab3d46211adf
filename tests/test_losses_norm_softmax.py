"""Normalised softmax: by hand, against a loop, class ids, pytorch-metric-learning."""

from __future__ import annotations

import math

import numpy as np
import pytest

from landmarks_tf.losses import NormSoftmaxLoss, norm_softmax_logits
from tests import contracts, softmax_losses
from tests.reference import cosine_softmax as reference
from tests.torch_margins import check_peer

pytestmark = contracts.IGNORE_ARRAY_COPY


def expected_losses(labels, cosines, temperature=0.05, smoothing=0.0):
    logits = np.asarray(cosines, np.float64) / temperature
    return reference.smoothed_cross_entropy(labels, logits, smoothing)


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_contract(smoothing, tmp_path):
    contracts.check_loss(
        lambda **options: NormSoftmaxLoss(0.1, label_smoothing=smoothing, **options),
        np.array([3, 0, 2, 2, 1]),
        softmax_losses.cosines_of(5, 4),
        tmp_path,
    )


def test_hand_derived():
    cosines = np.float32([[0.5, 0.25]])
    np.testing.assert_allclose(norm_softmax_logits(cosines), [[10, 5]], rtol=1e-6)
    loss = NormSoftmaxLoss()([0], cosines)
    np.testing.assert_allclose(loss, math.log1p(math.exp(-5)), rtol=1e-5)
    # A tenth of the target is spread over both classes: 0.05 * (10 - 5) more.
    loss = NormSoftmaxLoss(label_smoothing=0.1)([0], cosines)
    np.testing.assert_allclose(loss, math.log1p(math.exp(-5)) + 0.25, rtol=1e-5)


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_edges(smoothing):
    softmax_losses.check_edges(
        lambda **options: NormSoftmaxLoss(label_smoothing=smoothing, **options),
        lambda labels, cosines: expected_losses(labels, cosines, smoothing=smoothing),
    )


def test_labels():
    softmax_losses.check_labels(NormSoftmaxLoss)
    softmax_losses.check_half_precision_is_refused(NormSoftmaxLoss)


def test_the_biggest_class_id_survives():
    softmax_losses.check_the_biggest_class_id(NormSoftmaxLoss, expected_losses)


def test_compiled():
    softmax_losses.check_compiled(NormSoftmaxLoss)


@pytest.mark.peers
def test_equals_pytorch_metric_learnings():
    check_peer("norm_softmax", NormSoftmaxLoss(temperature=0.05, reduction="none"))


def test_refusals():
    cosines = np.zeros((2, 3), np.float32)
    contracts.check_refusals(
        {
            "Received: temperature=0": lambda: NormSoftmaxLoss(0),
            "Received: temperature=-1": lambda: norm_softmax_logits(cosines, -1),
            "Received: temperature=nan": lambda: NormSoftmaxLoss(math.nan),
            "float16 of shape (2, 3)": lambda: norm_softmax_logits(cosines.astype("float16")),
            "Received: label_smoothing=1": lambda: NormSoftmaxLoss(label_smoothing=1),
        }
    )
