"""Additive angular margin softmax: ArcFace (Deng et al., CVPR 2019, arXiv 1801.07698, eq. 3)."""

from __future__ import annotations

import math

import keras
from keras import ops

# Below this, 1 - cos^2 has no bits left in float32 and its root has no finite gradient.
_SMALLEST_SQUARED_SINE = 1e-12


def arcface_logits(labels, cosines, margin: float = 0.35, scale: float = 30.0):
    """Scaled cosines with the margin added to the angle of each row's own class.

    The hard-margin form of S1 (reproduction.md section 2.3): the target logit is
    `scale * cos(theta + margin)`, and where that would no longer fall with theta, that is for
    cos(theta) <= cos(pi - margin), it is `scale * (cos(theta) - margin * sin(pi - margin))`.
    Only the target column is touched: no acos, no one-hot matrix.

    Hand-derived: cosine 0.5, margin 0.35, scale 30 gives
    30 * (0.5 * cos 0.35 - sqrt(0.75) * sin 0.35) = 5.18184.

    Args:
        labels: (B,) or (B, 1) class ids in [0, N), integers or whole float32 numbers.
        cosines: (B, N) float32 cosines.
        margin: in radians, within [0, pi/2).
        scale: positive.

    Returns:
        (B, N) float32 logits. A row whose label lies outside [0, N) holds a NaN, so that no loss
        over it is a plausible number.

    Raises:
        ValueError: a margin or scale out of range, or cosines that are not (B, N) float32.
    """
    _check_margin_and_scale(margin, scale)
    cosines = ops.convert_to_tensor(cosines)
    if keras.backend.standardize_dtype(cosines.dtype) != "float32" or len(cosines.shape) != 2:
        raise ValueError(
            f"ArcFace needs float32 cosines of shape (B, N); half precision cannot tell angles "
            f"near 0 apart. Received: {keras.backend.standardize_dtype(cosines.dtype)} of shape "
            f"{tuple(cosines.shape)}."
        )
    labels = ops.reshape(ops.cast(labels, "int32"), (-1, 1))
    target = _within_classes(labels, cosines)
    cosine = ops.take_along_axis(cosines, target, axis=1)
    # Rounding carries self-products of unit vectors past 1; the clip keeps their gradient finite.
    cosine = ops.clip(cosine, -1.0, 1.0)
    sine = ops.sqrt(ops.maximum(1.0 - ops.square(cosine), _SMALLEST_SQUARED_SINE))
    with_margin = cosine * math.cos(margin) - sine * math.sin(margin)
    beyond = cosine - margin * math.sin(math.pi - margin)
    with_margin = ops.where(cosine > math.cos(math.pi - margin), with_margin, beyond)
    with_margin = ops.where(labels == target, with_margin, math.nan)
    rows = ops.reshape(ops.arange(ops.shape(cosines)[0], dtype="int32"), (-1, 1))
    places = ops.concatenate([rows, target], axis=1)
    return scale * ops.scatter_update(cosines, places, ops.squeeze(with_margin, 1))


@keras.saving.register_keras_serializable(package="landmarks_tf")
class ArcFaceLoss(keras.losses.Loss):
    """Cross-entropy over `arcface_logits`.

    Args:
        margin: in radians, within [0, pi/2).
        scale: positive.
        name: the loss' name.
        dtype: None or "float32".
        **kwargs: `reduction`, as every Keras loss.

    Call: labels (B,) in [0, N), cosines (B, N) -> one value per row, reduced by Keras. A label out
    of range gives NaN on every backend (Keras' own cross-entropy gives 0 on JAX).

    Raises:
        ValueError: a margin or scale out of range, or a dtype other than float32: Keras casts
            labels to the loss' dtype, and class 81,312 is no longer itself in half precision.
    """

    def __init__(
        self, margin: float = 0.35, scale: float = 30.0, name: str = "arcface", dtype=None, **kwargs
    ):
        policy = keras.dtype_policies.get("float32" if dtype is None else dtype)
        if policy.compute_dtype != "float32":
            raise ValueError(
                f"ArcFaceLoss computes in float32, because Keras casts class ids to the dtype of "
                f"the loss and half precision changes large ones. Received: dtype={policy.name!r}."
            )
        super().__init__(name=name, dtype="float32", **kwargs)
        _check_margin_and_scale(margin, scale)
        self.margin = float(margin)
        self.scale = float(scale)

    def call(self, y_true, y_pred):
        logits = arcface_logits(y_true, y_pred, self.margin, self.scale)
        labels = ops.reshape(ops.cast(y_true, "int32"), (-1,))
        return ops.sparse_categorical_crossentropy(
            _within_classes(labels, logits), logits, from_logits=True
        )

    def get_config(self):
        return {**super().get_config(), "margin": self.margin, "scale": self.scale}


def _check_margin_and_scale(margin: float, scale: float) -> None:
    if not 0 <= margin < math.pi / 2:
        raise ValueError(f"margin is an angle in [0, pi/2) radians. Received: margin={margin}.")
    if not 0 < scale < math.inf:
        raise ValueError(f"scale must be positive and finite. Received: scale={scale}.")


def _within_classes(labels, scores):
    """Labels moved into the range of the columns of (B, N) scores."""
    return ops.clip(labels, 0, ops.shape(scores)[1] - 1)
