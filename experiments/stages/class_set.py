"""The classes that a stage of a training knows: all of the records', or the larger ones."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from experiments.stages.context import Context
from landmarks_tf.records import RecordIndex


@dataclass(frozen=True, eq=False)
class ClassSet:
    """Some of the records' classes, numbered anew from 0 in their order.

    Attributes:
        kept: (C,) the records' numbers of these classes, rising.
        total: how many classes the records have.
    """

    kept: np.ndarray
    total: int

    @property
    def is_all(self) -> bool:
        return len(self.kept) == self.total

    def __eq__(self, other) -> bool:
        return isinstance(other, ClassSet) and np.array_equal(self.kept, other.kept)

    def __len__(self) -> int:
        return len(self.kept)

    def number_of(self) -> np.ndarray:
        """(total,) int32: the number of each of the records' classes, -1 for one left out."""
        numbers = np.full(self.total, -1, np.int32)
        numbers[self.kept] = np.arange(len(self.kept))
        return numbers

    def relabel(self, labels: np.ndarray) -> np.ndarray:
        """(M,) labels of the records -> (M,) int32 of this set, -1 for classes left out."""
        return self.number_of()[np.asarray(labels)]

    def rows_of(self, index: RecordIndex) -> RecordIndex:
        """The rows of these classes, still under the records' labels (the shards hold them)."""
        if self.is_all:
            return index
        rows = np.isin(index.label, self.kept)
        return replace(
            index,
            shard=index.shard[rows],
            offset=index.offset[rows],
            label=index.label[rows],
            id=index.id[rows],
        )


def class_set(context: Context, min_images_per_class: int | None) -> ClassSet:
    """The classes of at least so many training pictures, held-out ones included.

    Args:
        context: the run.
        min_images_per_class: None for all classes that the records have.

    Raises:
        ValueError: fewer than two classes have as many pictures.
    """
    total = context.num_classes
    if min_images_per_class is None:
        return ClassSet(np.arange(total), total)
    sizes = np.bincount(context.index_of("train").label, minlength=total)
    if context.has_split("validation"):
        sizes = sizes + np.bincount(context.index_of("validation").label, minlength=total)
    kept = np.flatnonzero(sizes >= min_images_per_class)
    if len(kept) < 2:
        raise ValueError(
            f"Training needs at least 2 classes. Received: data.min_images_per_class="
            f"{min_images_per_class}, which {len(kept)} of {total:,} classes have; the largest has "
            f"{sizes.max():,} pictures."
        )
    return ClassSet(kept, total)
