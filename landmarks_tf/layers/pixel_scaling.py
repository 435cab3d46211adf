"""The preprocessing that belongs to a set of weights, kept inside the model."""

from __future__ import annotations

from collections.abc import Sequence

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="landmarks_tf")
class PixelScaling(keras.layers.Layer):
    """`pixels * scale + offset`, each a number for every channel.

    Keras' own `Rescaling` imports TensorFlow on every backend when it is called; Colab's TPU
    runtimes have none, so this layer is used instead.

    Args:
        scale: one number for each channel.
        offset: one number for each channel.

    Input and output shape: (B, H, W, C) with C = len(scale).

    Raises:
        ValueError: scale and offset of different lengths, or not one for each channel.
    """

    def __init__(self, scale: Sequence[float], offset: Sequence[float], **kwargs):
        super().__init__(**kwargs)
        self.scale = [float(s) for s in scale]
        self.offset = [float(o) for o in offset]
        if len(self.scale) != len(self.offset):
            raise ValueError(
                f"scale and offset need one number for each channel. "
                f"Received: {len(self.scale)} scales, {len(self.offset)} offsets."
            )

    @classmethod
    def standardise(cls, mean: Sequence[float], std: Sequence[float], **kwargs) -> PixelScaling:
        """Pixels 0..255 -> (x / 255 - mean) / std, the torchvision convention.

        Raises:
            ValueError: means and deviations of different lengths, or a deviation not above 0.
        """
        if len(mean) != len(std):
            raise ValueError(
                f"Each channel needs a mean and a standard deviation. "
                f"Received: {len(mean)} means, {len(std)} standard deviations."
            )
        if not min(std) > 0:
            raise ValueError(f"Standard deviations must be above 0. Received: std={tuple(std)}.")
        scale = [1.0 / (255.0 * s) for s in std]
        offset = [-m / s for m, s in zip(mean, std, strict=True)]
        return cls(scale, offset, **kwargs)

    def build(self, input_shape):
        if input_shape[-1] != len(self.scale):
            raise ValueError(
                f"Expected pictures with {len(self.scale)} channels, last. "
                f"Received an input of shape {tuple(input_shape)}."
            )

    def call(self, pixels):
        scale = ops.convert_to_tensor(self.scale, self.compute_dtype)
        offset = ops.convert_to_tensor(self.offset, self.compute_dtype)
        return ops.cast(pixels, self.compute_dtype) * scale + offset

    def compute_output_shape(self, input_shape):
        return input_shape

    def get_config(self):
        return {**super().get_config(), "scale": self.scale, "offset": self.offset}
