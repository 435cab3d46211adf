"""Necks: the parts, their order and their numbers."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from keras import layers

from landmarks_tf.models.neck import apply_neck
from tests import contracts


def built(neck, **options):
    x = keras.Input((4,))
    return keras.Model(x, apply_neck(x, neck, **options))


def test_parts_come_in_the_order_given():
    def names(neck):
        return [layer.name.removeprefix("neck_") for layer in built(neck, dim=3).layers[1:]]

    assert names(("dropout", "dense", "batch_norm")) == ["dropout", "dense", "batch_norm"]
    assert names(("batch_norm", "dense")) == ["batch_norm", "dense"]
    assert names(("dense:6", "relu", "dense", "relu")) == ["dense", "relu", "dense_2", "relu_2"]


def test_numbers_of_the_parts():
    model = built(
        ("batch_norm:0.99:0.001", "dense:6", "relu", "dropout:0.25", "dropout", "batch_norm"),
        dropout=0.125,
    )
    keras_norm, dense, relu, first, second, torch_norm = model.layers[1:]
    assert (keras_norm.momentum, keras_norm.epsilon) == (0.99, 1e-3)
    assert (torch_norm.momentum, torch_norm.epsilon) == (0.9, 1e-5)
    assert dense.units == 6 and isinstance(relu, layers.ReLU)
    assert (first.rate, second.rate) == (0.25, 0.125)


def test_s1s_neck_starts_as_pytorch_does():
    # PyTorch's Linear: kernel and bias uniform within 1 / sqrt(2048).
    keras.utils.set_random_seed(0)
    x = keras.Input((2048,))
    dense = keras.Model(x, apply_neck(x, ("dense",), dim=512, init="torch")).layers[1]
    for weight in (np.asarray(dense.kernel), np.asarray(dense.bias)):
        assert 0.95 * 2048**-0.5 < np.abs(weight).max() <= 2048**-0.5
    np.testing.assert_allclose(np.asarray(dense.kernel).std(), 2048**-0.5 / 3**0.5, rtol=0.01)


@pytest.mark.parametrize(
    "part",
    ["dropout:1", "dropout:x", "dense:0", "dense:1.5", "dense:1:2", "relu:1", "batch_norm:1"],
)
def test_a_part_that_is_not_understood(part):
    with pytest.raises(ValueError, match=f"part '{part}' is not understood. Expected a part such"):
        built((part,))


def test_refusals():
    contracts.check_refusals(
        {
            "neck=('dense',), dim=None": lambda: built(("dense",)),
            "neck=(), dim=8": lambda: built((), dim=8),
            "neck=('dense:4',), dim=8": lambda: built(("dense:4",), dim=8),
            "among dropout, dense, relu, batch_norm. Received: 'gelu'": lambda: built(("gelu",)),
        }
    )
