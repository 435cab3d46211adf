"""Generalised-mean pooling (Radenovic et al., TPAMI 2018, arXiv 1711.02512, section 3.2)."""

from __future__ import annotations

import math

import keras
from keras import ops

from landmarks_tf.layers.float32 import Float32Layer


@keras.saving.register_keras_serializable(package="landmarks_tf")
class GeMPooling2D(Float32Layer):
    """Mean of the p-th powers over the map, then the p-th root; in float32 whatever the policy.

    p = 1 is average pooling; p towards infinity is maximum pooling. Activations are clipped to
    `epsilon` from below, because a power of a negative number is none. A learned p is kept at 1 or
    above: below, the pooling is no longer a mean that prefers the strong activations.

    Args:
        p: initial exponent, at least 1 and finite.
        trainable_p: learn the one exponent together with the network.
        epsilon: lower clip of the activations, positive and finite.

    Input shape: (B, h, w, C). Output shape: (B, C), float32.

    Raises:
        ValueError: `p` or `epsilon` out of its range, an input that is not (B, h, w, C), or a
            dtype other than float32.
    """

    def __init__(self, p: float = 3.0, trainable_p: bool = True, epsilon: float = 1e-6, **kwargs):
        super().__init__(**kwargs)
        if not 1 <= p < math.inf:
            raise ValueError(f"GeM's exponent p must be at least 1 and finite. Received: p={p}.")
        if not 0 < epsilon < math.inf:
            raise ValueError(f"epsilon must be positive and finite. Received: epsilon={epsilon}.")
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
            constraint=_AtLeastOne(),
            name="p",
        )

    def call(self, feature_map):
        x = ops.maximum(feature_map, self.epsilon)
        # The mean is homogeneous, so dividing by the peak changes neither value nor gradient, but
        # keeps the powers within float32: 1e-6 ** 8 is 0 there, and the root of 0 has no gradient.
        peak = ops.stop_gradient(ops.max(x, axis=(1, 2), keepdims=True))
        mean = ops.mean(ops.power(x / peak, self.p), axis=(1, 2))
        return ops.squeeze(peak, axis=(1, 2)) * ops.power(mean, 1.0 / self.p)

    def compute_output_shape(self, input_shape):
        return (input_shape[0], input_shape[3])

    def get_config(self):
        return {
            **super().get_config(),
            "p": self.initial_p,
            "trainable_p": self.trainable_p,
            "epsilon": self.epsilon,
        }


class _AtLeastOne(keras.constraints.Constraint):
    def __call__(self, w):
        return ops.maximum(w, 1.0)
