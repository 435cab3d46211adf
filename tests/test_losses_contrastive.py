"""Contrastive loss: plain loops, by hand, at the limits, gradients."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from landmarks_tf.losses import ContrastiveLoss, contrastive_losses
from landmarks_tf.losses.contrastive import AVERAGES
from tests import contracts
from tests.embedding_batches import EDGES, balanced, check_pair_loss, uneven, value_and_gradient
from tests.reference import contrastive as reference
from tests.reference.finite_differences import gradient

pytestmark = contracts.IGNORE_ARRAY_COPY


def test_contract(tmp_path):
    check_pair_loss(lambda **options: ContrastiveLoss(1.2, **options), tmp_path)


def test_by_hand():
    line = np.float32([[0], [0.6], [1]])
    assert np.mean(contrastive_losses([0, 0, 1], line)) == pytest.approx(0.18 + 0.18 * 2 / 4)
    # One negative pair of two costs nothing, and is then not counted.
    nonzero = contrastive_losses([0, 0, 1], line, average="nonzero")
    assert np.mean(nonzero) == pytest.approx(0.18 + 0.18)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**31), st.floats(0.1, 2), st.sampled_from(AVERAGES), st.booleans())
def test_equals_the_loop_over_pairs(seed, margin, average, even):
    labels, embeddings = balanced(3, 3, 4, seed) if even else uneven(seed)
    found = np.mean(contrastive_losses(labels, embeddings, margin=margin, average=average))
    expected = reference.mean(labels, embeddings, margin, average)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


def test_edges_equal_the_loop():
    for name, (labels, embeddings) in EDGES.items():
        found = np.mean(contrastive_losses(labels, embeddings, margin=1.0))
        expected = reference.mean(labels, embeddings, 1.0)
        np.testing.assert_allclose(found, expected, atol=1e-3, err_msg=name)


@pytest.mark.parametrize("average", AVERAGES)
def test_gradients_equal_finite_differences(average):
    labels, embeddings = balanced(3, 2, 3, seed=4)
    _, found = value_and_gradient(ContrastiveLoss(1.3, average), labels, embeddings)
    expected = gradient(lambda x: reference.mean(labels, x, 1.3, average), embeddings)
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=2e-5)


def test_refusals():
    contracts.check_refusals(
        {
            "Received: margin=0": lambda: ContrastiveLoss(0),
            "all, nonzero. Received: 'sum'": lambda: ContrastiveLoss(average="sum"),
            "ContrastiveLoss computes in float32": lambda: ContrastiveLoss(dtype="bfloat16"),
            "float64 of shape (2, 3)": lambda: contrastive_losses([0, 1], np.zeros((2, 3))),
        }
    )
