"""Circle loss on pairs (Sun et al., CVPR 2020, arXiv 2002.10857)."""

from __future__ import annotations

import math

import keras
from keras import ops

from landmarks_tf.losses.distances import cosine_similarities
from landmarks_tf.losses.float32 import Float32Loss
from landmarks_tf.losses.pairs import (
    any_in_row,
    class_pairs,
    logsumexp_of,
    rows_of_mean,
)
from landmarks_tf.losses.target_column import nan_unless


def circle_losses(labels, embeddings, *, margin: float = 0.4, scale: float = 80.0):
    """Every positive against every negative of an anchor, each weighed by how wrong it is (eq. 6).

        log(1 + sum_n exp(scale a_n (s_n - margin)) sum_p exp(-scale a_p (s_p - (1 - margin))))

    with s the cosines to the anchor, a_p = max(0, 1 + margin - s_p) and a_n = max(0, s_n + margin)
    (eq. 5 and 8). The weights a are constants for the gradient, as in the paper's eq. 10.

    Args:
        labels: (B,) or (B, 1) class ids.
        embeddings: (B, D) float32 rows of any length.
        margin: m, in (0, 1): negatives are pushed below it, positives above 1 - m. The paper has
            0.4 for retrieval with scale 80, and 0.25 with 256 for faces.
        scale: gamma, positive.

    Returns:
        (B,) float32, one value for each anchor, whose mean is the mean over the anchors that have
        both a positive and a negative; the others are 0. All NaN where a label is no class id.

    Raises:
        ValueError: a number out of range, or embeddings that are not (B, D) float32.
    """
    _check(margin, scale)
    cosines = cosine_similarities(embeddings)
    positives, negatives, known = class_pairs(labels)
    fixed = ops.stop_gradient(cosines)
    too_low = ops.maximum(1.0 + margin - fixed, 0.0)
    too_high = ops.maximum(fixed + margin, 0.0)
    positive_part = logsumexp_of(-scale * too_low * (cosines - (1.0 - margin)), positives)
    negative_part = logsumexp_of(scale * too_high * (cosines - margin), negatives)
    counted = ops.logical_and(any_in_row(positives), any_in_row(negatives))
    losses = ops.softplus(positive_part + negative_part)
    return nan_unless(known, rows_of_mean(losses, counted))


@keras.saving.register_keras_serializable(package="landmarks_tf")
class CircleLoss(Float32Loss):
    """`circle_losses` of the embeddings of a batch, for class-balanced batches.

    Args:
        margin: in (0, 1).
        scale: positive.
        name: the loss' name.
        dtype: None or "float32".
        **kwargs: `reduction`, as every Keras loss.

    Call: labels (B,), embeddings (B, D) -> one value per row, reduced by Keras.

    Raises:
        ValueError: an argument out of range, or a dtype other than float32.
    """

    def __init__(
        self, margin: float = 0.4, scale: float = 80.0, name: str = "circle", dtype=None, **kwargs
    ):
        super().__init__(name=name, dtype=dtype, **kwargs)
        _check(margin, scale)
        self.margin = float(margin)
        self.scale = float(scale)

    def call(self, y_true, y_pred):
        return circle_losses(y_true, y_pred, margin=self.margin, scale=self.scale)

    def get_config(self):
        return {**super().get_config(), "margin": self.margin, "scale": self.scale}


def _check(margin: float, scale: float) -> None:
    if not 0 < margin < 1:
        raise ValueError(f"margin is a cosine in (0, 1). Received: margin={margin}.")
    if not 0 < scale < math.inf:
        raise ValueError(f"scale must be positive and finite. Received: scale={scale}.")
