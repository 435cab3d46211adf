"""Freezing by name."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from landmarks_tf.models.freezing import freeze_except
from tests import contracts

pytestmark = contracts.IGNORE_ARRAY_COPY


def network():
    pixels = keras.Input((4,))
    x = keras.layers.Dense(3, name="conv1_dense")(pixels)
    x = keras.layers.BatchNormalization(name="conv1_bn")(x)
    x = keras.layers.Dense(3, name="conv5_a")(x)
    x = keras.layers.BatchNormalization(name="conv5_bn")(x)
    return keras.Model(pixels, x, name="net")


def test_only_the_named_layers_move():
    model = network()
    freeze_except(model, ("conv5",))
    before = {layer.name: [np.array(w) for w in layer.weights] for layer in model.layers}
    model.compile(keras.optimizers.SGD(0.1), "mse")
    x = np.random.default_rng(0).normal(size=(8, 4)).astype(np.float32)
    model.train_on_batch(x, x[:, :3])
    for layer in model.layers:
        pairs = zip(layer.weights, before[layer.name], strict=True)
        moved = [not np.array_equal(weight, old) for weight, old in pairs]
        # The first dense layer's bias moves nothing after a batch norm, but conv5's kernel does.
        assert any(moved) == (layer.name in ("conv5_a", "conv5_bn")), layer.name


def test_a_name_that_no_layer_has():
    with pytest.raises(
        ValueError, match=r"No layer of net .* 'layer4'\. Its .* conv1, conv5\. @norms"
    ):
        freeze_except(network(), ("conv5", "layer4"))


def trained(prefixes):
    model = network()
    freeze_except(model, prefixes)
    return [layer.name for layer in model.layers if layer.trainable_weights]


def test_all_norms_or_nothing():
    assert trained(("@norms",)) == ["conv1_bn", "conv5_bn"]
    assert trained(("@norms", "conv5_a")) == ["conv1_bn", "conv5_a", "conv5_bn"]
    assert trained(("@nothing",)) == []


def test_the_norms_of_every_backbones_own_kind():
    """Our BatchNorm is one of them, and a norm that trains moves its statistics."""
    from landmarks_tf.layers import BatchNorm

    pixels = keras.Input((4,))
    x = BatchNorm(name="bn")(keras.layers.Dense(3, name="dense")(pixels))
    model = keras.Model(pixels, x, name="net")
    freeze_except(model, ("@norms",))
    model.compile(keras.optimizers.SGD(0.1), "mse")
    before = [np.array(w) for w in model.weights]
    x = np.random.default_rng(0).normal(size=(8, 4)).astype(np.float32)
    model.train_on_batch(x, x[:, :3])
    moved = [
        not np.array_equal(np.array(w), old) for w, old in zip(model.weights, before, strict=True)
    ]
    # Kernel and bias stay; gamma, beta, mean and variance move.
    assert moved == [False, False, True, True, True, True]


def test_refusals_of_kinds():
    bare = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)], name="bare")
    contracts.check_refusals(
        {
            "bare has no normalisation layers": lambda: freeze_except(bare, ("@norms",)),
            "Received: ('@nothing', 'conv5')": lambda: freeze_except(
                network(), ("@nothing", "conv5")
            ),
        }
    )
