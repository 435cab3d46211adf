"""Losses of pictures mixed of two: against soft labels, by hand, and the contract."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from landmarks_tf.losses import (
    ClassWeightedLoss,
    CrossEntropyLoss,
    MixedAccuracy,
    MixedLoss,
    NormSoftmaxLoss,
    mix_losses,
)
from tests import contracts

pytestmark = contracts.IGNORE_ARRAY_COPY

RNG = np.random.default_rng(0)
SCORES = RNG.normal(size=(6, 5)).astype(np.float32)
TARGETS = np.float32(
    [(0, 1, 0.7), (4, 4, 0.2), (2, 3, 1.0), (3, 0, 0.0), (1, 2, 0.5), (4, 0, 0.31)]
)


def soft_labels(smoothing: float = 0.0) -> np.ndarray:
    rows = np.zeros((6, 5))
    for row, (first, other, share) in zip(rows, TARGETS.astype(float), strict=True):
        row[int(first)] += share
        row[int(other)] += 1 - share
    return (1 - smoothing) * rows + smoothing / 5


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_cross_entropy_is_that_with_soft_labels(smoothing):
    """Keras' own loss over whole distributions, which the paper's definition is."""
    loss = MixedLoss(CrossEntropyLoss(smoothing), reduction="none")
    theirs = keras.losses.categorical_crossentropy(
        soft_labels(smoothing).astype(np.float32), SCORES, from_logits=True
    )
    np.testing.assert_allclose(loss(TARGETS, SCORES), theirs, rtol=2e-6)


def test_by_hand():
    np.testing.assert_allclose(
        mix_losses(np.float32([0.25, 1.0]), np.float32([4, 5]), np.float32([8, 7])), [7, 5]
    )
    # log 2 whichever class: two logits alike.
    rows = MixedLoss(CrossEntropyLoss())(np.float32([[0, 1, 0.3]]), np.zeros((1, 2), np.float32))
    np.testing.assert_allclose(rows, np.log(2), rtol=1e-6)


def test_the_loss_of_one_class_is_that_loss():
    plain = NormSoftmaxLoss(reduction="none")
    targets = np.stack([TARGETS[:, 0], TARGETS[:, 0], TARGETS[:, 2]], 1)
    cosines = np.tanh(SCORES)
    np.testing.assert_allclose(
        MixedLoss(plain, reduction="none")(targets, cosines),
        plain(targets[:, 0], cosines),
        rtol=1e-5,
    )


def test_each_class_has_its_own_weight():
    weights = np.float32([1, 2, 3, 4, 5])
    loss = MixedLoss(ClassWeightedLoss(CrossEntropyLoss(), weights), reduction="none")
    log = SCORES - np.log(np.exp(SCORES).sum(1, keepdims=True))
    expected = -(soft_labels() * weights * log).sum(1)
    np.testing.assert_allclose(loss(TARGETS, SCORES), expected, rtol=1e-5)


@pytest.mark.parametrize("wrong", [(5, 0, 0.5), (0, 9, 0.0), (0, 1, 1.2), (0, 1, -0.1)])
def test_what_is_no_mixture_gives_nan(wrong):
    rows = np.asarray(
        MixedLoss(CrossEntropyLoss(), reduction="none")(
            np.float32([wrong, (0, 1, 0.5)]), SCORES[:2]
        )
    )
    assert np.isnan(rows).tolist() == [True, False]


def test_it_is_kept_in_a_file():
    loss = MixedLoss(CrossEntropyLoss(0.1))
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(loss))
    assert again.name == "cross_entropy"
    np.testing.assert_array_equal(again(TARGETS, SCORES), loss(TARGETS, SCORES))


def test_accuracy_counts_the_larger_share():
    accuracy = MixedAccuracy(name="accuracy")
    larger = np.where(TARGETS[:, 2] >= 0.5, TARGETS[:, 0], TARGETS[:, 1])
    accuracy.update_state(TARGETS, SCORES)
    assert float(accuracy.result()) == pytest.approx((SCORES.argmax(1) == larger).mean())
    accuracy.reset_state()
    accuracy.update_state(np.float32([(2, 0, 0.4)]), np.float32([[9, 0, 0]]))
    assert float(accuracy.result()) == 1.0


def test_mistakes_are_named():
    with pytest.raises(ValueError, match=r"Keras loss over classes"):
        MixedLoss("cross_entropy")
    with pytest.raises(ValueError, match=r"targets of shape \(B, 3\).*shape \(6,\)"):
        MixedLoss(CrossEntropyLoss())(np.zeros(6), SCORES)
    with pytest.raises(ValueError, match=r"computes in float32"):
        MixedLoss(CrossEntropyLoss(), dtype="float16")
