"""PyTorch's conventions, by hand and by its documented formulas."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from keras import layers

from landmarks_tf.models import blocks


def built(make, shape):
    x = keras.Input(shape)
    return keras.Model(x, make(x))


def test_symmetric_padding_at_stride_two():
    """A 3x3 kernel of ones counts the real pixels it sees: PyTorch pads above and on the left."""
    model = built(lambda x: blocks.convolution(x, 1, 3, stride=2, padding=1, name="c"), (4, 4, 1))
    model.get_layer("c").kernel.assign(np.ones((3, 3, 1, 1)))
    seen = np.asarray(model(np.ones((1, 4, 4, 1), np.float32)))[0, :, :, 0]
    np.testing.assert_array_equal(seen, [[4, 6], [6, 9]])
    same = layers.Conv2D(1, 3, strides=2, padding="same", kernel_initializer="ones")
    keras_pads_below = np.asarray(same(np.ones((1, 4, 4, 1), np.float32)))[0, :, :, 0]
    np.testing.assert_array_equal(keras_pads_below, [[9, 6], [6, 4]])


@pytest.mark.parametrize(
    ("kernel", "padding", "pads"), [(3, 1, 0), ((1, 7), (0, 3), 0), (1, 0, 0), (3, 0, 0), (3, 2, 1)]
)
def test_a_layer_for_padding_only_where_needed(kernel, padding, pads):
    model = built(lambda x: blocks.convolution(x, 2, kernel, padding=padding, name="c"), (9, 9, 1))
    assert sum(isinstance(y, layers.ZeroPadding2D) for y in model.layers) == pads


@pytest.mark.parametrize("groups", [1, 4])
def test_convolutions_start_as_pytorchs(groups):
    """Kernel and bias uniform within 1 / sqrt(fan-in); fan-in is that of one group."""
    keras.utils.set_random_seed(0)
    model = built(
        lambda x: blocks.convolution(x, 256, 3, groups=groups, use_bias=True, name="c"), (4, 4, 64)
    )
    bound = (9 * 64 / groups) ** -0.5
    for weight in model.get_layer("c").get_weights():
        assert 0.9 * bound < np.abs(weight).max() <= bound
    kernel = model.get_layer("c").get_weights()[0]
    np.testing.assert_allclose(kernel.std(), bound / 3**0.5, rtol=0.02)


def test_he_over_fan_out_is_not_cut():
    keras.utils.set_random_seed(0)
    kernel = np.asarray(blocks.he_fan_out()((3, 3, 64, 128)))
    sigma = (2 / (9 * 128)) ** 0.5
    np.testing.assert_allclose(kernel.std(), sigma, rtol=0.02)
    assert np.abs(kernel).max() > 3 * sigma


@pytest.mark.parametrize(("init", "bound"), [("torch", 0.1), ("inception", 0.2)])
def test_dense_starts(init, bound):
    keras.utils.set_random_seed(0)
    model = built(lambda x: blocks.dense(x, 500, init=init, name="d"), (100,))
    kernel, bias = model.get_layer("d").get_weights()
    assert 0.9 * bound < np.abs(kernel).max() <= bound + 1e-7
    assert 0.05 < np.abs(bias).max() <= 0.1


def test_dense_starts_as_kerass_own():
    model = built(lambda x: blocks.dense(x, 50, init="keras", name="d"), (100,))
    kernel, bias = model.get_layer("d").get_weights()
    assert 0.18 < np.abs(kernel).max() <= (6 / 150) ** 0.5
    assert not bias.any()


def test_batch_norm_is_pytorchs():
    norm = built(lambda x: blocks.batch_norm(x, "n"), (2, 2, 3)).get_layer("n")
    assert (norm.epsilon, norm.momentum) == (1e-5, 0.9)


def test_max_pool_padded_by_hand():
    x = np.arange(1.0, 17.0, dtype=np.float32).reshape(1, 4, 4, 1)
    model = built(lambda x: blocks.max_pool_padded(x, 3, 2, 1, "p"), (4, 4, 1))
    np.testing.assert_array_equal(np.asarray(model(x))[0, :, :, 0], [[6, 8], [14, 16]])


def test_average_pool_counts_the_zeros():
    model = built(lambda x: blocks.average_pool_counting_zeros(x, 3, 1, 1, "p"), (3, 3, 1))
    pooled = np.asarray(model(np.ones((1, 3, 3, 1), np.float32)))[0, :, :, 0]
    np.testing.assert_allclose(pooled, np.array([[4, 6, 4], [6, 9, 6], [4, 6, 4]]) / 9)
