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

from tfrecords_tools.divide import large_classes, sampled_classes, train_rows
from tfrecords_tools.membership import is_in
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


def make_plan(
    listing: Listing,
    files: np.ndarray,
    options: ConvertOptions,
    *,
    clean: np.ndarray | None = None,
    validation: np.ndarray | None = None,
) -> Plan:
    """Plans a conversion.

    The CSVs decide which classes there are (`min_images_per_class` counts listed images), except
    that a class without a single file on disk gets no label: labels are 0..C-1 without a hole, by
    ascending landmark id. Images without a file are set aside before the validation split.

    Args:
        listing: what the CSVs list.
        files: (K,) S16, sorted ids of the files on disk.
        options: what is asked for.
        clean: (N,) bool, the listed images that a split one-per-class may take; None for all.
        validation: (N,) bool, the listed images that are split "validation"; None to split by the
            options.

    Raises:
        ValueError: nothing is left to convert.
    """
    ids, landmarks = listing.ids, listing.landmark_ids
    counts = dict(listing.counts)
    kept = np.ones(len(ids), bool)
    if landmarks is not None:
        kept = large_classes(landmarks, options.min_images_per_class)
        counts["classes_listed"] = len(np.unique(landmarks))
        if options.sample_classes is not None:
            kept[kept] = sampled_classes(landmarks[kept], options.sample_classes, options.seed)
        counts["classes_large_enough"] = len(np.unique(landmarks[kept]))
    found = is_in(ids, files)
    counts |= {
        "images_listed": int(kept.sum()),
        "images_found": int((kept & found).sum()),
        "files_not_listed": int((~is_in(files, listing.known)).sum()),
    }
    rows = np.flatnonzero(kept & found)
    if not len(rows):
        raise ValueError(_nothing_left(options, counts))
    if landmarks is None:
        classes, parts = None, {options.split: np.arange(len(rows))}
        labels = np.full(len(rows), -1, np.int32)
    else:
        classes, labels = np.unique(landmarks[rows], return_inverse=True)
        labels = labels.astype(np.int32)
        parts = train_rows(
            labels, options, ids[rows], *(m if m is None else m[rows] for m in (clean, validation))
        )
    common = {
        **{f"sha256_of_{name}": sha256 for name, sha256 in sorted(listing.sources.items())},
        **_content_options(options, listing),
        "images_listed": counts["images_listed"],
        "images_found": counts["images_found"],
        "classes": None if classes is None else len(classes),
    }
    splits = tuple(
        _split_plan(split, ids[rows[part]], labels[part], options.shards, common)
        for split, part in parts.items()
    )
    return Plan(splits, classes, ids[kept & ~found], counts)


def default_shards(num_images: int) -> int:
    """DELF's 128 shards, or fewer so that each holds at least 64 images."""
    return min(DELF_SHARDS, max(1, num_images // MIN_IMAGES_PER_SHARD))


def shard_bounds(num_images: int, num_shards: int) -> np.ndarray:
    """(num_shards + 1,) int64 boundaries of contiguous shards, as DELF computes them."""
    return np.linspace(0, num_images, num_shards + 1).astype(np.int64)


def sha256_of_ids(ids: np.ndarray) -> str:
    """Of the ids in ascending order, one a line: what `LC_ALL=C sort IDS | sha256sum` prints."""
    digest = hashlib.sha256()
    for part in np.array_split(np.sort(ids), max(1, len(ids) // 100_000)):
        digest.update(b"".join(image_id + b"\n" for image_id in part.tolist()))
    return digest.hexdigest()


def _split_plan(split, ids, labels, shards, common) -> SplitPlan:
    # More shards than images would be empty files that only slow a reader down.
    num_shards = min(shards or default_shards(len(ids)), len(ids))
    rows = hashlib.sha256(np.ascontiguousarray(ids).tobytes())
    rows.update(labels.astype("<i4").tobytes())
    parameters = {
        **common,
        "shards": num_shards,
        "records_planned": len(ids),
        "sha256_of_ids": sha256_of_ids(ids),
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
            "clean": options.images in (None, "clean") and "train_clean.csv" in listing.sources,
            "seed": options.seed,
            "min_images_per_class": options.min_images_per_class,
            "validation_fraction": options.validation_fraction,
            "validation_split": options.validation_split if options.has_validation else None,
        }
        # Named only where it is asked for: records that were written before it existed stay what
        # they are.
        if options.images == "c2x":
            content["subset"] = "c2x"
        if options.sample_classes is not None:
            content["sample_classes"] = options.sample_classes
    if not options.verify_pixels:
        content["verify_pixels"] = False
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
