"""Additive cosine margin softmax: CosFace (Wang et al., CVPR 2018, arXiv 1801.09414, eq. 4)."""

from __future__ import annotations

import keras
from keras import ops

from landmarks_tf.losses.cross_entropy import CrossEntropyLoss
from landmarks_tf.losses.margins import (
    checked_difference,
    checked_scale,
    margin_config,
    margin_from_config,
    margins_of,
)
from landmarks_tf.losses.target_column import checked_scores, class_ids, with_changed


def cosface_logits(labels, cosines, margin=0.35, scale: float = 64.0):
    """Scaled cosines with the margin subtracted from that of each row's own class.

    Hand-derived: cosine 0.5, margin 0.35, scale 64 gives 64 * 0.15 = 9.6.

    Args:
        labels: (B,) or (B, 1) class ids in [0, N), integers or whole float32 numbers.
        cosines: (B, N) float32 cosines.
        margin: a difference of cosines in [0, 2), no angle; one for all classes or (N,).
        scale: positive.

    Returns:
        (B, N) float32 logits. A row whose label lies outside [0, N) holds a NaN.

    Raises:
        ValueError: a margin or scale out of range, cosines that are not (B, N) float32, or labels
            that are not class ids.
    """
    margin, scale = checked_difference(margin), checked_scale(scale)
    cosines = checked_scores(cosines)
    num_classes = ops.shape(cosines)[1]
    ids, known = class_ids(labels, num_classes)
    margin = margins_of(margin, ids, num_classes)
    return scale * with_changed(cosines, ids, known, lambda own: (own - margin, ops.ones_like(own)))


@keras.saving.register_keras_serializable(package="landmarks_tf")
class CosFaceLoss(CrossEntropyLoss):
    """Cross-entropy over `cosface_logits`.

    Args:
        margin: a difference of cosines in [0, 2); one for all classes or (N,).
        scale: positive.
        name: the loss' name.
        **kwargs: `label_smoothing`, `dtype` and `reduction`, as `CrossEntropyLoss`.

    Call: labels (B,) in [0, N), cosines (B, N) -> one value per row, reduced by Keras. A label out
    of range gives NaN.

    Raises:
        ValueError: a margin or scale out of range, or a dtype other than float32.
    """

    def __init__(self, margin=0.35, scale: float = 64.0, name: str = "cosface", **kwargs):
        super().__init__(name=name, **kwargs)
        self.margin = checked_difference(margin)
        self.scale = checked_scale(scale)

    def logits(self, labels, scores):
        return cosface_logits(labels, scores, self.margin, self.scale)

    def own_alone(self, ids, num_classes: int):
        margin = margins_of(self.margin, ids, num_classes)
        return self.scale, lambda own: (own - margin, ops.ones_like(own))

    def get_config(self):
        own = {"margin": margin_config(self.margin), "scale": self.scale}
        return {**super().get_config(), **own}

    @classmethod
    def from_config(cls, config):
        return cls(**{**config, "margin": margin_from_config(config["margin"])})
