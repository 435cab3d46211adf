"""The side-car of a split: where each record lies and what its label and id are.

`<split>.index.npy` is one structured NumPy array, 32 bytes a record, so that the 4.1 million rows
of GLDv2's train split are memory-mapped and read at random without parsing anything.
"""

from __future__ import annotations

import dataclasses
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from landmarks_tf.records.files import replacing, sha256_of_file
from landmarks_tf.records.manifest import Manifest, RecordsError
from landmarks_tf.records.places import RemotePath, num_bytes, place

# Asking a bucket for a shard's size takes tens of milliseconds, and GLDv2 has hundreds of shards.
_CALLS_AT_ONCE = 32

INDEX_DTYPE = np.dtype(
    [("shard", "<i4"), ("offset", "<i8"), ("label", "<i4"), ("id", "S16")], align=False
)


@dataclasses.dataclass(frozen=True, eq=False)
class RecordIndex:
    """Row i describes the i-th record of a split: shard order first, then place in the shard.

    Attributes:
        split: name of the split.
        shards: full paths of the shards.
        shard: (M,) int32, which of `shards` holds the record.
        offset: (M,) int64, byte offset of the record's TFRecord frame in that shard.
        label: (M,) int32, class 0..C-1, or -1 where the split has no labels.
        id: (M,) S16, the image's id.
        num_classes: C, or None for a split without labels.
    """

    split: str
    shards: tuple[str, ...]
    shard: np.ndarray
    offset: np.ndarray
    label: np.ndarray
    id: np.ndarray
    num_classes: int | None

    def __len__(self) -> int:
        return len(self.id)

    @classmethod
    def open(cls, folder: str | os.PathLike | RemotePath, split: str) -> RecordIndex:
        """Opens a split after checking that its manifest, side-car, label map and shards agree.

        The folder may be a URL of any file system that TensorFlow opens, such as
        "gs://bucket/records"; the side-car, 32 bytes a record, is then held in memory.
        Sizes, counts, offsets and the range of the labels are checked; the shards' contents are
        not read (that is what `python -m tfrecords_tools verify` does).

        Raises:
            RecordsError: the split is absent, unfinished, or its files contradict each other.
        """
        folder = place(folder)
        manifest = Manifest.load(folder, split)
        rows = _load_rows(folder / manifest.index_file, manifest)
        _check_shards(folder, manifest)
        _check_label_map(folder, manifest)
        _check_rows(rows, manifest, folder / manifest.index_file)
        return cls(
            split=split,
            shards=tuple(str(folder / shard.name) for shard in manifest.shards),
            shard=rows["shard"],
            offset=rows["offset"],
            label=rows["label"],
            id=rows["id"],
            num_classes=manifest.num_classes,
        )


def index_rows(
    shard: np.ndarray, offset: np.ndarray, label: np.ndarray, id: np.ndarray
) -> np.ndarray:
    """Packs four (M,) arrays into one (M,) array of `INDEX_DTYPE`."""
    rows = np.empty(len(id), INDEX_DTYPE)
    rows["shard"], rows["offset"], rows["label"], rows["id"] = shard, offset, label, id
    return rows


def save_index(path: str | os.PathLike, rows: np.ndarray) -> str:
    """Writes the side-car, wholly or not at all.

    Args:
        path: the `<split>.index.npy` to write.
        rows: (M,) array of `INDEX_DTYPE`.

    Returns:
        The SHA-256 of the written file.

    Raises:
        ValueError: another dtype.
        OSError: the file cannot be written.
    """
    if rows.dtype != INDEX_DTYPE:
        raise ValueError(f"index rows must be of dtype {INDEX_DTYPE}, got {rows.dtype}")
    with replacing(path) as temporary:
        with temporary.open("wb") as stream:
            np.save(stream, rows, allow_pickle=False)
        return sha256_of_file(temporary)


