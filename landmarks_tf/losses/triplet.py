"""Triplet loss: FaceNet (Schroff et al., CVPR 2015, arXiv 1503.03832) and "In Defense of the
Triplet Loss" (Hermans et al., 2017, arXiv 1703.07737)."""

from __future__ import annotations

import math

import keras
from keras import ops

from landmarks_tf.losses.distances import check_distance, distances
from landmarks_tf.losses.float32 import Float32Loss
from landmarks_tf.losses.pairs import (
    any_in_row,
    class_pairs,
    rows_of_mean,
)
from landmarks_tf.losses.target_column import nan_unless

MINING = ("all", "hard", "semi_hard")
AVERAGES = ("all", "nonzero")

# Farther than any row; the loss of a gap to it is 0.
_FAR = 1e30


def triplet_losses(
    labels,
    embeddings,
    *,
    margin: float | None = 0.2,
    mining: str = "semi_hard",
    distance: str = "squared",
    average: str = "all",
):
    """Of an anchor a, a positive p and a negative n: max(0, margin + d(a, p) - d(a, n)).

    Which triplets (a, p, n) of the batch count:

    - "all": every one. Holds a few (B, B, B) tensors: 55 MB each at B = 240.
    - "hard" (Hermans et al., eq. 5, batch hard): for each anchor, its farthest positive and its
      nearest negative.
    - "semi_hard" (FaceNet, section 3.2): for each anchor and positive, the nearest negative that is
      farther than the positive; where there is none, the farthest negative (FaceNet does not say;
      this is what TensorFlow Addons does).

    A negative that is as near as the positive is not semi-hard. Copies of one picture are rows like
    any other.

    Hand-derived: rows at 0 and 1 of class 0 and at 3 of class 1, Euclidean, margin 2.5, all:
    anchor 0 gives 2.5 + 1 - 3 = 0.5, anchor 1 gives 2.5 + 1 - 2 = 1.5, the third has no positive;
    the mean is 1.

    Args:
        labels: (B,) or (B, 1) class ids.
        embeddings: (B, D) float32.
        margin: not negative, in the unit of the distance; None for the soft margin
            log(1 + exp(d(a, p) - d(a, n))) of Hermans et al., which is never exactly 0.
        mining: one of `MINING`.
        distance: one of `distances.DISTANCES`. FaceNet has "squared" on unit rows; Hermans et al.
            have "euclidean" on rows of any length.
        average: "all" counts every triplet that the mining gives, "nonzero" only those whose loss
            is above 0 (Hermans et al., section 3.2; the mean no longer falls as fewer are left).

    Returns:
        (B,) float32, one value for each anchor, whose mean is the mean over the counted triplets:
        anchors without a positive or without a negative are 0 and do not weigh in it. All are 0
        where the batch has no triplet, and All NaN where a label is no class id.

    Raises:
        ValueError: a margin, mining, distance or average out of range, or embeddings that are not
            (B, D) float32.
    """
    _check(margin, mining, distance, average)
    apart = distances(embeddings, distance)
    positives, negatives, known = class_pairs(labels)
    gaps, valid = _GAPS[mining](apart, positives, negatives)
    if margin is None:
        losses = ops.softplus(gaps)
    else:
        losses = ops.maximum(gaps + margin, 0.0)
    if average == "nonzero":
        valid = ops.logical_and(valid, losses > 0)
    return nan_unless(known, rows_of_mean(losses, valid))


def _all_gaps(apart, positives, negatives):
    """d(a, p) - d(a, n) as (B, B, B), and which of them are triplets."""
    gaps = apart[:, :, None] - apart[:, None, :]
    return gaps, ops.logical_and(positives[:, :, None], negatives[:, None, :])


def _hard_gaps(apart, positives, negatives):
    """(B,): farthest positive minus nearest negative of each anchor."""
    farthest = ops.max(ops.where(positives, apart, -1.0), axis=1)
    nearest = ops.min(ops.where(negatives, apart, _FAR), axis=1)
    return farthest - nearest, ops.logical_and(any_in_row(positives), any_in_row(negatives))


def _semi_hard_gaps(apart, positives, negatives):
    """(B, B): d(a, p) minus the distance of the negative chosen for (a, p)."""
    chosen = _semi_hard_negatives(ops.stop_gradient(apart), positives, negatives)
    gaps = apart - ops.take_along_axis(apart, chosen, axis=1)
    return gaps, ops.logical_and(positives, any_in_row(negatives)[:, None])


def _semi_hard_negatives(apart, positives, negatives):
    """(B, B) column of the negative for each (anchor, column), by sorting: no (B, B, B) tensor.

    Along a row in ascending order, the number of negatives up to a positive is the place, among
    the sorted negatives, of the first one beyond it.
    """
    # Sorted by distance, negatives first among equals, because both sorts are stable.
    order = ops.argsort(ops.cast(ops.logical_not(negatives), "int32"), axis=1)
    by_distance = ops.argsort(ops.take_along_axis(apart, order, axis=1), axis=1)
    order = ops.take_along_axis(order, by_distance, axis=1)
    sorted_negatives = ops.cast(ops.take_along_axis(negatives, order, axis=1), "int32")
    up_to = ops.cumsum(sorted_negatives, axis=1)
    places = ops.argsort(order, axis=1)
    beyond = ops.take_along_axis(up_to, places, axis=1)
    count = ops.sum(sorted_negatives, axis=1, keepdims=True)
    beyond = ops.maximum(ops.minimum(beyond, count - 1), 0)
    # Columns of the negatives, nearest first; the others follow.
    nearest_first = ops.take_along_axis(order, ops.argsort(1 - sorted_negatives, axis=1), axis=1)
    return ops.take_along_axis(nearest_first, beyond, axis=1)


_GAPS = {"all": _all_gaps, "hard": _hard_gaps, "semi_hard": _semi_hard_gaps}


@keras.saving.register_keras_serializable(package="landmarks_tf")
class TripletLoss(Float32Loss):
    """`triplet_losses` of the embeddings of a batch, for class-balanced batches.

    Args:
        margin: not negative, or None for the soft margin.
        mining: "all", "hard" or "semi_hard".
        distance: "squared", "euclidean" or "cosine".
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
        margin: float | None = 0.2,
        mining: str = "semi_hard",
        distance: str = "squared",
        average: str = "all",
        name: str = "triplet",
        dtype=None,
        **kwargs,
    ):
        super().__init__(name=name, dtype=dtype, **kwargs)
        _check(margin, mining, distance, average)
        self.margin = None if margin is None else float(margin)
        self.mining = mining
        self.distance = distance
        self.average = average

    def call(self, y_true, y_pred):
        return triplet_losses(
            y_true,
            y_pred,
            margin=self.margin,
            mining=self.mining,
            distance=self.distance,
            average=self.average,
        )

    def get_config(self):
        return {
            **super().get_config(),
            "margin": self.margin,
            "mining": self.mining,
            "distance": self.distance,
            "average": self.average,
        }


def _check(margin: float | None, mining: str, distance: str, average: str) -> None:
    if margin is not None and not 0 <= margin < math.inf:
        raise ValueError(
            f"margin must be finite and not negative, or None for the soft margin. "
            f"Received: margin={margin}."
        )
    if mining not in MINING:
        raise ValueError(f"Expected mining among {', '.join(MINING)}. Received: {mining!r}.")
    if average not in AVERAGES:
        raise ValueError(f"Expected average among {', '.join(AVERAGES)}. Received: {average!r}.")
    check_distance(distance)
