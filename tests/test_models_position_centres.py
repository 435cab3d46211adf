"""Where positions look, against the middle of what a linear network measurably reads."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from keras import layers

from landmarks_tf.models.position_centres import position_centres


def conv(size, stride, padding, **options):
    return layers.Conv2D(
        1, size, stride, padding, use_bias=False, kernel_initializer="ones", **options
    )


STACKS = {
    "same": lambda: [conv(3, 2, "same"), conv(3, 2, "same")],
    "symmetric": lambda: [
        *(layers.ZeroPadding2D(1), conv(3, 2, "valid"), layers.ZeroPadding2D(1)),
        conv(3, 2, "valid"),
    ],
    "uneven": lambda: [layers.ZeroPadding2D(((0, 1), (2, 1))), conv(3, 2, "valid")],
    "mixed": lambda: [
        *(conv(5, 2, "valid"), layers.AveragePooling2D(2, 2, "same"), conv(1, 1, "same")),
        conv(3, 1, "same", dilation_rate=2),
    ],
    "depthwise": lambda: [
        layers.DepthwiseConv2D(3, 2, "same", use_bias=False, depthwise_initializer="ones")
    ],
}


@pytest.mark.parametrize("name", STACKS)
def test_the_middle_of_what_is_read(name):
    """All weights are equal, so what a position reads has its middle at the centre."""
    size = 24
    inputs = layers.Input((size, size, 1))
    x = inputs
    for layer in STACKS[name]():
        x = layer(x)
    model = keras.Model(inputs, x)
    rows, columns = position_centres(model, x)
    assert (len(rows), len(columns)) == x.shape[1:3]
    impulses = np.eye(size * size, dtype=np.float32).reshape(-1, size, size, 1)
    read = model.predict_on_batch(impulses)[..., 0].reshape(size, size, *x.shape[1:3])
    at = x.shape[1] // 2, x.shape[2] // 2  # away from the border, where padding cuts
    weights = read[:, :, at[0], at[1]]
    middle = [(weights.sum(axis=1 - axis) @ np.arange(size)) / weights.sum() for axis in (0, 1)]
    assert middle == pytest.approx([rows[at[0]], columns[at[1]]], abs=1e-4)


def test_residuals_gates_and_other_layers_are_followed():
    inputs = layers.Input((16, 16, 3))
    x = layers.ReLU()(layers.BatchNormalization()(conv(3, 2, "same")(inputs)))
    gate = layers.Reshape((1, 1, 1))(layers.GlobalAveragePooling2D()(x))
    x = layers.Add()([layers.Multiply()([gate, x]), x])
    x = keras.ops.maximum(layers.Concatenate()([conv(1, 2, "valid")(x)] * 2), 0.0)
    rows, columns = position_centres(keras.Model(inputs, x), x)
    np.testing.assert_allclose(rows, [1, 5, 9, 13])
    np.testing.assert_allclose(columns, rows)


def test_what_is_not_known_has_no_answer():
    inputs = layers.Input((8, 8, 1))
    x = layers.UpSampling2D(2)(inputs)
    assert position_centres(keras.Model(inputs, x), x) is None
    inputs = layers.Input((None, None, 1))
    x = conv(3, 2, "same")(inputs)
    assert position_centres(keras.Model(inputs, x), x) is None
