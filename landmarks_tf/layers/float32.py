"""The base of layers whose numbers half precision would spoil."""

from __future__ import annotations

import keras


class Float32Layer(keras.layers.Layer):
    """A layer that computes in float32 whatever the global dtype policy says.

    Cosines near 1 differ in their fourth decimal or later, which bfloat16 does not have, and powers
    of activations leave float16's range. Inputs in half precision are cast up by Keras.

    Args:
        dtype: None or "float32".

    Raises:
        ValueError: any other dtype.
    """

    def __init__(self, *, dtype=None, **kwargs):
        policy = keras.dtype_policies.get("float32" if dtype is None else dtype)
        if (policy.compute_dtype, policy.variable_dtype) != ("float32", "float32"):
            raise ValueError(
                f"{type(self).__name__} computes in float32 under every policy. Leave dtype out. "
                f"Received: dtype={policy.name!r}."
            )
        super().__init__(dtype=policy, **kwargs)
