"""Generalised end-to-end loss (Wan et al., ICASSP 2018, arXiv 1710.10467)."""

from __future__ import annotations

import math

import keras
from keras import ops

from landmarks_tf.losses.float32 import Float32Loss
from landmarks_tf.losses.pairs import LOG_ZERO, class_ids
from landmarks_tf.losses.target_column import nan_unless

FORMS = ("softmax", "contrast")


def ge2e_losses(labels, similarities, *, form: str = "softmax", epsilon: float = 0.0):
    """How little each row resembles the centroid of its own class among those of a batch.

    - "softmax" (eq. 6): log(sum_k exp S_k + epsilon) - S_own, over all columns k.
    - "contrast" (eq. 7): 1 - sigmoid(S_own) + max over the other columns of sigmoid(S_k).

    With epsilon 1e-6 the softmax form is that of S1 (reproduction.md section 2.2), to rounding: it
    is computed without overflow here. The paper has no epsilon.

    Hand-derived: similarities (1, -0.527864), own column 0: log(e^1 + e^-0.527864) - 1 = 0.19639.

    Args:
        labels: (B,) or (B, 1) class ids, in P runs of K equal ones and each class in one run only,
            as class-balanced batches have them.
        similarities: (B, P) float32 from `GE2ESimilarity`: column k is the k-th run's centroid, so
            that row i's own column is i // K.
        form: "softmax" or "contrast".
        epsilon: not negative; of the softmax form alone.

    Returns:
        (B,) float32. All NaN where the labels are not in such runs: the centroids are then
        centroids of nothing, and the number would look like any other.

    Raises:
        ValueError: an unknown form, an epsilon out of range, or similarities that are not (B, P)
            float32 with at least 2 columns.
    """
    _check(form, epsilon)
    similarities = ops.convert_to_tensor(similarities)
    dtype, shape = keras.backend.standardize_dtype(similarities.dtype), similarities.shape
    if dtype != "float32" or len(shape) != 2 or shape[1] == 1:
        raise ValueError(
            f"GE2E needs float32 similarities of shape (B, P), to at least 2 classes of the batch. "
            f"Received: {dtype} of shape {tuple(shape)}."
        )
    batch, classes = ops.shape(similarities)[0], ops.shape(similarities)[1]
    run = _runs(batch, classes)
    own = ops.equal(run[:, None], ops.arange(classes, dtype="int32")[None, :])
    score = ops.sum(ops.where(own, similarities, 0.0), axis=1)
    if form == "softmax":
        total = ops.logsumexp(similarities, axis=1)
        if epsilon > 0:
            total = ops.logaddexp(total, ops.full_like(total, math.log(epsilon)))
        losses = total - score
    else:
        nearest = ops.max(ops.where(own, LOG_ZERO, similarities), axis=1)
        losses = 1.0 - ops.sigmoid(score) + ops.sigmoid(nearest)
    ids, known = class_ids(labels)
    return nan_unless(ops.logical_and(known, _in_runs(ids, run, classes)), losses)


def _runs(batch, classes):
    """(B,) the run that each row belongs to, 0..P-1."""
    return ops.arange(batch, dtype="int32") // ops.maximum(batch // classes, 1)


def _in_runs(ids, run, classes):
    """Whether rows share a label where they share a run, there alone, and all runs are equally
    long, of 2 rows or more."""
    same = ops.equal(ids[:, None], ids[None, :])
    as_runs = ops.all(ops.equal(same, ops.equal(run[:, None], run[None, :])))
    batch = ops.shape(ids)[0]
    size = batch // classes
    whole = ops.logical_and(ops.equal(size * classes, batch), ops.greater(size, 1))
    return ops.logical_and(as_runs, whole)


@keras.saving.register_keras_serializable(package="landmarks_tf")
class GE2ELoss(Float32Loss):
    """`ge2e_losses` over the similarities of a `GE2ESimilarity` layer, which holds w and b.

    Args:
        form: "softmax" or "contrast".
        epsilon: not negative; of the softmax form alone.
        name: the loss' name.
        dtype: None or "float32".
        **kwargs: `reduction`, as every Keras loss.

    Call: labels (B,) in P runs of K, similarities (B, P) -> one value per row, reduced by Keras.

    Raises:
        ValueError: an argument out of range, or a dtype other than float32.
    """

    def __init__(
        self,
        form: str = "softmax",
        epsilon: float = 0.0,
        name: str = "ge2e",
        dtype=None,
        **kwargs,
    ):
        super().__init__(name=name, dtype=dtype, **kwargs)
        _check(form, epsilon)
        self.form = form
        self.epsilon = float(epsilon)

    def call(self, y_true, y_pred):
        return ge2e_losses(y_true, y_pred, form=self.form, epsilon=self.epsilon)

    def get_config(self):
        return {**super().get_config(), "form": self.form, "epsilon": self.epsilon}


def _check(form: str, epsilon: float) -> None:
    if form not in FORMS:
        raise ValueError(f"Expected a form among {', '.join(FORMS)}. Received: {form!r}.")
    if not 0 <= epsilon < math.inf:
        raise ValueError(f"epsilon must be finite and not negative. Received: epsilon={epsilon}.")
    if epsilon and form != "softmax":
        raise ValueError(
            f"epsilon belongs to the softmax form. Received: epsilon={epsilon} with {form!r}."
        )
