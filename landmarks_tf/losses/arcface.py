"""Additive angular margin softmax: ArcFace (Deng et al., CVPR 2019, arXiv 1801.07698, eq. 3)."""

from __future__ import annotations

import math

import keras
from keras import ops

from landmarks_tf.losses.cross_entropy import CrossEntropyLoss
from landmarks_tf.losses.margins import (
    checked_angle,
    checked_scale,
    margin_config,
    margin_from_config,
    margins_of,
)
from landmarks_tf.losses.target_column import checked_scores, class_ids, with_changed

FORMS = ("hard", "easy", "plain")

# Below this, 1 - cos^2 has no bits left in float32 and its root has no finite derivative.
_SMALLEST_SQUARED_SINE = 1e-12


def arcface_logits(labels, cosines, margin=0.35, scale: float = 30.0, form: str = "hard"):
    """Scaled cosines with the margin added to the angle of each row's own class.

    The target logit is `scale * cos(theta + margin)`. Past theta = pi - margin that no longer falls
    with theta, and the forms part:

    - "hard", S1's (reproduction.md section 2.3): where cos(theta) <= cos(pi - margin) it is
      `scale * (cos(theta) - margin * sin(pi - margin))`;
    - "easy", easy margin: where cos(theta) <= 0 it is `scale * cos(theta)`, without margin;
    - "plain": no fallback. Rows past pi - margin are pushed away from their class.

    Only the target column is touched: no acos, no one-hot matrix. Sub-centre ArcFace is this over
    `CosineClassifier(subcenters=K)`.

    Hand-derived: cosine 0.5, margin 0.35, scale 30 gives
    30 * (0.5 * cos 0.35 - sqrt(0.75) * sin 0.35) = 5.18184.

    Args:
        labels: (B,) or (B, 1) class ids in [0, N), integers or whole float32 numbers.
        cosines: (B, N) float32 cosines.
        margin: in radians, within [0, pi/2); one for all classes or (N,), as `dynamic_margins`
            gives them.
        scale: positive.
        form: one of `FORMS`.

    Returns:
        (B, N) float32 logits. A row whose label lies outside [0, N) holds a NaN, so that no loss
        over it is a plausible number.

    Raises:
        ValueError: a margin or scale out of range, another form, cosines that are not (B, N)
            float32, or labels that are not class ids.
    """
    margin, scale = checked_angle(margin), checked_scale(scale)
    _check_form(form)
    cosines = checked_scores(cosines)
    num_classes = ops.shape(cosines)[1]
    ids, known = class_ids(labels, num_classes)
    margin = margins_of(margin, ids, num_classes)
    return scale * with_changed(cosines, ids, known, lambda own: _widened(own, margin, form))


@keras.saving.register_keras_serializable(package="landmarks_tf")
class ArcFaceLoss(CrossEntropyLoss):
    """Cross-entropy over `arcface_logits`.

    Args:
        margin: in radians, within [0, pi/2); one for all classes or (N,), as `dynamic_margins`
            gives them. The config holds the latter as packed text (`pack_floats`).
        scale: positive.
        form: "hard", "easy" or "plain".
        name: the loss' name.
        **kwargs: `label_smoothing`, `dtype` and `reduction`, as `CrossEntropyLoss`.

    Call: labels (B,) in [0, N), cosines (B, N) -> one value per row, reduced by Keras. A label out
    of range gives NaN.

    Raises:
        ValueError: a margin or scale out of range, another form, or a dtype other than float32:
            Keras casts labels to the loss' dtype, and class 81,312 is no longer itself in half
            precision.
    """

    def __init__(
        self,
        margin=0.35,
        scale: float = 30.0,
        form: str = "hard",
        name: str = "arcface",
        **kwargs,
    ):
        super().__init__(name=name, **kwargs)
        _check_form(form)
        self.margin = checked_angle(margin)
        self.scale = checked_scale(scale)
        self.form = form

    def logits(self, labels, scores):
        return arcface_logits(labels, scores, self.margin, self.scale, self.form)

    def own_alone(self, ids, num_classes: int):
        margin = margins_of(self.margin, ids, num_classes)
        return self.scale, lambda own: _widened(own, margin, self.form)

    def get_config(self):
        margin = margin_config(self.margin)
        own = {"margin": margin, "scale": self.scale, "form": self.form}
        return {**super().get_config(), **own}

    @classmethod
    def from_config(cls, config):
        return cls(**{**config, "margin": margin_from_config(config["margin"])})


def _widened(cosine, margin, form: str):
    """cos(theta + margin), and what `form` has where that would grow; with its derivative.

    By the addition formula: cos(theta) cos(margin) - sin(theta) sin(margin).
    """
    # Rounding carries self-products of unit vectors past 1.
    inside = ops.cast(ops.abs(cosine) <= 1, "float32")
    cosine = ops.clip(cosine, -1.0, 1.0)
    squared_sine = 1.0 - ops.square(cosine)
    curved = squared_sine > _SMALLEST_SQUARED_SINE
    sine = ops.sqrt(ops.where(curved, squared_sine, _SMALLEST_SQUARED_SINE))
    functions = math if isinstance(margin, float) else ops
    cos_margin, sin_margin = functions.cos(margin), functions.sin(margin)
    widened = cosine * cos_margin - sine * sin_margin
    slope = cos_margin + ops.where(curved, sin_margin * cosine / sine, 0.0)
    if form == "hard":
        falls = cosine > -cos_margin
        widened = ops.where(falls, widened, cosine - margin * sin_margin)
        slope = ops.where(falls, slope, 1.0)
    elif form == "easy":
        widened = ops.where(cosine > 0, widened, cosine)
        slope = ops.where(cosine > 0, slope, 1.0)
    return widened, slope * inside


def _check_form(form: str) -> None:
    if form not in FORMS:
        raise ValueError(f"Expected a form among {', '.join(FORMS)}. Received: form={form!r}.")
