"""Mean squared error of a network that draws its own input (S1's U-Net baseline)."""

from __future__ import annotations

import keras
from keras import ops


def mean_squared_difference(differences):
    """Mean of the squares of each picture's differences: (B, ...) -> (B,), float32."""
    differences = ops.cast(differences, "float32")
    return ops.mean(ops.square(differences), axis=tuple(range(1, len(differences.shape))))


@keras.saving.register_keras_serializable(package="landmarks_tf")
class ReconstructionLoss(keras.losses.Loss):
    """Mean square of the difference between a drawn picture and what it should be.

    The "reconstruction" head hands out that difference itself, because the target is the network's
    own preprocessed input, which no label carries; labels are ignored. Mean squared error without
    noise on the input: S1, reproduction.md section 2.4.

    Args:
        name: the loss' name.
        dtype: None or "float32".
        **kwargs: `reduction`, as every Keras loss.

    Call: labels (B,), differences (B, ...) -> one value per picture, reduced by Keras.

    Raises:
        ValueError: a dtype other than float32.
    """

    def __init__(self, name: str = "reconstruction", dtype=None, **kwargs):
        policy = keras.dtype_policies.get("float32" if dtype is None else dtype)
        if policy.compute_dtype != "float32":
            raise ValueError(
                f"ReconstructionLoss computes in float32: squares of small differences vanish in "
                f"half precision. Received: dtype={policy.name!r}."
            )
        super().__init__(name=name, dtype="float32", **kwargs)

    def call(self, y_true, y_pred):
        return mean_squared_difference(y_pred)
