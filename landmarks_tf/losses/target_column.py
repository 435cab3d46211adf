"""The one score of each row that a margin softmax changes: that of the row's own class."""

from __future__ import annotations

import math

import keras
from keras import ops


def checked_scores(scores):
    """Scores as a tensor; refuses what is not (B, N) float32."""
    scores = ops.convert_to_tensor(scores)
    dtype = keras.backend.standardize_dtype(scores.dtype)
    if dtype != "float32" or len(scores.shape) != 2:
        raise ValueError(
            f"A softmax loss needs float32 scores of shape (B, N); half precision cannot tell "
            f"angles near 0 apart. Received: {dtype} of shape {tuple(scores.shape)}."
        )
    return scores


def class_ids(labels, num_classes: int):
    """Labels as columns of (B, N) scores.

    Args:
        labels: (B,) or (B, 1) class ids, integers or whole float32 numbers.
        num_classes: N.

    Returns:
        ids: (B,) int32 in [0, N), a label out of that range moved into it.
        known: (B,) bool, False where that changed the label (NaN and 2.5 are no classes either).

    Raises:
        ValueError: labels of another shape, such as one-hot rows, or in half precision.
    """
    labels = ops.convert_to_tensor(labels)
    dtype, shape = keras.backend.standardize_dtype(labels.dtype), tuple(labels.shape)
    if dtype in ("float16", "bfloat16"):
        raise ValueError(
            f"Class ids past 256 (bfloat16) or 2048 (float16) are not themselves in half "
            f"precision. Pass integers or float32. Received: labels of {dtype}."
        )
    if len(shape) not in (1, 2) or (len(shape) == 2 and shape[1] not in (1, None)):
        raise ValueError(
            f"Expected class ids of shape (B,), not one-hot rows. Received: labels of shape "
            f"{shape}."
        )
    labels = ops.reshape(labels, (-1,))
    ids = ops.clip(ops.cast(labels, "int32"), 0, num_classes - 1)
    return ids, ops.equal(ops.cast(ids, labels.dtype), labels)


def scores_at(scores, ids):
    """(B, N) scores, (B,) columns -> (B,) the score of each row at its column."""
    return ops.squeeze(ops.take_along_axis(scores, ops.expand_dims(ids, 1), axis=1), 1)


def with_scores_at(scores, ids, values):
    """(B, N) scores with (B,) values in place of each row's own column."""
    rows = ops.arange(ops.shape(scores)[0], dtype="int32")
    return ops.scatter_update(scores, ops.stack([rows, ids], axis=1), values)


def with_changed(scores, ids, known, change):
    """(B, N) scores, each row's own one changed, or NaN where its label is no class.

    The gradient by the scores is written out: TensorFlow's own would hold three more tensors of
    their size, zeros all but for one column. It has no gradient of its own.

    Args:
        scores: (B, N) float32.
        ids: (B,) the column of each row's own class.
        known: (B,) bool, as `class_ids` gives it.
        change: (B,) own scores -> ((B,) new ones, (B,) their derivatives by the old ones).
    """

    @ops.custom_gradient
    def changed(scores):
        values, slopes = change(scores_at(scores, ids))

        def gradient(*inputs, upstream=None):
            upstream = inputs[0] if upstream is None else upstream
            return with_scores_at(upstream, ids, slopes * scores_at(upstream, ids))

        return with_scores_at(scores, ids, nan_unless(known, values)), gradient

    return changed(scores)


def nan_unless(known, values):
    """(B,) values, NaN where a row's label is no class: no loss over it is a plausible number."""
    return ops.where(known, values, math.nan)
