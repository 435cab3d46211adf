"""Triplets: chosen and summed as plain loops do, by hand, at the limits, gradients, a step."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from landmarks_tf.losses import TripletLoss, triplet_losses
from landmarks_tf.losses.distances import DISTANCES
from landmarks_tf.losses.triplet import AVERAGES, MINING, _semi_hard_negatives
from tests import contracts
from tests.embedding_batches import EDGES, balanced, check_pair_loss, uneven, value_and_gradient
from tests.reference import triplet as reference
from tests.reference.finite_differences import gradient

pytestmark = contracts.IGNORE_ARRAY_COPY


@pytest.mark.parametrize("mining", MINING)
def test_contract(mining, tmp_path):
    check_pair_loss(lambda **options: TripletLoss(0.7, mining, **options), tmp_path)


def test_by_hand():
    # The docstring's case, and the same with the mean over triplets above zero.
    line = np.float32([[0], [1], [3]])
    rows = triplet_losses([0, 0, 1], line, margin=2.5, mining="all", distance="euclidean")
    np.testing.assert_allclose(rows, [0.75, 2.25, 0], atol=1e-6)  # 0.5 and 1.5 times 3 rows / 2
    rows = triplet_losses(
        [0, 0, 1], line, margin=1.5, mining="all", distance="euclidean", average="nonzero"
    )
    np.testing.assert_allclose(rows, [0, 1.5, 0], atol=1e-6)  # the anchor at 0 costs nothing


def test_semi_hard_takes_the_nearest_negative_beyond_the_positive():
    # Anchor 0, positive at 2; negatives at 1 (too near), 3 (semi-hard), 5.
    line = np.float32([[0], [2], [1], [3], [5]])
    labels = [0, 0, 1, 2, 3]
    rows = triplet_losses(labels, line, margin=4.0, distance="euclidean")
    # The other anchor, at 2: its positive is 2 away; negatives 1, 1 and 3.
    np.testing.assert_allclose(rows[:2], np.array([4 + 2 - 3, 4 + 2 - 3]) * 5 / 2, atol=1e-5)
    # With all negatives nearer than the positive the farthest stands in.
    rows = triplet_losses([0, 0, 1, 1], np.float32([[0], [9], [1], [2]]), distance="euclidean")
    assert rows[0] > 0
    np.testing.assert_allclose(rows[0], (0.2 + 9 - 2) * 4 / 4, atol=1e-5)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**31), st.integers(2, 9))
def test_semi_hard_by_sorting_equals_looking_through_all(seed, batch):
    """Small whole numbers as distances: most rows hold ties."""
    random = np.random.default_rng(seed)
    apart = random.integers(0, 5, (batch, batch)).astype(np.float32)
    labels = random.integers(0, 3, batch)
    positives = (labels[:, None] == labels) & ~np.eye(batch, dtype=bool)
    negatives = labels[:, None] != labels
    chosen = np.asarray(_semi_hard_negatives(apart, positives, negatives))
    for a, p in zip(*np.nonzero(positives), strict=True):
        if negatives[a].any():
            beyond = [
                apart[a, n] for n in np.flatnonzero(negatives[a]) if apart[a, n] > apart[a, p]
            ]
            expected = min(beyond) if beyond else apart[a][negatives[a]].max()
            assert negatives[a, chosen[a, p]]
            assert apart[a, chosen[a, p]] == expected


@settings(max_examples=80, deadline=None)
@given(
    seed=st.integers(0, 2**31),
    margin=st.one_of(st.none(), st.floats(0, 3)),
    mining=st.sampled_from(MINING),
    distance=st.sampled_from(DISTANCES),
    average=st.sampled_from(AVERAGES),
    even=st.booleans(),
)
def test_equals_the_loop_over_triplets(seed, margin, mining, distance, average, even):
    labels, embeddings = balanced(3, 3, 4, seed) if even else uneven(seed)
    options = {"margin": margin, "mining": mining, "distance": distance, "average": average}
    found = np.mean(triplet_losses(labels, embeddings, **options))
    expected = reference.mean(labels, embeddings, margin, mining, distance, average)
    if average == "nonzero":
        # A triplet within rounding of zero may count or not.
        values = reference.losses(labels, embeddings.astype(float), margin, mining, distance)
        if any(0 < abs(value) < 1e-5 for value in values):
            return
    np.testing.assert_allclose(found, expected, rtol=2e-5, atol=2e-5)


@pytest.mark.parametrize("mining", MINING)
@pytest.mark.parametrize("distance", DISTANCES)
def test_edges_equal_the_loop(mining, distance):
    for name, (labels, embeddings) in EDGES.items():
        rows = triplet_losses(labels, embeddings, mining=mining, distance=distance)
        expected = reference.mean(labels, embeddings, 0.2, mining, distance)
        # Equal rows: the root of rounding is some 1e-4.
        np.testing.assert_allclose(np.mean(rows), expected, atol=1e-3, err_msg=name)


@pytest.mark.parametrize("mining", MINING)
@pytest.mark.parametrize("distance", DISTANCES)
@pytest.mark.parametrize("margin", [0.5, None])
def test_gradients_equal_finite_differences(mining, distance, margin):
    labels, embeddings = balanced(3, 2, 3, seed=4)
    loss = TripletLoss(margin, mining, distance)
    _, found = value_and_gradient(loss, labels, embeddings)
    expected = gradient(lambda x: reference.mean(labels, x, margin, mining, distance), embeddings)
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=2e-5)


def test_anchors_without_a_triplet_do_not_weigh():
    labels, embeddings = balanced(3, 3, 4)
    lone = np.append(labels, 5000)
    rows = triplet_losses(lone, np.vstack([embeddings, -embeddings[:1]]), mining="hard", margin=3.0)
    assert rows[-1] == 0
    expected = reference.losses(
        lone, np.vstack([embeddings, -embeddings[:1]]), 3.0, "hard", "squared"
    )
    assert len(expected) == 9
    np.testing.assert_allclose(np.mean(rows), np.mean(expected), rtol=1e-5)


def test_refusals():
    contracts.check_refusals(
        {
            "Received: margin=-0.1": lambda: TripletLoss(-0.1),
            "Received: margin=nan": lambda: TripletLoss(math.nan),
            "all, hard, semi_hard. Received: 'semihard'": lambda: TripletLoss(mining="semihard"),
            "all, nonzero. Received: 'mean'": lambda: TripletLoss(average="mean"),
            "Received: 'l2'": lambda: TripletLoss(distance="l2"),
            "TripletLoss computes in float32": lambda: TripletLoss(dtype="float16"),
            "float16 of shape (2, 3)": lambda: triplet_losses([0, 1], np.zeros((2, 3), "float16")),
        }
    )
