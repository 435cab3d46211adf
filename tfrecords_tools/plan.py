"""From the images of a split to shards: a pure, seeded plan made before anything is written.

Which class gets which label, which image goes to validation, in which order and shard the images
lie: all of it follows from the listing and the options, and nothing from the machine, the number
of workers or the time. Everything is an array; 4.1 million images take about 100 MB.
"""

from __future__ import annotations

import dataclasses
import hashlib
from typing import Any

import numpy as np
import PIL
from numpy.random import MT19937, RandomState, SeedSequence

from tfrecords_tools.options import DELF_SHARDS, MIN_IMAGES_PER_SHARD, ConvertOptions
from tfrecords_tools.raw import Listing


@dataclasses.dataclass(frozen=True, eq=False)
class SplitPlan:
    """The records of one split before any image is read.

    Attributes:
        split: name of the split.
        ids: (N,) S16, in the order of the records.
        labels: (N,) int32, classes 0..C-1, or -1 throughout.
        bounds: (S + 1,) int64: shard i holds rows bounds[i] to bounds[i + 1] - 1.
        parameters: everything that decided this plan, as JSON values.
    """

    split: str
    ids: np.ndarray
    labels: np.ndarray
    bounds: np.ndarray
    parameters: dict[str, Any]

    @property
    def num_shards(self) -> int:
        return len(self.bounds) - 1


@dataclasses.dataclass(frozen=True, eq=False)
class Plan:
    """What one call of `convert` writes.

    Attributes:
        splits: one plan, or two for train with validation (validation first: the manifest of
            train, written last, marks the whole of it as done).
        classes: (C,) int64, published landmark id of each label; None for index and test.
        absent: ids that are listed and have no file, (A,) S16.
        counts: what the source held, by name.
    """

    splits: tuple[SplitPlan, ...]
    classes: np.ndarray | None
    absent: np.ndarray
    counts: dict[str, int]


def make_plan(listing: Listing, files: np.ndarray, options: ConvertOptions) -> Plan:
    """Plans a conversion.

    The CSVs decide which classes there are (`min_images_per_class` counts listed images), except
    that a class without a single file on disk gets no label: labels are 0..C-1 without a hole, by
    ascending landmark id. Images without a file are set aside before the validation split.

    Args:
        listing: what the CSVs list.
        files: (K,) S16, sorted ids of the files on disk.
        options: what is asked for.

    Raises:
        ValueError: nothing is left to convert.
    """
    ids, landmarks = listing.ids, listing.landmark_ids
    counts = dict(listing.counts)
    if landmarks is not None:
        keep = large_classes(landmarks, options.min_images_per_class)
        counts["classes_listed"] = len(np.unique(landmarks))
        counts["classes_large_enough"] = len(np.unique(landmarks[keep]))
        ids, landmarks = ids[keep], landmarks[keep]
    present = np.isin(ids, files)
    counts |= {
        "images_listed": len(ids),
        "images_found": int(present.sum()),
        "files_not_listed": int((~np.isin(files, listing.known)).sum()),
    }
    absent, ids = ids[~present], ids[present]
    if not len(ids):
        raise ValueError(_nothing_left(options, counts))
    if landmarks is None:
        classes, parts = None, {options.split: np.arange(len(ids))}
        labels = np.full(len(ids), -1, np.int32)
    else:
        classes, labels = np.unique(landmarks[present], return_inverse=True)
        labels = labels.astype(np.int32)
        parts = train_rows(labels, options)
    common = {
        **{f"sha256_of_{name}": sha256 for name, sha256 in sorted(listing.sources.items())},
        **_content_options(options, listing),
        "images_listed": counts["images_listed"],
        "images_found": counts["images_found"],
        "classes": None if classes is None else len(classes),
    }
    splits = tuple(
        _split_plan(split, ids[rows], labels[rows], options.shards, common)
        for split, rows in parts.items()
    )
    return Plan(splits, classes, absent, counts)


def train_rows(labels: np.ndarray, options: ConvertOptions) -> dict[str, np.ndarray]:
    """Rows of split "validation" (only with a fraction above 0) and of split "train", shuffled."""
    generator = RandomState(MT19937(SeedSequence(options.seed)))
    if options.validation_fraction == 0:
        return {"train": shuffled(np.arange(len(labels)), generator)}
    if options.validation_split == "random":
        # Seeded as np.random.seed does it, which is what the recipe with this split used.
        generator = RandomState(options.seed)
        validation, train = split_at_random(len(labels), options.validation_fraction, generator)
    else:
        validation, train = split_per_class(labels, options.validation_fraction, generator)
    if not len(validation) or not len(train):
        raise ValueError(
            f"validation_fraction {options.validation_fraction} of {len(labels)} image(s) leaves "
            f"{len(train)} for training and {len(validation)} for validation: both need some"
        )
    return {
        "validation": shuffled(validation, generator),
        "train": shuffled(train, generator),
    }


