"""Margins and weights that the number of pictures of each class decides."""

from __future__ import annotations

import math

import numpy as np

from landmarks_tf.losses.margins import checked_angle


def dynamic_margins(
    class_sizes, low: float = 0.05, high: float = 0.5, power: float = 0.25
) -> np.ndarray:
    """A margin for each class, wider the fewer pictures it has.

    margin(n) = a * n ** -power + b, with a and b such that the largest class has the margin `low`
    and the smallest `high` (Ha et al., "Google Landmark Recognition 2020 Competition Third Place
    Solution", arXiv 2010.05350: n ** -1/4 onto 0.05..0.50). Where all classes are of one size
    there is no a; each has the mean of `low` and `high`.

    Hand-derived: sizes 1, 16 and 81 give 0.5, 0.05 + 0.45 / 4 = 0.1625 and 0.05.

    Args:
        class_sizes: (N,) pictures of each class, whole numbers of at least 1.
        low: radians, the margin of the largest class, in [0, high].
        high: radians, the margin of the smallest class, below pi/2.
        power: above 0; the larger, the nearer most classes come to `low`.

    Returns:
        (N,) float32, radians.

    Raises:
        ValueError: sizes that are no counts of pictures, or low, high or power out of range.
    """
    sizes = checked_class_sizes(class_sizes)
    low, high = checked_angle(low, "low"), checked_angle(high, "high")
    if low > high:
        raise ValueError(
            f"low is the margin of the largest class and may not be above high, that of the "
            f"smallest. Received: low={low}, high={high}."
        )
    if not 0 < power < math.inf:
        raise ValueError(f"power must be positive and finite. Received: power={power}.")
    raised = sizes ** -float(power)
    span = raised.max() - raised.min()
    if span == 0:
        return np.full(sizes.shape, (low + high) / 2, np.float32)
    return (low + (high - low) * (raised - raised.min()) / span).astype(np.float32)


def class_weights(class_sizes) -> np.ndarray:
    """1 / log(n + 1) for a class of n pictures: 1.4427 for one picture, 0.1086 for 10,000.

    1 / log(n), which the winners of the Google Landmark challenges weigh the cleaned training set
    by, is infinite for the single pictures of the whole one.

    Args:
        class_sizes: (N,) pictures of each class, whole numbers of at least 1.

    Returns:
        (N,) float32.

    Raises:
        ValueError: sizes that are no counts of pictures.
    """
    return (1.0 / np.log(checked_class_sizes(class_sizes) + 1.0)).astype(np.float32)


def checked_class_sizes(class_sizes) -> np.ndarray:
    """Class sizes as (N,) float64; refuses what are no counts of pictures."""
    sizes = np.asarray(class_sizes)
    if sizes.ndim != 1 or not len(sizes) or sizes.dtype.kind not in "iuf":
        raise ValueError(
            f"class_sizes are the numbers of pictures of N classes, an array of shape (N,). "
            f"Received: {sizes.dtype} of shape {sizes.shape}."
        )
    wrong = np.flatnonzero(~((sizes >= 1) & (sizes == np.floor(sizes)) & np.isfinite(sizes)))
    if len(wrong):
        raise ValueError(
            f"class_sizes are whole numbers of at least 1 picture. Received: "
            f"{sizes[wrong[0]]} for class {wrong[0]} ({len(wrong):,} such of {len(sizes):,} "
            f"classes)."
        )
    return sizes.astype(np.float64)
