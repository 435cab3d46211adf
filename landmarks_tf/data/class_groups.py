"""The rows of a split by class, dealt K at a time from each class' own endless shuffle."""

from __future__ import annotations

import numpy as np

from landmarks_tf.data import cyclers


class ClassGroups:
    """Deals groups of K rows of one class; a pure function of (seed, class, visit).

    After m rows a class of n has given each of them m // n times or once more. A class of n < K
    gives every row K // n times and deals only the remainder; one of n >= K gives K different rows.

    Args:
        labels: (M,) class of each row; gaps in the numbering are fine.
        images_per_class: K, at least 1.
        seed: any whole number.

    Attributes:
        sizes: (C,) rows of each class; classes count from 0 in the order of their labels.
        images_per_class: K.

    Raises:
        ValueError: labels that are not whole numbers, none at all, or a row without one (-1).
    """

    def __init__(self, labels: np.ndarray, images_per_class: int, seed: int):
        labels = _checked(labels)
        self._rows = np.argsort(labels, kind="stable").astype(smallest_int(len(labels)))
        by_class = labels[self._rows]
        self._starts = np.flatnonzero(np.append(True, by_class[1:] != by_class[:-1]))
        self.sizes = np.diff(self._starts, append=len(labels))
        self.images_per_class = images_per_class
        self._seed = seed

    def deal(self, a_class: int, visit: int) -> np.ndarray:
        """The rows that `a_class` gives at its `visit`-th visit, (K,) whole numbers."""
        size, K = int(self.sizes[a_class]), self.images_per_class
        whole_lists, rest = divmod(K, size) if size < K else (0, K)
        parts = [
            cyclers.permutation(
                size, cyclers.key(self._seed, cyclers.WHOLE_LISTS, a_class, visit, number)
            )
            for number in range(whole_lists)
        ]
        if rest:
            a_key = cyclers.key(self._seed, cyclers.IMAGES, a_class)
            parts.append(cyclers.Cycler(size, rest, a_key).deal(visit))
        return self._rows[self._starts[a_class] + np.concatenate(parts)]

    def batch(self, classes: np.ndarray, visits: np.ndarray) -> np.ndarray:
        """A group of each class, one after the other: (P * K,) int64."""
        groups = [self.deal(int(c), int(v)) for c, v in zip(classes, visits, strict=True)]
        return np.concatenate(groups).astype(np.int64)

    def sums(self, values: np.ndarray) -> np.ndarray:
        """(M,) values of the rows -> (C,) their sums by class."""
        return np.add.reduceat(np.asarray(values)[self._rows], self._starts)


def smallest_int(count: int) -> type:
    """The type for row numbers below `count`."""
    return np.int32 if count < 2**31 else np.int64


def _checked(labels: np.ndarray) -> np.ndarray:
    labels = np.asarray(labels)
    if labels.ndim != 1 or not np.issubdtype(labels.dtype, np.integer) or not len(labels):
        raise ValueError(
            "class_balanced expects one whole-number label for each row, got an array of shape "
            f"{labels.shape} and type {labels.dtype}"
        )
    if labels.min() < 0:
        raise ValueError(
            f"{int((labels < 0).sum())} of {len(labels)} rows have no label (-1): "
            "class-balanced batches need a labelled split such as train, not index or test"
        )
    return labels