def _load_rows(path: Path | RemotePath, manifest: Manifest) -> np.ndarray:
    again = f"convert the split {manifest.split!r} again"
    try:
        if isinstance(path, RemotePath):
            rows = np.load(path.open(), allow_pickle=False)
        else:
            # An empty array cannot be memory-mapped.
            mode = "r" if manifest.num_records else None
            rows = np.load(path, mmap_mode=mode, allow_pickle=False)
    except FileNotFoundError:
        raise RecordsError(f"the index side-car {path} is missing: {again}") from None
    except (ValueError, EOFError, OSError) as error:
        raise RecordsError(f"the index side-car {path} cannot be read ({error}): {again}") from None
    if rows.dtype != INDEX_DTYPE or rows.ndim != 1:
        raise RecordsError(
            f"the index side-car {path} has dtype {rows.dtype} and shape {rows.shape}, "
            f"expected {INDEX_DTYPE} and one row a record: {again}"
        )
    if len(rows) != manifest.num_records:
        raise RecordsError(
            f"the index side-car {path} has {len(rows)} rows, the manifest says "
            f"{manifest.num_records} records: they are of different conversions; {again}"
        )
    return rows


def _check_shards(folder: Path | RemotePath, manifest: Manifest) -> None:
    paths = [folder / shard.name for shard in manifest.shards]
    with ThreadPoolExecutor(_CALLS_AT_ONCE) as pool:
        sizes = list(pool.map(_size_or_none, paths))
    for shard, path, size in zip(manifest.shards, paths, sizes, strict=True):
        if size is None:
            raise RecordsError(f"the shard {path} is missing, the manifest lists it")
        if size != shard.bytes:
            raise RecordsError(
                f"the shard {path} has {size} bytes, the manifest says {shard.bytes}: "
                "it is truncated or of another conversion"
            )


def _size_or_none(path: Path | RemotePath) -> int | None:
    try:
        return num_bytes(path)
    except FileNotFoundError:
        return None


def _check_label_map(folder: Path | RemotePath, manifest: Manifest) -> None:
    if manifest.label_map_sha256 is None:
        return
    path = folder / "relabeling.csv"
    if not path.is_file():
        raise RecordsError(f"the label map {path} is missing")
    if sha256_of_file(path) != manifest.label_map_sha256:
        raise RecordsError(
            f"the label map {path} is not the one that split {manifest.split!r} was written with: "
            "its labels would mean other landmarks"
        )


def _check_rows(rows: np.ndarray, manifest: Manifest, path: Path | RemotePath) -> None:
    counts = np.array([shard.records for shard in manifest.shards], np.int64)
    if not np.array_equal(rows["shard"], np.repeat(np.arange(len(counts)), counts)):
        raise RecordsError(
            f"the index side-car {path} spreads its rows over the shards in another way than the "
            "manifest: they are of different conversions"
        )
    sizes = np.array([shard.bytes for shard in manifest.shards], np.int64)
    first = np.flatnonzero(np.diff(rows["shard"], prepend=-1))
    steps = np.diff(rows["offset"], prepend=0)
    steps[first] = 1
    if (
        np.any(rows["offset"][first] != 0)
        or np.any(steps <= 0)
        or np.any(rows["offset"] >= sizes[rows["shard"]])
    ):
        raise RecordsError(f"the index side-car {path} has offsets that do not fit the shards")
    _check_labels(rows, manifest, path)


def _check_labels(rows: np.ndarray, manifest: Manifest, path: Path | RemotePath) -> None:
    labels = rows["label"]
    if not len(labels):
        return
    low, high = int(labels.min()), int(labels.max())
    if manifest.num_classes is None:
        if (low, high) != (-1, -1):
            raise RecordsError(
                f"the index side-car {path} has labels {low} to {high}, but split "
                f"{manifest.split!r} has none according to the manifest"
            )
    elif low < 0 or high >= manifest.num_classes:
        wrong = np.flatnonzero((labels < 0) | (labels >= manifest.num_classes))
        named = ", ".join(
            f"{rows['id'][row].decode(errors='replace')} (row {row}, label {labels[row]})"
            for row in wrong[:5]
        )
        raise RecordsError(
            f"the index side-car {path} has labels {low} to {high}, the manifest says "
            f"{manifest.num_classes} classes (labels 0 to {manifest.num_classes - 1}): "
            f"{named}{', ...' * (len(wrong) > 5)}"
        )
