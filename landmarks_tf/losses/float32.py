"""The base of losses that half precision would spoil."""

from __future__ import annotations

import keras


class Float32Loss(keras.losses.Loss):
    """A loss that computes in float32 whatever the global dtype policy says.

    Keras casts class ids to the dtype of the loss, and class 81,312 is no longer itself in half
    precision; nor are cosines near 1.

    Args:
        name: the loss' name.
        dtype: None or "float32".
        **kwargs: `reduction`, as every Keras loss.

    Raises:
        ValueError: any other dtype.
    """

    def __init__(self, name: str, dtype=None, **kwargs):
        policy = keras.dtype_policies.get("float32" if dtype is None else dtype)
        if policy.compute_dtype != "float32":
            raise ValueError(
                f"{type(self).__name__} computes in float32, because Keras casts class ids to the "
                f"dtype of the loss and half precision changes large ones. Received: "
                f"dtype={policy.name!r}."
            )
        super().__init__(name=name, dtype="float32", **kwargs)
