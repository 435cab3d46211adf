"""Feature maps cut into groups of channels."""

from __future__ import annotations

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="landmarks_tf")
class ChannelSplit(keras.layers.Layer):
    """Cuts the last axis into equal parts, in order.

    `keras.ops.split` on a symbolic tensor does the same, but its node is named by a global
    counter: a network that was saved and one that was built later may claim one name.

    Args:
        parts: into how many; at least 2.

    Input shape: (..., C). Output: a list of `parts` tensors (..., C / parts).

    Raises:
        ValueError: fewer than 2 parts, or channels that they do not divide.
    """

    def __init__(self, parts: int, **kwargs):
        super().__init__(**kwargs)
        if parts < 2:
            raise ValueError(f"ChannelSplit makes at least 2 parts. Received: parts={parts}.")
        self.parts = int(parts)

    def build(self, input_shape):
        if input_shape[-1] % self.parts:
            raise ValueError(
                f"{input_shape[-1]} channels cannot be cut into {self.parts} equal parts: the "
                f"input has the shape {tuple(input_shape)}."
            )

    def call(self, x):
        return list(ops.split(x, self.parts, axis=-1))

    def compute_output_shape(self, input_shape):
        return [(*input_shape[:-1], input_shape[-1] // self.parts)] * self.parts

    def get_config(self):
        return {**super().get_config(), "parts": self.parts}
