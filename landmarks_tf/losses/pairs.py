"""Which rows of a batch belong together, and sums and means over some of its pairs.

Everything here has the shape of the whole batch: pairs are masked, never picked out, so that the
losses compile with static shapes.
"""

from __future__ import annotations

from keras import ops

from landmarks_tf.losses import target_column

# Stands for the logarithm of 0: its exponential is 0, and sums of two of them are still finite.
LOG_ZERO = -1e30

# Pairs of rows need no number of classes, so any id that int32 holds is one.
_ALL_CLASSES = 2**31 - 1


def class_ids(labels):
    """(B,) or (B, 1) labels as (B,) int32, and whether all of them are class ids.

    Raises:
        ValueError: labels of another shape, or in half precision.
    """
    ids, known = target_column.class_ids(labels, _ALL_CLASSES)
    return ids, ops.all(known)


def class_pairs(labels):
    """Which rows of the batch share a class.

    Two copies of one picture are two rows, hence a positive pair.

    Args:
        labels: (B,) or (B, 1) class ids, not negative.

    Returns:
        positives: (B, B) bool, other rows of the own class.
        negatives: (B, B) bool, rows of other classes.
        known: bool. Where it is false, some label is no class: that row is a false positive or a
            false negative of all the others, and the loss must be NaN (`nan_unless`).
    """
    ids, known = class_ids(labels)
    same = ops.equal(ids[:, None], ids[None, :])
    positions = ops.arange(ops.shape(ids)[0], dtype="int32")
    itself = ops.equal(positions[:, None], positions[None, :])
    positives = ops.logical_and(same, ops.logical_not(itself))
    return positives, ops.logical_not(same), known


def logsumexp_of(values, mask, axis: int = 1):
    """Logarithm of the summed exponentials of the masked values; `LOG_ZERO` of none of them."""
    return ops.logsumexp(ops.where(mask, values, LOG_ZERO), axis=axis)


def rows_of_mean(values, counted):
    """(B, ...) values -> (B,) rows whose mean is the mean over all values that are counted.

    Rows where nothing is counted are 0 and weigh nothing in that mean; where nothing is counted in
    the whole batch, all rows are 0.

    Args:
        values: (B, ...) float32.
        counted: bool, of the same shape.
    """
    rest = tuple(range(1, len(values.shape)))
    sums = ops.where(counted, values, 0.0)
    sums = ops.sum(sums, axis=rest) if rest else sums
    number = ops.sum(ops.cast(counted, "float32"))
    batch = ops.cast(ops.shape(values)[0], "float32")
    return sums * (batch / ops.maximum(number, 1.0))


def any_in_row(mask):
    """(B, B) bool -> (B,) bool."""
    return ops.any(mask, axis=1)
