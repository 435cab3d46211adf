"""GeM pooling: against float64, its limits, gradients, and exponents that leave float32."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from landmarks_tf.layers import GeMPooling2D
from tests import contracts
from tests.reference import gem as reference

pytestmark = contracts.IGNORE_ARRAY_COPY


def feature_map(seed=0, shape=(2, 3, 4, 5)):
    return np.random.default_rng(seed).gamma(1.0, size=shape).astype(np.float32)


@pytest.mark.parametrize("trainable_p", [True, False])
def test_contract(trainable_p, tmp_path):
    contracts.check_layer(
        lambda: GeMPooling2D(trainable_p=trainable_p, name="pool"),
        feature_map(),
        tmp_path,
        always_float32=True,
    )


def test_hand_derived():
    # Mean of cubes of 1, 2, 3, 4 is (1 + 8 + 27 + 64) / 4 = 25.
    pooled = GeMPooling2D(p=3)(np.float32([1, 2, 3, 4]).reshape(1, 2, 2, 1))
    np.testing.assert_allclose(pooled, [[25 ** (1 / 3)]], rtol=1e-6)


@settings(max_examples=40, deadline=None)
@given(
    p=st.floats(1, 40),
    shape=st.tuples(*[st.integers(1, 4)] * 4),
    exponent=st.integers(-5, 5),
    seed=st.integers(0, 2**31),
)
def test_equals_the_plain_loop(p, shape, exponent, seed):
    x = (10.0**exponent * np.random.default_rng(seed).normal(size=shape)).astype(np.float32)
    np.testing.assert_allclose(GeMPooling2D(p=p)(x), reference.pool(x, p), rtol=1e-5)


def test_one_is_the_average_and_a_large_p_nearly_the_maximum():
    x = feature_map()
    np.testing.assert_allclose(GeMPooling2D(p=1)(x), x.mean(axis=(1, 2)), rtol=1e-5)
    np.testing.assert_allclose(GeMPooling2D(p=300)(x), x.max(axis=(1, 2)), rtol=0.01)


def test_negative_activations_count_as_epsilon():
    x = np.float32([-5, 2]).reshape(1, 1, 2, 1)
    np.testing.assert_allclose(GeMPooling2D(p=2, epsilon=0.1)(x), [[np.sqrt((0.01 + 4) / 2)]])


def test_gradients_equal_finite_differences():
    x, step = feature_map(shape=(1, 2, 2, 2)), 1e-5
    weights = np.array([[1.0, -2.0]])
    layer = GeMPooling2D(p=2.5)
    layer.build(x.shape)
    inputs = tf.Variable(x)
    with tf.GradientTape() as tape:
        total = tf.reduce_sum(layer(inputs) * weights.astype(np.float32))
    by_x, by_p = tape.gradient(total, [inputs, layer.p.value])

    def value(moved, p):
        return (reference.pool(moved, p) * weights).sum()

    wide = x.astype(np.float64)
    expected = np.zeros_like(wide)
    for place in np.ndindex(wide.shape):
        nudge = np.zeros_like(wide)
        nudge[place] = step
        expected[place] = (value(wide + nudge, 2.5) - value(wide - nudge, 2.5)) / (2 * step)
    np.testing.assert_allclose(by_x, expected, rtol=1e-4, atol=1e-6)
    slope = (value(wide, 2.5 + step) - value(wide, 2.5 - step)) / (2 * step)
    np.testing.assert_allclose(by_p, slope, rtol=1e-4)


@pytest.mark.parametrize("p", [3.0, 8.0, 30.0])
@pytest.mark.parametrize("value", [0.0, 1e4])
def test_a_dead_or_a_huge_channel_keeps_every_gradient_finite(p, value):
    # 1e-6 ** 8 is 0 in float32, and 1e4 ** 30 infinite.
    layer = GeMPooling2D(p=p)
    x = tf.Variable(np.full((1, 3, 3, 2), value, np.float32))
    with tf.GradientTape() as tape:
        pooled = layer(x)
    gradients = tape.gradient(pooled, [x, layer.p.value])
    np.testing.assert_allclose(pooled, np.full((1, 2), max(value, 1e-6)), rtol=1e-5)
    assert all(np.isfinite(g).all() for g in gradients)


def test_a_learned_p_moves_and_stays_at_one_or_above():
    layer = GeMPooling2D(p=1.2)
    model = keras.Sequential([keras.Input((3, 3, 1)), layer])
    model.compile(keras.optimizers.SGD(1.0), "mse")
    x = feature_map(shape=(8, 3, 3, 1))
    model.fit(x, x.min(axis=(1, 2)), epochs=20, verbose=0)  # the minimum pulls p down
    assert float(layer.p.numpy()) == 1.0
    model.fit(x, x.max(axis=(1, 2)), epochs=20, verbose=0)
    assert float(layer.p.numpy()) > 1.5


def test_a_fixed_p_is_no_trainable_weight():
    layer = GeMPooling2D(trainable_p=False)
    layer.build((None, 2, 2, 3))
    assert layer.trainable_weights == []
    assert [w.path for w in layer.non_trainable_weights] == [layer.p.path]


def test_refusals():
    contracts.check_refusals(
        {
            "at least 1 and finite. Received: p=0.5": lambda: GeMPooling2D(p=0.5),
            "Received: p=inf": lambda: GeMPooling2D(p=float("inf")),
            "Received: p=nan": lambda: GeMPooling2D(p=float("nan")),
            "positive and finite. Received: epsilon=0": lambda: GeMPooling2D(epsilon=0),
            "shape (2, 3)": lambda: GeMPooling2D()(np.zeros((2, 3), np.float32)),
            "Received: dtype='float16'": lambda: GeMPooling2D(dtype="float16"),
        }
    )
