"""Cosines and distances of a batch: against plain loops, at 0, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from landmarks_tf.losses import distances as module
from tests import contracts
from tests.embedding_batches import value_and_gradient
from tests.reference.cosine import cosine
from tests.reference.triplet import distance


def rows_of(seed, batch=5, dim=4, length=1.0):
    return length * np.random.default_rng(seed).normal(size=(batch, dim)).astype(np.float32)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**31), st.integers(1, 6), st.integers(1, 5), st.sampled_from([0.1, 1, 30]))
def test_equal_to_plain_loops(seed, batch, dim, length):
    rows = rows_of(seed, batch, dim, length)
    rows[0] = 0 if seed % 3 == 0 else rows[0]
    pairs = [(a, b) for a in rows for b in rows]
    cosines = np.reshape([cosine(a, b) for a, b in pairs], (batch, batch))
    np.testing.assert_allclose(module.cosine_similarities(rows), cosines, atol=2e-6)
    for name in module.DISTANCES:
        expected = np.reshape([distance(a, b, name) for a, b in pairs], (batch, batch))
        found = np.asarray(module.distances(rows, name))
        # The root of a square that is right to 1e-6 of the squared lengths.
        longest = max(1e-3, np.square(rows).sum(axis=1).max())
        tolerance = {
            "squared": 2e-6 * longest,
            "euclidean": 1.5e-3 * np.sqrt(longest),
            "cosine": 2e-6,
        }
        np.testing.assert_allclose(found, expected, atol=tolerance[name])
        assert (found >= 0).all()


def test_far_rows_have_all_their_digits():
    found = np.asarray(module.distances(rows_of(0), "euclidean"))
    expected = [[distance(a, b, "euclidean") for b in rows_of(0)] for a in rows_of(0)]
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("name", ["squared", "euclidean"])
@pytest.mark.parametrize("dim", [3, 64, 512])
def test_a_row_is_at_distance_zero_of_itself(name, dim):
    found = np.asarray(module.distances(rows_of(1, batch=7, dim=dim), name))
    assert (np.diag(found) == 0).all()


def test_the_gradient_of_the_root_at_zero_is_zero():
    rows = np.float32([[0.6, 0.8], [0.6, 0.8], [1, 0]])
    value, gradient = value_and_gradient(
        lambda weights, x: (module.distances(x, "euclidean") * weights)[0, 1], 1.0, rows
    )
    assert value == 0
    assert not gradient.any()


def test_the_gradient_of_the_root_elsewhere_is_the_direction():
    rows = np.float32([[3, 4], [0, 0]])
    _, gradient = value_and_gradient(
        lambda _, x: module.distances(x, "euclidean")[0, 1], None, rows
    )
    np.testing.assert_allclose(gradient, [[0.6, 0.8], [-0.6, -0.8]], atol=1e-6)


def test_refusals():
    rows = rows_of(0)
    contracts.check_refusals(
        {
            "squared, euclidean, cosine. Received: 'manhattan'": lambda: module.distances(
                rows, "manhattan"
            ),
            "float16 of shape (5, 4)": lambda: module.distances(rows.astype("float16"), "cosine"),
            "float64 of shape (5, 4)": lambda: module.cosine_similarities(rows.astype("float64")),
            "float32 of shape (4,)": lambda: module.distances(rows[0], "squared"),
        }
    )
