"""Weights by class over other losses: by hand, configs, PyTorch's weights."""

from __future__ import annotations

import numpy as np
import pytest

from landmarks_tf.losses import (
    ArcFaceLoss,
    ClassWeightedLoss,
    CrossEntropyLoss,
    class_weights,
    weigh_by_class,
)
from tests import contracts, softmax_losses
from tests.reference import cosine_softmax as reference
from tests.torch_margins import peer

pytestmark = contracts.IGNORE_ARRAY_COPY

WEIGHTS = np.float32([0.5, 2, 1, 0.25, 3])


def weighted(**options):
    return ClassWeightedLoss(CrossEntropyLoss(0.1), WEIGHTS, **options)


def expected_losses(labels, logits):
    rows = reference.smoothed_cross_entropy(labels, logits, 0.1)
    return np.array([WEIGHTS[label] * row for label, row in zip(labels, rows, strict=True)])


@pytest.mark.parametrize("inner", [CrossEntropyLoss(0.1), ArcFaceLoss([0.1, 0.2, 0.3, 0.4, 0.5])])
def test_contract(inner, tmp_path):
    contracts.check_loss(
        lambda **options: ClassWeightedLoss(inner, WEIGHTS, **options),
        np.array([3, 0, 4, 2, 2, 1]),
        softmax_losses.cosines_of(6, 5),
        tmp_path,
    )


def test_hand_derived():
    np.testing.assert_array_equal(
        weigh_by_class([2, 0, 2], np.float32([1, 10, 100]), [2, 3, 4]), [4, 20, 400]
    )
    # Two classes alike: log 2 each, weighted by 1 / log 2 and 1 / log 4; Keras' mean is over rows.
    loss = ClassWeightedLoss(CrossEntropyLoss(), class_weights([1, 3]))
    np.testing.assert_allclose(loss([0, 1], np.zeros((2, 2), np.float32)), 0.75, rtol=1e-6)


def test_edges():
    softmax_losses.check_edges(weighted, expected_losses)


def test_labels():
    softmax_losses.check_labels(weighted)
    softmax_losses.check_half_precision_is_refused(weighted)
    # A weight of zero does not hide that a label is no class.
    rows = ClassWeightedLoss(CrossEntropyLoss(), np.zeros(5), reduction="none")
    assert np.isnan(rows(np.array([5]), softmax_losses.cosines_of(1, 5)))


def test_the_biggest_class_id_survives():
    weights = np.ones(softmax_losses.BIGGEST_CLASS_ID + 1)
    weights[-1] = 2
    softmax_losses.check_the_biggest_class_id(
        lambda **options: ClassWeightedLoss(CrossEntropyLoss(), weights, **options),
        lambda labels, logits: 2 * reference.smoothed_cross_entropy(labels, logits),
    )


def test_compiled():
    weights = np.linspace(1, 2, 7)
    softmax_losses.check_compiled(
        lambda **options: ClassWeightedLoss(ArcFaceLoss(), weights, **options)
    )


@pytest.mark.peers
def test_equals_pytorchs():
    """Row by row. PyTorch's mean divides by the weights of the batch, Keras' by its rows."""
    theirs = peer("cross_entropy_weighted")
    rows, gradient = softmax_losses.rows_and_gradient(
        ClassWeightedLoss(CrossEntropyLoss(), theirs.weights, reduction="none"),
        theirs.labels,
        theirs.scores,
    )
    np.testing.assert_allclose(rows, theirs.losses, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(gradient, theirs.gradients["scores"], atol=1e-5)


def test_refusals():
    inner, cosines = CrossEntropyLoss(), np.zeros((2, 3), np.float32)
    contracts.check_refusals(
        {
            "Received: loss='arcface'": lambda: ClassWeightedLoss("arcface", [1, 2]),
            "finite numbers of at least 0": lambda: ClassWeightedLoss(inner, [1, -1]),
            "float64 of shape (2,): array([ 1., nan])": lambda: ClassWeightedLoss(
                inner, [1, np.nan]
            ),
            "of shape ()": lambda: ClassWeightedLoss(inner, 2.0),
            "of shape (0,)": lambda: ClassWeightedLoss(inner, []),
            "of the 3 classes that are scored. Received: 2 weights": lambda: ClassWeightedLoss(
                inner, [1, 2]
            )(np.array([0, 1]), cosines),
        }
    )
