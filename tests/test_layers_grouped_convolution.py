"""Grouped convolutions in parts: equal to Keras' own and to plain loops."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf

from landmarks_tf.layers import GroupedConv2D, grouped_convolution
from tests import contracts

pytestmark = contracts.IGNORE_ARRAY_COPY

# (channels, filters, groups, options): one group a part, several, all in one; a narrowing; strides.
CASES = [
    (64, 64, 2, {"padding": "same"}),
    (128, 128, 32, {"padding": "same", "use_bias": True}),
    (64, 32, 16, {"strides": 2, "padding": "same"}),
    (12, 24, 6, {"strides": (2, 1)}),
    (8, 8, 8, {"dilation_rate": 2}),
    (96, 48, 3, {"activation": "relu"}),
    (16, 16, 1, {}),
]


def maps(channels, seed=0):
    return np.random.default_rng(seed).normal(size=(2, 7, 6, channels)).astype(np.float32)


def pair(channels, filters, groups, options):
    """Ours and Keras', with the same random weights."""
    layers = []
    for make in (GroupedConv2D, keras.layers.Conv2D):
        keras.utils.set_random_seed(3)
        layer = make(filters, 3, groups=groups, bias_initializer="normal", **options)
        layer.build((None, 7, 6, channels))
        layers.append(layer)
    return layers


def loop(x, kernel, groups):
    """A "valid" 3x3 grouped convolution, position by position and group by group, in float64."""
    height, width, narrow, filters = kernel.shape
    rows, columns = x.shape[1] - height + 1, x.shape[2] - width + 1
    out = np.zeros((len(x), rows, columns, filters))
    each = filters // groups
    for row in range(rows):
        for column in range(columns):
            window = x[:, row : row + height, column : column + width].astype(np.float64)
            for g in range(groups):
                seen = window[..., g * narrow : (g + 1) * narrow]
                mine = slice(g * each, (g + 1) * each)
                out[:, row, column, mine] = np.tensordot(seen, kernel[..., mine], 3)
    return out


@pytest.mark.parametrize(("channels", "filters", "groups"), [(64, 32, 8), (8, 8, 4), (32, 64, 2)])
def test_equals_the_plain_loop(channels, filters, groups):
    layer, _ = pair(channels, filters, groups, {})
    x = maps(channels)
    expected = loop(x, np.asarray(layer.kernel, np.float64), groups) + np.asarray(layer.bias)
    np.testing.assert_allclose(layer(x), expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case[0]}-{case[1]}-in-{case[2]}")
def test_outputs_and_gradients_are_those_of_keras(case):
    results, layers = [], pair(*case)
    assert [w.shape for w in layers[0].weights] == [w.shape for w in layers[1].weights]
    for layer in layers:
        x = tf.constant(maps(case[0]))
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = layer(x)
            total = tf.reduce_sum(y * np.random.default_rng(1).normal(size=y.shape))
        weights = [weight.value for weight in layer.weights]
        results.append([y, *tape.gradient(total, [x, *weights])])
    for ours, theirs in zip(*results, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    ("channels", "groups", "parts"),
    # ResNeXt101-32x4d's four widths, ResNeSt's two splits, and numbers that do not divide evenly.
    [(128, 32, 8), (256, 32, 16), (512, 32, 16), (1024, 32, 16), (64, 2, 2), (90, 9, 3), (8, 8, 1)],
)
def test_number_of_parts(channels, groups, parts):
    # Counted in the graph, where XLA's form would have no convolution of its own.
    layer = GroupedConv2D(groups * 2, 3, groups=groups)
    layer.build((None, 5, 5, channels))
    graph = tf.function(layer).get_concrete_function(tf.TensorSpec((1, 5, 5, channels))).graph
    assert [node.type for node in graph.get_operations()].count("Conv2D") == parts


def test_another_device_gets_keras_own(monkeypatch):
    monkeypatch.setattr(grouped_convolution, "_on_cpu", lambda: False)
    layer = GroupedConv2D(32, 3, groups=32)
    layer.build((None, 5, 5, 128))
    graph = tf.function(layer).get_concrete_function(tf.TensorSpec((1, 5, 5, 128))).graph
    assert "Conv2D" not in [node.type for node in graph.get_operations()]


def test_contract(tmp_path):
    contracts.check_layer(
        lambda: GroupedConv2D(32, 3, groups=8, padding="same", name="grouped"),
        maps(32),
        tmp_path,
        always_float32=False,
    )
