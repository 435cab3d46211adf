"""Supervised contrastive loss (Khosla et al., NeurIPS 2020, arXiv 2004.11362, eq. 2, L_out)."""

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


def supervised_contrastive_losses(labels, embeddings, *, temperature: float = 0.1):
    """-log softmax over all other rows of the batch, averaged over an anchor's positives.

    With z = cosine / temperature and the sums over the rows other than the anchor:
    mean over positives p of (log sum_a exp z_a - z_p). The paper has this mean outside of the
    logarithm ("L_out"), which it finds better than inside, and the temperature 0.1 (its program
    also multiplies by temperature / 0.07, which only changes the step).

    Args:
        labels: (B,) or (B, 1) class ids.
        embeddings: (B, D) float32 rows of any length.
        temperature: positive.

    Returns:
        (B,) float32, one value for each anchor, whose mean is the mean over the anchors that have a
        positive; of the others, for which the paper divides by zero, the value is 0. All NaN
        where a label is no class id.

    Raises:
        ValueError: a temperature out of range, or embeddings that are not (B, D) float32.
    """
    _check(temperature)
    scores = cosine_similarities(embeddings) / temperature
    positives, negatives, known = class_pairs(labels)
    normaliser = logsumexp_of(scores, ops.logical_or(positives, negatives))
    surprise = ops.where(positives, normaliser[:, None] - scores, 0.0)
    number = ops.sum(ops.cast(positives, "float32"), axis=1)
    losses = ops.sum(surprise, axis=1) / ops.maximum(number, 1.0)
    return nan_unless(known, rows_of_mean(losses, any_in_row(positives)))


@keras.saving.register_keras_serializable(package="landmarks_tf")
class SupervisedContrastiveLoss(Float32Loss):
    """`supervised_contrastive_losses` of the embeddings of a batch, for class-balanced batches.

    Args:
        temperature: positive.
        name: the loss' name.
        dtype: None or "float32".
        **kwargs: `reduction`, as every Keras loss.

    Call: labels (B,), embeddings (B, D) -> one value per row, reduced by Keras.

    Raises:
        ValueError: a temperature out of range, or a dtype other than float32.
    """

    def __init__(
        self, temperature: float = 0.1, name: str = "supervised_contrastive", dtype=None, **kwargs
    ):
        super().__init__(name=name, dtype=dtype, **kwargs)
        _check(temperature)
        self.temperature = float(temperature)

    def call(self, y_true, y_pred):
        return supervised_contrastive_losses(y_true, y_pred, temperature=self.temperature)

    def get_config(self):
        return {**super().get_config(), "temperature": self.temperature}


def _check(temperature: float) -> None:
    if not 0 < temperature < math.inf:
        raise ValueError(
            f"temperature must be positive and finite. Received: temperature={temperature}."
        )
