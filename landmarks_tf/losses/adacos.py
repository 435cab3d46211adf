"""Softmax over cosines whose scale needs no tuning: AdaCos (Zhang et al., CVPR 2019).

arXiv 1905.00292; eq. 15 is the adaptive scale.
"""

from __future__ import annotations

import math

import keras
from keras import ops

from landmarks_tf.losses.cross_entropy import CrossEntropyLoss
from landmarks_tf.losses.target_column import (
    checked_scores,
    class_ids,
    scores_at,
    with_scores_at,
)

# How often eq. 15 is applied to each batch.
UPDATES = 3
# Eq. 15 falls to 0 and below where few classes lie opposite each other; a training needs a scale.
_SMALLEST_SCALE = 1.0


def fixed_scale(num_classes: int) -> float:
    """sqrt(2) * log(C - 1), the scale of AdaCos' fixed form.

    15.98917 for the 81,313 classes of GLDv2-clean.

    Raises:
        ValueError: fewer than 3 classes, whose scale would be 0.
    """
    if num_classes < 3:
        raise ValueError(
            f"AdaCos scales by sqrt(2) * log(C - 1), which is 0 for 2 classes: it needs at least "
            f"3. Received: {num_classes} classes."
        )
    return math.sqrt(2) * math.log(num_classes - 1)


def updated_scale(labels, cosines, scale):
    """One update of the adaptive scale: log(B_avg) / cos(min(pi/4, median angle)) (eq. 15).

    The median is over the batch's angles between a row and its own class (the mean of the two
    middle ones where B is even); B_avg is the mean over rows of the summed exp(scale * cosine) of
    all other classes. It is never below 1, and no gradient flows through it.

    Args:
        labels: (B,) or (B, 1) class ids in [0, N).
        cosines: (B, N) float32 cosines.
        scale: positive, the scale before.

    Returns:
        A float32 scalar.
    """
    return _updated(labels, cosines, scale, updates=1)


def adacos_logits(labels, cosines, adaptive: bool = False):
    """Cosines times AdaCos' fixed or adaptive scale.

    The paper keeps the adaptive scale from step to step: each batch's scale is eq. 15 of the one
    before, starting from the fixed scale. Here each batch (each replica's part of it) starts from
    the fixed scale and applies eq. 15 three times, so that there is no state to save, nor to share
    among devices, and a training that is resumed goes on as it was. The scale before enters eq. 15
    through log(B_avg) alone, which hardly depends on it, so that both stand near the same fixed
    point. Beside each other over 300 steps of a small training (1,000 classes, 64 dimensions) the
    two differed by 3 % at the first step, 0.2 % on average and 1.6 % at most after the third; with
    60 classes crowded into 16 dimensions by 14 %, 1.2 % and 6 %.

    The adaptive form holds one more tensor of the cosines' size than the other losses, until the
    scale is known.

    Args:
        labels: (B,) or (B, 1) class ids in [0, N); the fixed form does not read them.
        cosines: (B, N) float32 cosines, N at least 3.
        adaptive: whether to adapt the scale to the batch.

    Returns:
        (B, N) float32 logits.

    Raises:
        ValueError: fewer than 3 classes, cosines that are not (B, N) float32, or labels that are
            not class ids.
    """
    cosines = checked_scores(cosines)
    scale = fixed_scale(cosines.shape[1])
    if adaptive:
        scale = _updated(labels, cosines, scale, UPDATES)
    return scale * cosines


@keras.saving.register_keras_serializable(package="landmarks_tf")
class AdaCosLoss(CrossEntropyLoss):
    """Cross-entropy over `adacos_logits`.

    Args:
        adaptive: whether to adapt the scale to each batch; otherwise it is sqrt(2) * log(N - 1).
        name: the loss' name.
        **kwargs: `label_smoothing`, `dtype` and `reduction`, as `CrossEntropyLoss`.

    Call: labels (B,) in [0, N), cosines (B, N) -> one value per row, reduced by Keras. A label out
    of range gives NaN.

    Raises:
        ValueError: smoothing out of range, a dtype other than float32, or (when called) fewer than
            3 classes.
    """

    def __init__(self, adaptive: bool = False, name: str = "adacos", **kwargs):
        super().__init__(name=name, **kwargs)
        self.adaptive = bool(adaptive)

    def logits(self, labels, scores):
        return adacos_logits(labels, scores, self.adaptive)

    def check_own_alone(self) -> None:
        if self.adaptive:
            raise ValueError(
                "The adaptive scale of AdaCos reads all cosines of a batch at once. Set "
                "adaptive=False to compute it from the class centres."
            )

    def own_alone(self, ids, num_classes: int):
        return fixed_scale(num_classes), lambda own: (own, ops.ones_like(own))

    def get_config(self):
        return {**super().get_config(), "adaptive": self.adaptive}


def _updated(labels, cosines, scale, updates: int):
    cosines = ops.stop_gradient(checked_scores(cosines))
    ids, _ = class_ids(labels, ops.shape(cosines)[1])
    own = ops.arccos(ops.clip(scores_at(cosines, ids), -1.0, 1.0))
    angle = ops.minimum(_median(own), math.pi / 4)
    nearest = ops.max(with_scores_at(cosines, ids, ops.full_like(own, -math.inf)))
    rows = ops.log(ops.cast(ops.shape(cosines)[0], "float32"))
    for _ in range(updates):
        # Exponentials of differences from the largest, which neither overflow nor all vanish.
        powers = ops.exp(scale * cosines - scale * nearest)
        summed = ops.sum(with_scores_at(powers, ids, ops.zeros_like(own)))
        log_average = ops.log(summed) + scale * nearest - rows
        scale = ops.maximum(log_average / ops.cos(angle), _SMALLEST_SCALE)
    return scale


def _median(values):
    """Of (B,) values; the mean of the two middle ones where B is even."""
    values, count = ops.sort(values), ops.shape(values)[0]
    return (ops.take(values, (count - 1) // 2) + ops.take(values, count // 2)) / 2
