"""Rows of length 1."""

from __future__ import annotations

import keras
from keras import ops

from landmarks_tf.layers.float32 import Float32Layer

# PyTorch's F.normalize uses the same bound on the norm (reproduction.md section 6).
_SMALLEST_NORM = 1e-12


def l2_normalize(x):
    """Divide each row by its length: (..., D) -> (..., D).

    A row of zeros has no direction: it stays zero, and so does its gradient. (`keras.ops.normalize`
    multiplies that gradient by 1e12 or makes it NaN, by backend, and one dead row ends a training.)
    A row of NaN stays one: as zeros it would hide from the loss that the network has broken.
    """
    squared = ops.sum(ops.square(x), axis=-1, keepdims=True)
    # The other way round NaN, which is neither, would count as zero.
    alive = ops.logical_not(squared <= _SMALLEST_NORM**2)
    return ops.where(alive, x * ops.rsqrt(ops.where(alive, squared, 1.0)), 0.0)


@keras.saving.register_keras_serializable(package="landmarks_tf")
class L2Normalization(Float32Layer):
    """Rows of length 1, in float32 whatever the policy.

    Input and output shape: (..., D). A row of zeros stays zero.
    """

    def call(self, x):
        return l2_normalize(x)

    def compute_output_shape(self, input_shape):
        return input_shape
