"""Pixel ranges and channel orders, from uint8 and float."""

from __future__ import annotations

import numpy as np
import pytest

from landmarks_tf.layers import PixelScaling
from tests import contracts

pytestmark = contracts.IGNORE_ARRAY_COPY


def pixels(shape=(2, 4, 5, 3)):
    return np.random.default_rng(0).integers(0, 256, shape).astype(np.float32)


def test_contract(tmp_path):
    # Gentle numbers: outputs stay of order one, where half precision is worth comparing.
    contracts.check_layer(
        lambda: PixelScaling([0.01, 0.02, 0.03], [-1, 0, 1], name="scale"),
        pixels(),
        tmp_path,
        always_float32=False,
    )


def test_hand_derived():
    x = np.array([[[[0, 127.5, 255]]]], np.float32)
    scaled = PixelScaling([1 / 127.5] * 3, [-1.0] * 3)(x)
    np.testing.assert_allclose(scaled, [[[[-1, 0, 1]]]], atol=1e-6)


def test_bytes_and_floats_give_the_same():
    x = pixels()
    layer = PixelScaling([0.01, 0.02, 0.03], [-1, 0, 1])
    np.testing.assert_array_equal(layer(x.astype(np.uint8)), layer(x))


def test_reversed_channels_are_scaled_in_the_order_of_the_output(tmp_path):
    # By hand: RGB (1, 2, 3) becomes BGR (3, 2, 1), times (1, 10, 100), plus (0, 0, 1).
    x = np.array([[[[1, 2, 3]]]], np.float32)
    layer = PixelScaling([1, 10, 100], [0, 0, 1], reverse_channels=True)
    np.testing.assert_array_equal(layer(x), [[[[3, 20, 101]]]])
    contracts.check_layer(
        lambda: PixelScaling([0.01] * 3, [0] * 3, reverse_channels=True, name="bgr"),
        pixels(),
        tmp_path,
        always_float32=False,
    )


@pytest.mark.parametrize("policy", contracts.MIXED_POLICIES)
def test_half_precision_holds_every_byte(policy):
    # Otherwise scaling would begin from rounded pixels.
    every = np.arange(256, dtype=np.float32).reshape(1, 16, 16, 1)
    with contracts.global_policy(policy):
        same = PixelScaling([1.0], [0.0])(every)
    np.testing.assert_array_equal(np.asarray(same).astype(np.float32), every)


def test_refusals():
    grey = np.zeros((1, 4, 4, 1), np.float32)
    contracts.check_refusals(
        {
            "3 scales, 2 offsets": lambda: PixelScaling([1, 1, 1], [0, 0]),
            "shape (1, 4, 4, 1)": lambda: PixelScaling([1] * 3, [0] * 3)(grey),
        }
    )
