"""Poolings by their numbers."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from landmarks_tf.layers import GeMPooling2D
from landmarks_tf.models.pooling import pool
from tests import contracts
from tests.reference import gem


def pooled(name, x):
    symbolic = keras.Input(x.shape[1:])
    return np.asarray(keras.Model(symbolic, pool(symbolic, name))(x))


@pytest.fixture(scope="module")
def maps():
    return np.random.default_rng(0).normal(size=(2, 3, 4, 5)).astype(np.float32)


def test_poolings_by_their_numbers(maps):
    np.testing.assert_allclose(pooled("avg", maps), maps.mean(axis=(1, 2)), atol=1e-6)
    np.testing.assert_allclose(pooled("max", maps), maps.max(axis=(1, 2)))
    for name in ("gem", "gem_fixed"):
        np.testing.assert_allclose(pooled(name, maps), gem.pool(maps, 3.0), rtol=1e-5)
    for name in ("gem:1.5", "gem_fixed:1.5"):
        np.testing.assert_allclose(pooled(name, maps), gem.pool(maps, 1.5), rtol=1e-5)
    np.testing.assert_array_equal(pooled("flatten", maps), maps.reshape(2, -1))


@pytest.mark.parametrize(("pooling", "learned"), [("gem", 1), ("gem:4", 1), ("gem_fixed", 0)])
def test_gem_learns_its_exponent_unless_fixed(pooling, learned):
    x = keras.Input((2, 2, 3))
    layer = keras.Model(x, pool(x, pooling)).get_layer("pool")
    assert isinstance(layer, GeMPooling2D)
    assert len(layer.trainable_weights) == learned


def test_s2s_resnet_head_sees_each_of_four_pixels_at_a_quarter():
    """Section 1.7: each 2x2 window holds one real pixel and three zeros."""
    x = np.arange(1.0, 13.0, dtype=np.float32).reshape(1, 2, 2, 3)
    np.testing.assert_allclose(pooled("padded_avg_flatten", x)[0], x.ravel() / 4)


def test_s2s_resnet_head_on_a_3x3_map():
    # By hand: windows hold 1, 2, 2 and 4 real pixels, and are all divided by 4.
    x = np.arange(1.0, 10.0, dtype=np.float32).reshape(1, 3, 3, 1)
    expected = [1 / 4, (2 + 3) / 4, (4 + 7) / 4, (5 + 6 + 8 + 9) / 4]
    np.testing.assert_allclose(pooled("padded_avg_flatten", x)[0], expected)


@pytest.mark.parametrize("policy", contracts.MIXED_POLICIES)
def test_pooled_rows_are_float32(policy):
    with contracts.global_policy(policy):
        x = keras.Input((2, 2, 3), dtype=policy.removeprefix("mixed_"))
        for name in ("avg", "max", "gem", "gem_fixed", "flatten", "padded_avg_flatten"):
            assert pool(x, name).dtype == "float32", name


def test_refusals():
    contracts.check_refusals(
        {
            "among avg, max, gem, gem_fixed, flatten, padded_avg_flatten. Received: 'mean'": (
                lambda: pool(keras.Input((2, 2, 3)), "mean")
            ),
            "at 64 to 96 px (S2's program crashes at any other size)": lambda: pool(
                keras.Input((7, 7, 3)), "padded_avg_flatten"
            ),
            "gem:P with a number P of at least 1. Received: 'gem:three'": lambda: pool(
                keras.Input((2, 2, 3)), "gem:three"
            ),
            "must be at least 1 and finite. Received: p=0.5": lambda: pool(
                keras.Input((2, 2, 3)), "gem_fixed:0.5"
            ),
            "Received: 'avg:2'": lambda: pool(keras.Input((2, 2, 3)), "avg:2"),
            "Received: a map of 1x1": lambda: pool(keras.Input((1, 1, 3)), "padded_avg_flatten"),
        }
    )
