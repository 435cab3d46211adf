"""Multi-similarity loss: plain loops with and without mining, by hand, limits, gradients."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from landmarks_tf.losses import MultiSimilarityLoss, multi_similarity_losses
from tests import contracts
from tests.embedding_batches import EDGES, balanced, check_pair_loss, uneven, value_and_gradient
from tests.reference import multi_similarity as reference
from tests.reference.cosine import class_cosines
from tests.reference.finite_differences import gradient

pytestmark = contracts.IGNORE_ARRAY_COPY


def test_contract(tmp_path):
    check_pair_loss(lambda **options: MultiSimilarityLoss(**options), tmp_path)


def test_by_hand():
    # Cosines to the first row: 0.6 (own class), 0.8 (other): both are mined.
    rows = np.float32([[1, 0], [0.6, 0.8], [0.8, -0.6]])
    first = float(multi_similarity_losses([0, 0, 1], rows)[0])
    pull = math.log(1 + math.exp(-2 * (0.6 - 1))) / 2
    push = math.log(1 + math.exp(50 * (0.8 - 1))) / 50
    assert first == pytest.approx(pull + push, rel=1e-5)
    # With 0.6 and -0.8 neither is: -0.8 + 0.1 < 0.6.
    rows[2] = [-0.8, 0.6]
    assert multi_similarity_losses([0, 0, 1], rows)[0] == 0


def within_rounding_of_the_threshold(embeddings, epsilon) -> bool:
    """Whether some two cosines differ by epsilon up to rounding: mined or not, both are right."""
    cosines = class_cosines(embeddings, embeddings)
    for row in cosines:
        gaps = np.abs(row[:, None] - row[None, :] - epsilon)
        if (gaps < 1e-5).any():
            return True
    return False


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 2**31),
    alpha=st.floats(0.5, 20),
    beta=st.floats(0.5, 60),
    base=st.floats(-1, 1),
    epsilon=st.one_of(st.none(), st.floats(0.01, 1)),
    even=st.booleans(),
)
def test_equals_the_loop_over_anchors(seed, alpha, beta, base, epsilon, even):
    labels, embeddings = balanced(3, 3, 4, seed) if even else uneven(seed)
    if epsilon is not None and within_rounding_of_the_threshold(embeddings, epsilon):
        return
    settings_ = {"alpha": alpha, "beta": beta, "base": base, "epsilon": epsilon}
    found = multi_similarity_losses(labels, embeddings, **settings_)
    expected = reference.losses(labels, embeddings, alpha, beta, base, epsilon)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("epsilon", [None, 0.1])
def test_edges_equal_the_loop(epsilon):
    for name, (labels, embeddings) in EDGES.items():
        found = multi_similarity_losses(labels, embeddings, epsilon=epsilon)
        expected = reference.losses(labels, embeddings, 2, 50, 1, epsilon)
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5, err_msg=name)


@pytest.mark.parametrize("epsilon", [None, 0.1])
def test_gradients_equal_finite_differences(epsilon):
    labels, embeddings = balanced(3, 2, 3, seed=4)
    loss = MultiSimilarityLoss(beta=10, base=0.5, epsilon=epsilon)
    _, found = value_and_gradient(loss, labels, embeddings)
    expected = gradient(
        lambda x: reference.losses(labels, x, 2, 10, 0.5, epsilon).mean(), embeddings
    )
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=2e-5)


def test_refusals():
    contracts.check_refusals(
        {
            "Received: alpha=0": lambda: MultiSimilarityLoss(alpha=0),
            "Received: beta=inf": lambda: MultiSimilarityLoss(beta=math.inf),
            "Received: base=1.5": lambda: MultiSimilarityLoss(base=1.5),
            "Received: epsilon=-1": lambda: MultiSimilarityLoss(epsilon=-1),
            "MultiSimilarityLoss computes": lambda: MultiSimilarityLoss(dtype="bfloat16"),
        }
    )
