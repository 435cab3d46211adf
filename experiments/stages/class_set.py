"""The classes that a stage of a training knows: all of its records', or the larger ones.

Two classes are one where their landmark ids are and, where both folders have a table of categories,
or neither, what it calls them: landmark 5 of GLDv1 is not landmark 5 of GLDv2.
"""

from __future__ import annotations

import csv
import hashlib
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from experiments.stages.context import Context
from landmarks_tf.records import RecordIndex

CATEGORIES = "train_label_to_category.csv"


@dataclass(frozen=True, eq=False)
class ClassSet:
    """Classes numbered from 0, and which of them the classes of a folder of records are.

    Attributes:
        numbers: (L,) int32: the number in this set of each of the records' classes, -1 for one that
            is not in it.
        keys: (C,) S16: what tells each class of this set from any other (`class_keys`).
    """

    numbers: np.ndarray
    keys: np.ndarray

    @classmethod
    def of(cls, kept: np.ndarray, keys: np.ndarray) -> ClassSet:
        """Some of the records' classes, numbered anew in their order.

        Args:
            kept: (C,) the records' numbers of these classes, rising.
            keys: (L,) the keys of all their classes.
        """
        numbers = np.full(len(keys), -1, np.int32)
        numbers[kept] = np.arange(len(kept))
        return cls(numbers, keys[kept])

    @property
    def total(self) -> int:
        """L: how many classes the records have."""
        return len(self.numbers)

    @property
    def kept(self) -> np.ndarray:
        """The records' own numbers of those of their classes that are in this set, rising."""
        return np.flatnonzero(self.numbers >= 0)

    @property
    def is_all(self) -> bool:
        """Whether the records' labels are the numbers of this set."""
        return len(self) == self.total and np.array_equal(self.numbers, np.arange(self.total))

    def __eq__(self, other) -> bool:
        """Whether the same classes have the same numbers, in whatever records."""
        return isinstance(other, ClassSet) and np.array_equal(self.keys, other.keys)

    def __len__(self) -> int:
        return len(self.keys)

    def seen_from(self, keys: np.ndarray) -> ClassSet:
        """The same classes, for the labels of other records, whose (L,) keys are given."""
        place = {key: number for number, key in enumerate(self.keys.tolist())}
        numbers = [place.get(key, -1) for key in keys.tolist()]
        return ClassSet(np.array(numbers, np.int32), self.keys)

    def relabel(self, labels: np.ndarray) -> np.ndarray:
        """(M,) labels of the records -> (M,) int32 of this set, -1 for classes left out."""
        return self.numbers[np.asarray(labels)]

    def rows_of(self, index: RecordIndex) -> RecordIndex:
        """The rows of these classes, still under the records' labels (the shards hold them)."""
        return index if self.is_all else rows_where(index, self.relabel(index.label) >= 0)


def class_set(context: Context, min_images_per_class: int | None) -> ClassSet:
    """The classes of at least so many training pictures, held-out ones included.

    Args:
        context: the run, on the records that are trained on.
        min_images_per_class: None for all classes that the records have.

    Raises:
        ValueError: fewer than two classes have as many pictures.
    """
    keys = class_keys(context)
    total = len(keys)
    if min_images_per_class is None:
        return ClassSet.of(np.arange(total), keys)
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
    return ClassSet.of(kept, keys)


def class_keys(context: Context) -> np.ndarray:
    """(L,) S16: a digest of landmark id and category, for each class of a folder of records."""
    count = context.num_classes
    if not (context.records / "relabeling.csv").is_file():
        return np.array([str(label).encode() for label in range(count)], "S16")
    landmarks, named = landmark_ids(context.records).tolist(), categories(context.metadata)
    texts = [f"{landmark} {named.get(landmark, '')}" for landmark in landmarks]
    return np.array([hashlib.sha256(t.encode()).hexdigest()[:16].encode() for t in texts], "S16")


def landmark_ids(records: Path) -> np.ndarray:
    """(L,) the data set's own landmark id of each class 0..L-1, from relabeling.csv."""
    with (records / "relabeling.csv").open(newline="", encoding="utf-8") as stream:
        pairs = {int(r["new_label"]): int(r["old_label"]) for r in csv.DictReader(stream)}
    return np.array([pairs[label] for label in range(len(pairs))], np.int64)


def categories(metadata: Path) -> dict[int, str]:
    """Training landmark id -> its category, byte for byte; {} where there is no table."""
    table = metadata / CATEGORIES
    if not table.is_file():
        return {}
    # The published table mixes encodings; as Latin-1 every byte is a character of its own.
    with table.open(newline="", encoding="latin-1") as stream:
        return {int(row["landmark_id"]): row["category"] for row in csv.DictReader(stream)}


def head_classes(context: Context) -> ClassSet | None:
    """What the trained network's head knows, for the run's own labels; None for just those.

    Args:
        context: the run after training.
    """
    if context.head_records is None:
        return None
    theirs = class_keys(context.on(context.head_records))
    return ClassSet.of(np.arange(len(theirs)), theirs).seen_from(class_keys(context))


def rows_where(index: RecordIndex, wanted: np.ndarray) -> RecordIndex:
    """The rows for which (M,) `wanted` is True."""
    return replace(
        index,
        shard=index.shard[wanted],
        offset=index.offset[wanted],
        label=index.label[wanted],
        id=index.id[wanted],
    )
