"""ResNet-D's parts: where the shortcut's average falls at odd sides, names, shapes."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from landmarks_tf.models.blocks import he_fan_out
from landmarks_tf.models.resnet_d import averaging_shortcut, deep_stem


def stem(side=8, width=4):
    pixels = keras.Input((side, side, 3))
    return keras.Model(pixels, deep_stem(pixels, width, he_fan_out))


def shortcut(side, stride):
    maps = keras.Input((side, side, 1))
    return keras.Model(maps, averaging_shortcut(maps, 6, stride, he_fan_out, "layer2.0"))


def test_the_stem_is_named_as_timms():
    weighted = [layer.name for layer in stem().layers if layer.weights]
    assert weighted == ["conv1.0", "conv1.1", "conv1.3", "conv1.4", "conv1.6", "bn1"]


@pytest.mark.parametrize(("side", "expected"), [(8, 4), (9, 5)])
def test_the_stem_halves_the_side_and_doubles_the_width(side, expected):
    model = stem(side)
    assert model.output.shape == (None, expected, expected, 8)
    assert model.get_layer("conv1.3").output.shape == (None, expected, expected, 4)


def test_the_stem_ends_in_a_relu():
    maps = np.asarray(stem()(np.random.default_rng(0).normal(size=(2, 8, 8, 3))))
    assert maps.min() == 0 < maps.max()


def test_the_stem_draws_each_kernel_anew():
    model = stem(width=3)
    # One initialiser used twice gives two kernels of one shape the same numbers.
    first, second = (np.asarray(model.get_layer(f"conv1.{n}").kernel) for n in (0, 3))
    assert first.shape == second.shape
    assert not np.allclose(first, second)


def test_at_an_odd_side_the_last_window_averages_what_is_there():
    model = shortcut(3, 2)
    pooled = model.get_layer("layer2.0.downsample.0")(
        np.arange(9, dtype=np.float32).reshape(1, 3, 3, 1)
    )
    # By hand: (0 + 1 + 3 + 4) / 4, (2 + 5) / 2, (6 + 7) / 2, 8.
    np.testing.assert_allclose(np.asarray(pooled)[0, :, :, 0], [[2, 3.5], [6.5, 8]])
    assert model.output.shape == (None, 2, 2, 6)


def test_at_stride_1_nothing_is_averaged():
    model = shortcut(3, 1)
    assert [layer.name for layer in model.layers[1:]] == [
        "layer2.0.downsample.1",
        "layer2.0.downsample.2",
    ]
    assert model.output.shape == (None, 3, 3, 6)
