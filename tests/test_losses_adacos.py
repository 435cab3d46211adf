"""AdaCos: by hand, against eq. 15 in float64, and beside the scale of a running training."""

from __future__ import annotations

import math

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from landmarks_tf.layers import CosineClassifier
from landmarks_tf.losses import AdaCosLoss, adacos_logits
from landmarks_tf.losses.adacos import fixed_scale, updated_scale
from tests import contracts, softmax_losses
from tests.reference import cosine_softmax as reference

pytestmark = contracts.IGNORE_ARRAY_COPY

FORMS = pytest.mark.parametrize("adaptive", [False, True])


def expected_scale(labels, cosines, adaptive=True) -> float:
    """Eq. 15 three times from the fixed scale, never below 1."""
    scale = reference.adacos_fixed_scale(np.shape(cosines)[1])
    for _ in range(3 if adaptive else 0):
        scale = max(1.0, reference.adacos_scale(labels, cosines, scale))
    return scale


def losses_at(scale: float):
    return lambda labels, cosines: reference.smoothed_cross_entropy(
        labels, scale * np.asarray(cosines, np.float64)
    )


@FORMS
def test_contract(adaptive, tmp_path):
    contracts.check_loss(
        lambda **options: AdaCosLoss(adaptive, **options),
        np.array([3, 0, 2, 2, 1]),
        softmax_losses.cosines_of(5, 4),
        tmp_path,
    )


@pytest.mark.parametrize(
    ("classes", "logarithm"), [(81_313, 11.306049), (203_094, 12.221420), (3, 0.693147)]
)
def test_the_fixed_scale(classes, logarithm):
    np.testing.assert_allclose(fixed_scale(classes), 1.4142136 * logarithm, rtol=1e-6)
    np.testing.assert_allclose(reference.adacos_fixed_scale(classes), 1.4142136 * logarithm, 1e-6)


def test_hand_derived_updates():
    # Own angles 60 and 90 degrees: their median, 75, counts as 45. Four others at cosine 0 give
    # B = 4 whatever the scale was: log(4) / cos(45 degrees).
    cosines = np.zeros((2, 5), np.float32)
    cosines[0, 0] = 0.5
    for before in (1.0, 30.0):
        scale = updated_scale([0, 1], cosines, before)
        np.testing.assert_allclose(scale, math.sqrt(2) * math.log(4), rtol=1e-6)
    # All own angles 0, all others at cosine 0.5: (log(4) + 0.5 * 2) / 1.
    cosines = np.float32([[1, 0.5, 0.5, 0.5, 0.5]] * 3)
    np.testing.assert_allclose(updated_scale([0] * 3, cosines, 2.0), math.log(4) + 1, rtol=1e-6)
    # Three times from sqrt(2) log(4): s -> log(4) + s / 2.
    start, log4 = math.sqrt(2) * math.log(4), math.log(4)
    expected = log4 + (log4 + (log4 + start / 2) / 2) / 2
    logits = adacos_logits([0] * 3, cosines, adaptive=True)
    np.testing.assert_allclose(logits, expected * cosines, rtol=1e-5)


@settings(max_examples=60, deadline=None)
@given(
    batch=st.integers(1, 7),
    num_classes=st.integers(3, 9),
    before=st.floats(1, 120),
    seed=st.integers(0, 2**31),
)
def test_an_update_equals_equation_15(batch, num_classes, before, seed):
    cosines = softmax_losses.cosines_of(batch, num_classes, seed)
    labels = np.random.default_rng(seed).integers(0, num_classes, batch)
    expected = max(1.0, reference.adacos_scale(labels, cosines, before))
    np.testing.assert_allclose(updated_scale(labels, cosines, before), expected, rtol=2e-5)


@FORMS
def test_edges(adaptive):
    def at_this_batch(labels, cosines):
        return losses_at(expected_scale(labels, cosines, adaptive))

    softmax_losses.check_edges(
        lambda **options: AdaCosLoss(adaptive, **options),
        lambda labels, cosines: at_this_batch(labels, cosines)(labels, cosines),
        frozen=at_this_batch,  # no gradient flows through the scale
    )


def test_exponentials_neither_overflow_nor_vanish():
    # At scale 300 exp(300) is infinite in float32, and exp(-300) nothing.
    cosines = np.full((2, 5), -1, np.float32)
    cosines[:, 0] = 1
    scale = updated_scale([0, 0], cosines, 300.0)
    np.testing.assert_allclose(scale, 1.0)  # log(4) - 300, raised to the smallest
    np.testing.assert_allclose(updated_scale([1, 1], cosines, 300.0), 300 * math.sqrt(2), rtol=1e-5)


@FORMS
def test_labels(adaptive):
    softmax_losses.check_labels(lambda **options: AdaCosLoss(adaptive, **options))
    softmax_losses.check_half_precision_is_refused(AdaCosLoss)


def test_the_biggest_class_id_survives():
    softmax_losses.check_the_biggest_class_id(
        AdaCosLoss, losses_at(reference.adacos_fixed_scale(203_094))
    )


@FORMS
def test_compiled(adaptive):
    softmax_losses.check_compiled(lambda **options: AdaCosLoss(adaptive, **options))


def test_the_scale_stays_beside_that_of_the_paper_through_a_training():
    """The paper's scale remembers the step before; ours starts from the fixed one each time."""
    rng = np.random.default_rng(0)
    centers = rng.normal(size=(30, 64))
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.Input((64,)), keras.layers.Dense(64), CosineClassifier(30)])
    model.compile(keras.optimizers.Adam(0.01), AdaCosLoss(adaptive=True))
    running, theirs, ours = reference.adacos_fixed_scale(30), [], []
    for _ in range(60):
        labels = rng.integers(0, 30, 32)
        rows = (centers[labels] + 0.3 * rng.normal(size=(32, 64))).astype(np.float32)
        cosines = np.asarray(model(rows))
        running = reference.adacos_scale(labels, cosines, running)
        theirs.append(running)
        ours.append(expected_scale(labels, cosines))
        last = model.train_on_batch(rows, labels)
    assert last < 1
    assert max(theirs) > 1.4 * min(theirs)  # there was something to adapt to
    np.testing.assert_allclose(ours, theirs, rtol=0.01)


def test_refusals():
    contracts.check_refusals(
        {
            "at least 3. Received: 2 classes": lambda: AdaCosLoss()(
                np.array([0]), np.zeros((1, 2), np.float32)
            ),
            "float16 of shape (2, 3)": lambda: adacos_logits([0, 0], np.zeros((2, 3), np.float16)),
            "Received: label_smoothing=2": lambda: AdaCosLoss(label_smoothing=2),
        }
    )
