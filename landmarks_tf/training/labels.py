"""Labels that are no class, refused before the first step."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

_NAMED = 5


class LabelError(ValueError):
    """Pictures whose label is no class of the network."""


def check_labels(labels: np.ndarray, num_classes: int, ids: Sequence | None = None) -> None:
    """Refuse labels outside 0..num_classes-1, which a loss would answer with NaN or worse.

    Args:
        labels: (M,) whole numbers, one for each row of the training set.
        num_classes: C, how many classes the network's head has.
        ids: (M,) names of the pictures, text or bytes, for the message.

    Raises:
        LabelError: a label is out of range; the message names the first rows and their pictures.
        ValueError: the labels are no one-dimensional array of whole numbers.
    """
    labels = np.asarray(labels)
    if labels.ndim != 1 or labels.dtype.kind not in "iu":
        raise ValueError(
            f"Expected one whole number as label for each picture. Received: an array of shape "
            f"{labels.shape} and type {labels.dtype}."
        )
    if not len(labels) or (labels.min() >= 0 and labels.max() < num_classes):
        return
    wrong = np.flatnonzero((labels < 0) | (labels >= num_classes))
    named = ", ".join(_name(row, labels, ids) for row in wrong[:_NAMED])
    more = f" and {len(wrong) - _NAMED:,} more" * (len(wrong) > _NAMED)
    raise LabelError(
        f"{len(wrong):,} of {len(labels):,} training pictures have a label outside 0 to "
        f"{num_classes - 1}, which the network has no class for: {named}{more}. Number the labels "
        f"from 0 without gaps, as `python -m tfrecords_tools convert` does."
    )


def _name(row: int, labels: np.ndarray, ids: Sequence | None) -> str:
    if ids is None:
        return f"row {row} with label {labels[row]}"
    name = ids[row].decode(errors="replace") if isinstance(ids[row], bytes) else str(ids[row])
    return f"{name} (row {row}) with label {labels[row]}"
