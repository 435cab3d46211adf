"""The preprocessing that belongs to a set of weights, kept inside the model."""

from __future__ import annotations

from collections.abc import Sequence

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="landmarks_tf")
class PixelScaling(keras.layers.Layer):
    """`pixels * scale + offset`, each a number for every channel, in the order of the output.

    Keras' own `Rescaling` imports TensorFlow on every backend when it is called; Colab's TPU
    runtimes have none, so this layer is used instead.

    Args:
        scale: one number for each channel.
        offset: one number for each channel.
        reverse_channels: turn RGB into BGR first, for weights that were trained on OpenCV's order.

    Input and output shape: (B, H, W, C) with C = len(scale).

    Raises:
        ValueError: scale and offset of different lengths, or not one for each channel.
    """

    def __init__(
        self,
        scale: Sequence[float],
        offset: Sequence[float],
        reverse_channels: bool = False,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.scale = [float(s) for s in scale]
        self.offset = [float(o) for o in offset]
        self.reverse_channels = bool(reverse_channels)
        if len(self.scale) != len(self.offset):
            raise ValueError(
                f"scale and offset need one number for each channel. "
                f"Received: {len(self.scale)} scales, {len(self.offset)} offsets."
            )

    def build(self, input_shape):
        if input_shape[-1] != len(self.scale):
            raise ValueError(
                f"Expected pictures with {len(self.scale)} channels, last. "
                f"Received an input of shape {tuple(input_shape)}."
            )

    def call(self, pixels):
        scale = ops.convert_to_tensor(self.scale, self.compute_dtype)
        offset = ops.convert_to_tensor(self.offset, self.compute_dtype)
        pixels = ops.cast(pixels, self.compute_dtype)
        if self.reverse_channels:
            pixels = ops.flip(pixels, axis=-1)
        return pixels * scale + offset

    def compute_output_shape(self, input_shape):
        return input_shape

    def get_config(self):
        return {
            **super().get_config(),
            "scale": self.scale,
            "offset": self.offset,
            "reverse_channels": self.reverse_channels,
        }
