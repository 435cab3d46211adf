"""Contrastive loss over the pairs of a batch (Hadsell, Chopra, LeCun, CVPR 2006, eq. 4)."""

from __future__ import annotations

import math

import keras
from keras import ops

from landmarks_tf.losses.distances import distances
from landmarks_tf.losses.float32 import Float32Loss
from landmarks_tf.losses.pairs import class_pairs, rows_of_mean
from landmarks_tf.losses.target_column import nan_unless

AVERAGES = ("all", "nonzero")


def contrastive_losses(labels, embeddings, *, margin: float = 1.0, average: str = "all"):
    """1/2 d^2 for two rows of one class, 1/2 max(0, margin - d)^2 for two of different classes.

    The paper adds up pairs that its user chooses. Here every pair of the batch takes part, and the
    means over positive and over negative pairs are added: of a batch of 48 x 5 rows, 4 pairs of an
    anchor are positive and 235 negative, and one mean over both would hear little of the first.

    Two rows of different classes at distance 0 cost 1/2 margin^2, but nothing moves them: there is
    no direction to move them in, and their gradient is 0.

    Hand-derived: rows at 0 and 0.6 of class 0 and at 1 of class 1, margin 1: positive
    0.6^2 / 2 = 0.18; negatives 0 and 0.6^2 / 2 = 0.18, mean 0.09; together 0.27.

    Args:
        labels: (B,) or (B, 1) class ids.
        embeddings: (B, D) float32; unit rows lie at 0..2 of each other.
        margin: positive, in the unit of the Euclidean distance.
        average: "all" counts every pair, "nonzero" only those whose loss is above 0.

    Returns:
        (B,) float32, whose mean is that sum of two means. A mean over no pair is 0. All NaN
        where a label is no class id.

    Raises:
        ValueError: a margin or average out of range, or embeddings that are not (B, D) float32.
    """
    _check(margin, average)
    positives, negatives, known = class_pairs(labels)
    together = 0.5 * distances(embeddings, "squared")
    inside = ops.maximum(margin - distances(embeddings, "euclidean"), 0.0)
    apart = 0.5 * ops.square(inside)
    if average == "nonzero":
        positives = ops.logical_and(positives, together > 0)
        negatives = ops.logical_and(negatives, apart > 0)
    rows = rows_of_mean(together, positives) + rows_of_mean(apart, negatives)
    return nan_unless(known, rows)


@keras.saving.register_keras_serializable(package="landmarks_tf")
class ContrastiveLoss(Float32Loss):
    """`contrastive_losses` of the embeddings of a batch, for class-balanced batches.

    Args:
        margin: positive.
        average: "all" or "nonzero".
        name: the loss' name.
        dtype: None or "float32".
        **kwargs: `reduction`, as every Keras loss.

    Call: labels (B,), embeddings (B, D) -> one value per row, reduced by Keras.

    Raises:
        ValueError: an argument out of range, or a dtype other than float32.
    """

    def __init__(
        self,
        margin: float = 1.0,
        average: str = "all",
        name: str = "contrastive",
        dtype=None,
        **kwargs,
    ):
        super().__init__(name=name, dtype=dtype, **kwargs)
        _check(margin, average)
        self.margin = float(margin)
        self.average = average

    def call(self, y_true, y_pred):
        return contrastive_losses(y_true, y_pred, margin=self.margin, average=self.average)

    def get_config(self):
        return {**super().get_config(), "margin": self.margin, "average": self.average}


def _check(margin: float, average: str) -> None:
    if not 0 < margin < math.inf:
        raise ValueError(f"margin must be positive and finite. Received: margin={margin}.")
    if average not in AVERAGES:
        raise ValueError(f"Expected average among {', '.join(AVERAGES)}. Received: {average!r}.")
