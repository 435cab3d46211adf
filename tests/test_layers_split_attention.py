"""Split attention: a softmax written out pixel by pixel, gradients, precision, refusals."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf

from landmarks_tf.layers import SplitAttention2D, SplitPooling2D
from tests import contracts

pytestmark = contracts.IGNORE_ARRAY_COPY


def maps_and_logits(batch=2, side=3, channels=5):
    random = np.random.default_rng(0)
    maps = random.normal(size=(batch, side, side + 1, 2 * channels)).astype(np.float32)
    return maps, 3 * random.normal(size=(batch, 1, 1, 2 * channels)).astype(np.float32)


def attended(maps, logits):
    """The paper's equation 2 with radix 2, in float64 and loops."""
    batch, height, width, channels = maps.shape
    mixed = np.zeros((batch, height, width, channels // 2))
    for b, y, x, c in np.ndindex(mixed.shape):
        pair = (c, c + channels // 2)
        weights = np.exp([float(logits[b, 0, 0, split]) for split in pair])
        candidates = [float(maps[b, y, x, split]) for split in pair]
        mixed[b, y, x, c] = np.dot(weights, candidates) / weights.sum()
    return mixed


def test_attention_equals_the_plain_loop():
    maps, logits = maps_and_logits()
    mixed = SplitAttention2D()([maps, logits])
    np.testing.assert_allclose(mixed, attended(maps, logits), rtol=1e-5, atol=1e-6)


def test_extreme_logits_choose_one_split():
    maps, _ = maps_and_logits(channels=2)
    logits = np.float32([200, -200, -200, 200]).reshape(1, 1, 1, 4).repeat(2, axis=0)
    mixed = SplitAttention2D()([maps, logits])
    np.testing.assert_allclose(mixed, maps[..., [0, 3]], atol=1e-6)


def test_pooling_is_the_mean_of_the_splits_sum():
    maps, _ = maps_and_logits()
    sums = maps[..., :5].astype(np.float64) + maps[..., 5:]
    expected = sums.mean(axis=(1, 2), keepdims=True)
    np.testing.assert_allclose(SplitPooling2D()(maps), expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("policy", contracts.MIXED_POLICIES)
def test_half_precision(policy):
    maps, logits = maps_and_logits()
    with contracts.global_policy(policy):
        mixed = SplitAttention2D()([maps, logits])
    assert keras.backend.standardize_dtype(mixed.dtype) == policy.removeprefix("mixed_")
    mixed = np.asarray(keras.ops.cast(mixed, "float32"))
    np.testing.assert_allclose(mixed, attended(maps, logits), rtol=0.03, atol=0.03)


def test_pooling_contract(tmp_path):
    contracts.check_layer(
        lambda: SplitPooling2D(name="gap"), maps_and_logits()[0], tmp_path, always_float32=False
    )


def test_attention_saves_and_takes_maps_of_any_size(tmp_path):
    inputs = [keras.Input((None, None, 10)), keras.Input((1, 1, 10))]
    model = keras.Model(inputs, SplitAttention2D(name="attention")(inputs))
    assert model.output.shape == (None, None, None, 5)
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    for side in (3, 6):
        given = list(maps_and_logits(side=side))
        np.testing.assert_allclose(loaded(given), attended(*given), rtol=1e-5, atol=1e-6)


def test_gradients_equal_finite_differences():
    given = [tf.Variable(part) for part in maps_and_logits(batch=1, side=2, channels=1)]
    layer, step = SplitAttention2D(), 1e-5
    with tf.GradientTape() as tape:
        total = tf.reduce_sum(layer(given) ** 2)
    gradients = tape.gradient(total, given)
    wide = [part.numpy().astype(np.float64) for part in given]
    for part, gradient in enumerate(gradients):
        for place in np.ndindex(wide[part].shape):
            ends = []
            for sign in (1, -1):
                moved = [array.copy() for array in wide]
                moved[part][place] += sign * step
                ends.append((attended(*moved) ** 2).sum())
            slope = (ends[0] - ends[1]) / (2 * step)
            np.testing.assert_allclose(gradient[place], slope, rtol=1e-4, atol=1e-5)


def test_refusals():
    maps, logits = maps_and_logits()
    contracts.check_refusals(
        {
            "(B, h, w, 2C). Received an input of shape (2, 3, 4, 9)": lambda: SplitPooling2D()(
                maps[..., :9]
            ),
            "Received an input of shape (2, 10)": lambda: SplitPooling2D()(logits[:, 0, 0]),
            "shapes [(2, 3, 4, 10), (2, 1, 1, 8)]": lambda: SplitAttention2D()(
                [maps, logits[..., :8]]
            ),
            "shapes [(2, 3, 4, 9), (2, 1, 1, 9)]": lambda: SplitAttention2D()(
                [maps[..., :9], logits[..., :9]]
            ),
        }
    )
