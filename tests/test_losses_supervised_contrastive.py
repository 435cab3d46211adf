"""Supervised contrastive loss: plain loops, by hand, at the limits, gradients."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from landmarks_tf.losses import SupervisedContrastiveLoss, supervised_contrastive_losses
from tests import contracts
from tests.embedding_batches import EDGES, balanced, check_pair_loss, uneven, value_and_gradient
from tests.reference import supervised_contrastive as reference
from tests.reference.finite_differences import gradient

pytestmark = contracts.IGNORE_ARRAY_COPY


def test_contract(tmp_path):
    check_pair_loss(lambda **options: SupervisedContrastiveLoss(0.2, **options), tmp_path)


def test_by_hand():
    # Cosines to the first row 0.6 (its positive) and 0; to the second 0.6 and 0.8.
    rows = np.float32([[1, 0], [0.6, 0.8], [0, 1]])
    losses = supervised_contrastive_losses([0, 0, 1], rows, temperature=0.5)
    first = math.log(math.exp(1.2) + math.exp(0)) - 1.2
    second = math.log(math.exp(1.2) + math.exp(1.6)) - 1.2
    np.testing.assert_allclose(losses, [first * 1.5, second * 1.5, 0], rtol=1e-5)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**31), st.floats(0.02, 2), st.booleans())
def test_equals_the_loop_over_anchors(seed, temperature, even):
    labels, embeddings = balanced(3, 3, 4, seed) if even else uneven(seed)
    found = np.mean(supervised_contrastive_losses(labels, embeddings, temperature=temperature))
    expected = reference.mean(labels, embeddings, temperature)
    np.testing.assert_allclose(found, expected, rtol=2e-5, atol=2e-6 / temperature)


def test_edges_equal_the_loop():
    for name, (labels, embeddings) in EDGES.items():
        found = np.mean(supervised_contrastive_losses(labels, embeddings))
        expected = reference.mean(labels, embeddings, 0.1)
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5, err_msg=name)


def test_gradients_equal_finite_differences():
    labels, embeddings = uneven(4)
    _, found = value_and_gradient(SupervisedContrastiveLoss(0.2), labels, embeddings)
    expected = gradient(lambda x: reference.mean(labels, x, 0.2), embeddings)
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=2e-5)


@pytest.mark.parametrize("temperature", [1e-3, 1e-6])
def test_a_tiny_temperature_stays_finite(temperature):
    labels, embeddings = balanced(3, 3, 4)
    value, slope = value_and_gradient(SupervisedContrastiveLoss(temperature), labels, embeddings)
    assert math.isfinite(value) and np.isfinite(slope).all()


def test_refusals():
    contracts.check_refusals(
        {
            "Received: temperature=0": lambda: SupervisedContrastiveLoss(0),
            "Received: temperature=nan": lambda: SupervisedContrastiveLoss(math.nan),
            "computes in float32": lambda: SupervisedContrastiveLoss(dtype="float16"),
        }
    )
