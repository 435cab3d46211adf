"""Batch norm with its gradient in closed form: equal to Keras', and to differences in float64."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf

from landmarks_tf.layers import BatchNorm
from tests import contracts

pytestmark = contracts.IGNORE_ARRAY_COPY

SHAPES = [(4, 5, 3, 6), (8, 6)]


def values(shape, seed=0, dtype=np.float32):
    return (np.random.default_rng(seed).normal(size=shape) * 3 + 1).astype(dtype)


def pair(shape, **options):
    """Ours and Keras', with the same random weights and statistics."""
    layers = []
    for make in (BatchNorm, keras.layers.BatchNormalization):
        layer = make(epsilon=1e-3, momentum=0.9, **options)
        layer.build((None, *shape[1:]))
        rng = np.random.default_rng(1)
        layer.set_weights([rng.uniform(0.5, 1.5, w.shape) for w in layer.weights])
        layers.append(layer)
    return layers


def step(layer, x, training=True):
    """Outputs, gradients of a weighted sum of them, and the moving statistics afterwards."""
    x = tf.constant(x)
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = layer(x, training=training)
        total = tf.reduce_sum(y * np.random.default_rng(2).normal(size=y.shape))
    sources = [x] + [w.value for w in layer.trainable_weights]
    return [y, *tape.gradient(total, sources), *[w.value for w in layer.non_trainable_weights]]


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("shape", SHAPES)
def test_a_step_is_that_of_keras(shape, training):
    with contracts.global_policy("float64"):
        results = [step(layer, values(shape, dtype=np.float64), training) for layer in pair(shape)]
    for ours, theirs in zip(*results, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-9, atol=1e-11)


def test_single_precision_stays_close_to_double():
    shape = (16, 14, 14, 8)
    x = values(shape) * 10 + 100  # a mean far from zero, where careless variances break
    with contracts.global_policy("float64"):
        expected = step(pair(shape)[0], x.astype(np.float64))
    for single, double in zip(step(pair(shape)[0], x), expected, strict=True):
        largest = np.abs(double).max()
        assert np.abs(np.asarray(single) - np.asarray(double)).max() < 1e-4 * largest


def test_gradient_of_the_pixels_by_differences():
    shape = (3, 2, 2, 2)
    with contracts.global_policy("float64"):
        layer, _ = pair(shape)
        x = values(shape, dtype=np.float64)
        factors = np.random.default_rng(2).normal(size=shape)
        gradient = np.asarray(step(layer, x)[1])
        for place in [(0, 0, 0, 0), (1, 1, 0, 1), (2, 0, 1, 0)]:
            nudge = np.zeros(shape)
            nudge[place] = 1e-5
            up, down = (np.sum(layer(x + s * nudge, training=True) * factors) for s in (1, -1))
            assert gradient[place] == pytest.approx((up - down) / 2e-5, rel=1e-6, abs=1e-8)


def test_a_frozen_norm_ignores_the_batch():
    ours, theirs = pair(SHAPES[0])
    for layer in (ours, theirs):
        layer.trainable = False
    x = values(SHAPES[0])
    before = [np.asarray(w) for w in ours.non_trainable_weights]
    np.testing.assert_array_equal(ours(x, training=True), theirs(x, training=True))
    for was, now in zip(before, ours.non_trainable_weights, strict=True):
        np.testing.assert_array_equal(was, now)


@pytest.mark.parametrize(
    ("options", "shape"),
    [({"scale": False}, SHAPES[0]), ({"center": False}, SHAPES[0]), ({"axis": 1}, SHAPES[0])],
)
def test_other_settings_are_left_to_keras(options, shape):
    results = [step(layer, values(shape)) for layer in pair(shape, **options)]
    for ours, theirs in zip(*results, strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_a_batch_of_unknown_size():
    layer, keras_layer = pair(SHAPES[0])

    @tf.function(input_signature=[tf.TensorSpec((None, 5, 3, 6))])
    def gradients(x):
        with tf.GradientTape() as tape:
            tape.watch(x)
            total = tf.reduce_sum(layer(x, training=True) ** 3)
        return tape.gradient(total, x)

    x = tf.constant(values(SHAPES[0]))
    with tf.GradientTape() as tape:
        tape.watch(x)
        total = tf.reduce_sum(keras_layer(x, training=True) ** 3)
    np.testing.assert_allclose(gradients(x), tape.gradient(total, x), rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("policy", contracts.MIXED_POLICIES)
def test_half_precision_keeps_its_sums_in_single(policy):
    # 16,384 values of 100: their sum of squares is far beyond float16.
    x = np.full((4, 64, 64, 1), 100, np.float32)
    x[:, ::2] = 96
    with contracts.global_policy(policy):
        layer = BatchNorm(epsilon=1e-3, momentum=0.0)
        y = np.asarray(tf.cast(layer(x, training=True), "float32"))
    np.testing.assert_allclose(np.unique(y), [-1, 1], atol=0.01)
    np.testing.assert_allclose(layer.moving_mean, [98])
    np.testing.assert_allclose(layer.moving_variance, [4])


def test_contract(tmp_path):
    contracts.check_layer(
        lambda: BatchNorm(name="norm"), values(SHAPES[0]), tmp_path, always_float32=False
    )
