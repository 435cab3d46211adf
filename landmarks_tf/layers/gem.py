"""Generalised-mean pooling (Radenovic et al., TPAMI 2018, arXiv 1711.02512, section 3.2)."""

from __future__ import annotations

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="landmarks_tf")
class GeMPooling2D(keras.layers.Layer):
    """Mean of the p-th powers over the map, then the p-th root; in float32 whatever the policy.

    p = 1 is average pooling; p towards infinity is maximum pooling. Activations are clipped to
    `epsilon` from below, because a power of a negative number is none.

    Args:
        p: initial exponent, at least 1.
        trainable_p: learn the one exponent together with the network.
        epsilon: lower clip of the activations, positive.

    Input shape: (B, h, w, C). Output shape: (B, C), float32.

    Raises:
        ValueError: `p` below 1 or `epsilon` not positive.
    """

    def __init__(self, p: float = 3.0, trainable_p: bool = True, epsilon: float = 1e-6, **kwargs):
        kwargs.setdefault("dtype", "float32")
        super().__init__(**kwargs)
        if p < 1:
            raise ValueError(f"GeM's exponent p must be at least 1. Received: p={p}.")
        if epsilon <= 0:
            raise ValueError(f"epsilon must be positive. Received: epsilon={epsilon}.")
        self.initial_p = float(p)
        self.trainable_p = bool(trainable_p)
        self.epsilon = float(epsilon)

    def build(self, input_shape):
        if len(input_shape) != 4:
            raise ValueError(
                f"GeMPooling2D pools feature maps of shape (B, h, w, C). "
                f"Received an input of shape {tuple(input_shape)}."
            )
        self.p = self.add_weight(
            shape=(),
            initializer=keras.initializers.Constant(self.initial_p),
            trainable=self.trainable_p,
            name="p",
        )

    def call(self, feature_map):
        powers = ops.power(ops.maximum(feature_map, self.epsilon), self.p)
        return ops.power(ops.mean(powers, axis=(1, 2)), 1.0 / self.p)

    def compute_output_shape(self, input_shape):
        return (input_shape[0], input_shape[3])

    def get_config(self):
        return {
            **super().get_config(),
            "p": self.initial_p,
            "trainable_p": self.trainable_p,
            "epsilon": self.epsilon,
        }