def split_per_class(
    labels: np.ndarray, fraction: float, generator: RandomState
) -> tuple[np.ndarray, np.ndarray]:
    """DELF's split: of each class max(1, int(fraction * n)) images, drawn at random, validate.

    Classes come in the order of their first image. Unlike DELF, a class of one image stays in
    train, where it can be learned, instead of being in validation alone.

    Returns:
        rows of validation and rows of train, class after class.
    """
    by_class = np.argsort(labels, kind="stable")
    starts = np.flatnonzero(np.diff(labels[by_class], prepend=-1))
    groups = np.split(by_class, starts[1:])
    validation, train = [], []
    for group in sorted(groups, key=lambda rows: rows[0]):
        size = len(group)
        held_out = min(size - 1, max(1, int(fraction * size)))
        group = shuffled(group, generator)
        validation.append(group[:held_out])
        train.append(group[held_out:])
    return np.concatenate(validation), np.concatenate(train)


def split_at_random(
    num_images: int, fraction: float, generator: RandomState
) -> tuple[np.ndarray, np.ndarray]:
    """The first int(fraction * n) of the shuffled images validate, whatever their classes."""
    rows = shuffled(np.arange(num_images), generator)
    held_out = int(fraction * num_images)
    return rows[:held_out], rows[held_out:]


def shuffled(rows: np.ndarray, generator: RandomState) -> np.ndarray:
    """A shuffled copy of `rows`."""
    rows = rows.copy()
    generator.shuffle(rows)
    return rows


def large_classes(landmarks: np.ndarray, min_images: int) -> np.ndarray:
    """(N,) bool: whether each row's landmark has at least `min_images` rows."""
    _, which, sizes = np.unique(landmarks, return_inverse=True, return_counts=True)
    return sizes[which] >= min_images


def default_shards(num_images: int) -> int:
    """DELF's 128 shards, or fewer so that each holds at least 64 images."""
    return min(DELF_SHARDS, max(1, num_images // MIN_IMAGES_PER_SHARD))


def shard_bounds(num_images: int, num_shards: int) -> np.ndarray:
    """(num_shards + 1,) int64 boundaries of contiguous shards, as DELF computes them."""
    return np.linspace(0, num_images, num_shards + 1).astype(np.int64)


def _split_plan(split, ids, labels, shards, common) -> SplitPlan:
    # More shards than images would be empty files that only slow a reader down.
    num_shards = min(shards or default_shards(len(ids)), len(ids))
    rows = hashlib.sha256(np.ascontiguousarray(ids).tobytes())
    rows.update(labels.astype("<i4").tobytes())
    parameters = {
        **common,
        "shards": num_shards,
        "records_planned": len(ids),
        "sha256_of_ids_and_labels": rows.hexdigest(),
    }
    return SplitPlan(split, ids, labels, shard_bounds(len(ids), num_shards), parameters)


def _content_options(options: ConvertOptions, listing: Listing) -> dict[str, Any]:
    content: dict[str, Any] = {
        "reencode_short_side": options.reencode_short_side,
        "jpeg_quality": options.quality,
    }
    if options.reencode_short_side is not None:
        # Another version may write other bytes for the same pixels.
        content["encoder"] = f"Pillow {PIL.__version__}"
    if options.split == "train":
        content |= {
            "clean": "train_clean.csv" in listing.sources,
            "seed": options.seed,
            "min_images_per_class": options.min_images_per_class,
            "validation_fraction": options.validation_fraction,
            "validation_split": options.validation_split if options.validation_fraction else None,
        }
    return content


def _nothing_left(options: ConvertOptions, counts: dict[str, int]) -> str:
    if options.split == "train" and not counts["images_listed"]:
        return (
            f"no class has {options.min_images_per_class} images: --min-images-per-class leaves "
            f"none of the {counts['classes_listed']} classes listed"
        )
    return (
        f"none of the {counts['images_listed']} images listed for split {options.split!r} has a "
        f"file {options.split}/a/b/c/<id>.jpg: download and extract the images first"
    )
