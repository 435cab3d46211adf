"""GE2E: the golden value through layer and loss, plain loops, both forms, order of the labels."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from landmarks_tf.layers import GE2ESimilarity
from landmarks_tf.losses import GE2ELoss, ge2e_losses
from tests import contracts
from tests.embedding_batches import balanced, value_and_gradient
from tests.reference import ge2e as reference
from tests.reference.finite_differences import gradient

pytestmark = contracts.IGNORE_ARRAY_COPY

GOLDEN_ROWS = np.float32([[1, 0], [0.6, 0.8], [0, 1], [0.8, 0.6]])


def scores_of(classes, images, seed=0):
    scores = np.random.default_rng(seed).uniform(-15, 5, (classes * images, classes))
    return np.repeat(np.arange(classes) * 7, images), scores.astype(np.float32)


@pytest.mark.parametrize("form", ["softmax", "contrast"])
def test_contract(form, tmp_path):
    contracts.check_loss(lambda **options: GE2ELoss(form, **options), *scores_of(3, 4), tmp_path)


@pytest.mark.parametrize("epsilon", [0.0, 1e-6])
def test_golden_value(epsilon):
    # reproduction.md section 2.2; with inclusive own centroids it would be 0.624277.
    similarities = GE2ESimilarity(2)(GOLDEN_ROWS)
    loss = GE2ELoss(epsilon=epsilon)(np.array([4, 4, 2, 2]), similarities)
    np.testing.assert_allclose(loss, 2.028190, atol=1e-6)


def test_the_epsilon_is_inside_of_the_logarithm():
    scores = np.full((4, 2), -14.0, np.float32)
    found = GE2ELoss(epsilon=1e-6)([0, 0, 1, 1], scores)
    np.testing.assert_allclose(found, math.log(2 * math.exp(-14) + 1e-6) + 14, rtol=1e-5)
    assert float(found) - math.log(2) > 0.4


@settings(max_examples=60, deadline=None)
@given(st.integers(2, 5), st.integers(2, 4), st.integers(0, 2**31), st.sampled_from([0, 1e-6, 0.1]))
def test_both_forms_equal_the_loop_over_rows(classes, images, seed, epsilon):
    labels, scores = scores_of(classes, images, seed)
    found = ge2e_losses(labels, scores, epsilon=epsilon)
    expected = reference.softmax_losses(scores, images, epsilon)
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)
    found = ge2e_losses(labels, scores, form="contrast")
    np.testing.assert_allclose(found, reference.contrast_losses(scores, images), atol=1e-6)


@pytest.mark.parametrize("form", ["softmax", "contrast"])
def test_gradients_through_layer_and_loss_equal_finite_differences(form):
    labels, embeddings = balanced(3, 3, 4, seed=2)
    layer = GE2ESimilarity(3)
    by_row = {"softmax": reference.softmax_losses, "contrast": reference.contrast_losses}[form]
    expected = gradient(lambda x: by_row(reference.similarities(x, 3), 3).mean(), embeddings)
    for options in ({}, {"jit_compile": True}):
        value, found = value_and_gradient(
            lambda y, x: GE2ELoss(form)(y, layer(x)), labels, embeddings, **options
        )
        np.testing.assert_allclose(
            value, by_row(reference.similarities(embeddings, 3), 3).mean(), rtol=1e-4
        )
        np.testing.assert_allclose(found, expected, rtol=2e-3, atol=3e-5)


@pytest.mark.parametrize("form", ["softmax", "contrast"])
@pytest.mark.parametrize("scale", [1.0, 1e4])
def test_finite_far_out(form, scale):
    labels, scores = scores_of(3, 2)
    value, slope = value_and_gradient(GE2ELoss(form), labels, scale * scores)
    assert math.isfinite(value) and np.isfinite(slope).all()


@pytest.mark.parametrize(
    "labels",
    [
        [0, 1, 2, 0, 1, 2],  # shuffled
        [0, 0, 1, 1, 1, 1],  # one class in two runs
        [0, 0, 1, 1, 0, 0],
        [0, 0, 0, 1, 1, 1],  # runs of another length
        [-1, -1, 0, 0, 1, 1],
        [0, 0, 1, 1, 2, math.nan],
    ],
)
def test_labels_that_are_not_in_runs_give_nan(labels):
    _, scores = scores_of(3, 2)
    assert np.isfinite(ge2e_losses([5, 5, 0, 0, 2, 2], scores)).all()
    assert np.isnan(ge2e_losses(np.float32(labels), scores)).all()


def test_a_batch_of_single_images_gives_nan():
    assert np.isnan(ge2e_losses([0, 1, 2], np.zeros((3, 3), np.float32))).all()
    assert np.isnan(ge2e_losses([0, 0, 0, 1, 1], np.zeros((5, 2), np.float32))).all()


def test_refusals():
    one_class = np.zeros((4, 1), np.float32)
    contracts.check_refusals(
        {
            "softmax, contrast. Received: 'max'": lambda: GE2ELoss("max"),
            "Received: epsilon=-1": lambda: GE2ELoss(epsilon=-1),
            "epsilon=1e-06 with 'contrast'": lambda: GE2ELoss("contrast", 1e-6),
            "float32 of shape (4, 1)": lambda: ge2e_losses([0] * 4, one_class),
            "float16 of shape (4, 2)": lambda: ge2e_losses([0] * 4, np.zeros((4, 2), "float16")),
            "GE2ELoss computes in float32": lambda: GE2ELoss(dtype="mixed_float16"),
        }
    )
