"""Softmax cross-entropy over class ids, with label smoothing."""

from __future__ import annotations

import keras
from keras import ops

from landmarks_tf.losses.float32 import Float32Loss
from landmarks_tf.losses.target_column import (
    checked_scores,
    class_ids,
    nan_unless,
    scores_at,
    with_scores_at,
)


def cross_entropy_losses(labels, logits, label_smoothing: float = 0.0):
    """-sum_k q_k log softmax(logits)_k, with q = 1 - e + e/N for the row's class, else e/N.

    e is `label_smoothing` (Szegedy et al., "Rethinking the Inception Architecture", arXiv
    1512.00567, section 7).

    Hand-derived: logits (log 3, 0), label 0: log(4/3) = 0.287682; smoothed by 0.2 the other class
    has 0.1 of the target, and 0.1 * log 3 is added: 0.397543.

    Beyond the logits it holds one tensor of their size at a time, forward and backward; the
    gradient is written out and has no gradient of its own.

    Args:
        labels: (B,) or (B, 1) class ids in [0, N), integers or whole float32 numbers.
        logits: (B, N) float32.
        label_smoothing: in [0, 1).

    Returns:
        (B,) float32. A label outside [0, N) gives NaN on every backend (Keras' own gives 0 on JAX).

    Raises:
        ValueError: smoothing out of range, logits that are not (B, N) float32, or labels that are
            not class ids.
    """
    label_smoothing = checked_label_smoothing(label_smoothing)
    logits = checked_scores(logits)
    ids, known = class_ids(labels, ops.shape(logits)[1])

    @ops.custom_gradient
    def rows_of(logits):
        top = ops.max(logits, axis=1, keepdims=True)
        summed = ops.sum(ops.exp(logits - top), axis=1, keepdims=True)
        own = scores_at(logits, ids)
        rows = ops.squeeze(ops.log(summed), 1) - (own - ops.squeeze(top, 1))
        if label_smoothing:
            rows = rows + label_smoothing * (own - ops.mean(logits, axis=1))

        def gradient(*inputs, upstream=None):
            upstream = ops.expand_dims(inputs[0] if upstream is None else upstream, 1)
            by_class = ops.exp(logits - top) * (upstream / summed)
            if label_smoothing:
                by_class = by_class - upstream * (label_smoothing / logits.shape[1])
            own = scores_at(by_class, ids) - (1.0 - label_smoothing) * ops.squeeze(upstream, 1)
            return with_scores_at(by_class, ids, own)

        return rows, gradient

    return nan_unless(known, rows_of(logits))


@keras.saving.register_keras_serializable(package="landmarks_tf")
class CrossEntropyLoss(Float32Loss):
    """`cross_entropy_losses` of a network's logits.

    Args:
        label_smoothing: in [0, 1).
        name: the loss' name.
        dtype: None or "float32".
        **kwargs: `reduction`, as every Keras loss.

    Call: labels (B,) in [0, N), logits (B, N) -> one value per row, reduced by Keras. A label out
    of range gives NaN.

    Raises:
        ValueError: smoothing out of range, or a dtype other than float32.
    """

    def __init__(self, label_smoothing: float = 0.0, name: str = "cross_entropy", **kwargs):
        super().__init__(name=name, **kwargs)
        self.label_smoothing = checked_label_smoothing(label_smoothing)

    def logits(self, labels, scores):
        """(B, N) logits of what the network scores; margin losses replace this."""
        return scores

    def check_own_alone(self) -> None:
        """Refuse what `own_alone` cannot give.

        Raises:
            ValueError: the logits are no scaled cosines of which only each row's own is changed.
        """
        if type(self).own_alone is CrossEntropyLoss.own_alone:
            raise ValueError(
                f"The {self.name} loss reads logits; only a loss over cosines can be computed from "
                f"the class centres."
            )

    def own_alone(self, ids, num_classes: int):
        """What makes logits of cosines: their scale, and what becomes of each row's own cosine.

        Args:
            ids: (B,) int32 class ids in [0, N).
            num_classes: N.

        Returns:
            scale, and a function of (B,) own cosines that gives (B,) new ones and their
            derivatives by the old ones.
        """
        raise NotImplementedError

    def call(self, y_true, y_pred):
        return cross_entropy_losses(y_true, self.logits(y_true, y_pred), self.label_smoothing)

    def get_config(self):
        return {**super().get_config(), "label_smoothing": self.label_smoothing}


def checked_label_smoothing(label_smoothing: float) -> float:
    """The smoothed part of the target; refuses what lies outside [0, 1)."""
    if not 0 <= label_smoothing < 1:
        raise ValueError(
            f"label_smoothing is a part of the target in [0, 1). Received: "
            f"label_smoothing={label_smoothing}."
        )
    return float(label_smoothing)
