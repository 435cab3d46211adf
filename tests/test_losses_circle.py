"""Circle loss: plain loops, by hand, at the limits, gradients with the weights held."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from landmarks_tf.losses import CircleLoss, circle_losses
from tests import contracts
from tests.embedding_batches import EDGES, balanced, check_pair_loss, uneven, value_and_gradient
from tests.reference import circle as reference
from tests.reference.finite_differences import gradient

pytestmark = contracts.IGNORE_ARRAY_COPY


def test_contract(tmp_path):
    check_pair_loss(lambda **options: CircleLoss(0.4, 20.0, **options), tmp_path)


def test_by_hand():
    # Cosines to the first row: 0.6 (own class), 0.8 (other). With m = 0.25 and scale 2:
    # a_p = 0.65, a_n = 1.05: log(1 + exp(2 * 1.05 * 0.55) exp(-2 * 0.65 * -0.15)).
    rows = np.float32([[1, 0], [0.6, 0.8], [0.8, 0.6]])
    first = float(circle_losses([0, 0, 1], rows, margin=0.25, scale=2.0)[0])
    assert first * 2 / 3 == pytest.approx(math.log(1 + math.exp(1.155 + 0.195)), rel=1e-5)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**31), st.floats(0.05, 0.95), st.floats(0.5, 80), st.booleans())
def test_equals_the_loop_over_pairs(seed, margin, scale, even):
    labels, embeddings = balanced(3, 3, 4, seed) if even else uneven(seed)
    found = np.mean(circle_losses(labels, embeddings, margin=margin, scale=scale))
    expected = reference.mean(labels, embeddings, margin, scale)
    np.testing.assert_allclose(found, expected, rtol=2e-5, atol=1e-5)


def test_edges_equal_the_loop():
    for name, (labels, embeddings) in EDGES.items():
        found = np.mean(circle_losses(labels, embeddings))
        expected = reference.mean(labels, embeddings, 0.4, 80)
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5, err_msg=name)


def test_gradients_equal_finite_differences():
    labels, embeddings = uneven(4)
    _, found = value_and_gradient(CircleLoss(0.3, 10.0), labels, embeddings)
    expected = gradient(lambda x: reference.mean(labels, x, 0.3, 10.0, embeddings), embeddings)
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=2e-5)
    assert np.abs(found).max() > 0.1


def test_refusals():
    contracts.check_refusals(
        {
            "Received: margin=1.2": lambda: CircleLoss(1.2),
            "Received: scale=-80": lambda: CircleLoss(scale=-80),
            "CircleLoss computes in float32": lambda: CircleLoss(dtype="float16"),
        }
    )
