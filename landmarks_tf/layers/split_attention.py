"""Split attention with two splits (Zhang et al., ResNeSt, arXiv 2004.08955, section 3.1).

A convolution has made two candidate maps of the same place, stacked along the channels. Each
channel of the result is a mixture of its two candidates, weighted by what the whole picture shows.
"""

from __future__ import annotations

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="landmarks_tf")
class SplitPooling2D(keras.layers.Layer):
    """What the attention looks at: the mean over the map of the two splits' sum.

    Input shape: (B, h, w, 2C), the first split before the second. Output shape: (B, 1, 1, C).

    Raises:
        ValueError: the input is not (B, h, w, 2C).
    """

    def build(self, input_shape):
        if len(input_shape) != 4 or input_shape[-1] % 2:
            raise ValueError(
                f"SplitPooling2D takes two splits of feature maps, (B, h, w, 2C). Received an "
                f"input of shape {tuple(input_shape)}."
            )

    def call(self, maps):
        # The mean first: adding the splits of a (1, 1) map costs nothing.
        first, second = ops.split(ops.mean(maps, axis=(1, 2), keepdims=True), 2, axis=-1)
        return first + second

    def compute_output_shape(self, input_shape):
        return (input_shape[0], 1, 1, input_shape[-1] // 2)


@keras.saving.register_keras_serializable(package="landmarks_tf")
class SplitAttention2D(keras.layers.Layer):
    """Mixes the two splits by a softmax over them, channel by channel.

    Input: maps (B, h, w, 2C) and their logits (B, 1, 1, 2C), the first split before the second.
    Output shape: (B, h, w, C).

    Raises:
        ValueError: the inputs are not these two.
    """

    def build(self, input_shape):
        shapes = [tuple(shape) for shape in input_shape]
        if (
            [len(shape) for shape in shapes] != [4, 4]
            or shapes[0][-1] % 2
            or (shapes[1][1:] != (1, 1, shapes[0][-1]))
        ):
            raise ValueError(
                f"SplitAttention2D takes maps (B, h, w, 2C) and their logits (B, 1, 1, 2C). "
                f"Received inputs of shapes {shapes}."
            )

    def call(self, inputs):
        maps, logits = inputs
        first, second = ops.split(maps, 2, axis=-1)
        # A softmax of two is a sigmoid of their difference: fewer passes over the maps.
        toward_first = ops.sigmoid(ops.subtract(*ops.split(logits, 2, axis=-1)))
        return second + toward_first * (first - second)

    def compute_output_shape(self, input_shape):
        maps, _ = input_shape
        return (*maps[:-1], maps[-1] // 2)
