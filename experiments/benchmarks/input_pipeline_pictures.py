"""The pictures that input pipelines are measured on, in the three forms that they read.

Photographs are made as large as GLDv2's, longer side 1024 px and about 120 kB, and laid down as
DELF's records in random order, as records in blocks of one class (tensorflow-similarity's sampler
wants those), and as files in a folder for each class (Keras reads those).
"""

from __future__ import annotations

import io
import itertools
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image

from landmarks_tf import records

LONGER_SIDE_PX = 1024
TARGET_BYTES = 120_000
_SUFFIXES = (".jpg", ".jpeg", ".png")
_SHARDS = 8
# What a small picture lacks when it is enlarged; without it no quality gives 120 kB.
_GRAIN = 4.0


class NoPicturesError(ValueError):
    """There is nothing to measure on, and why."""


def make(folder: Path, source: Path | None, *, classes: int, images_per_class: int) -> None:
    """Write `records/`, `blocks/` and `files/` into a folder.

    Args:
        folder: where; made if it is not there.
        source: any folder of pictures, its subfolders included; None to render some.
        classes, images_per_class: how many; pictures are used again, each cut in its own way, when
            there are fewer.

    Raises:
        NoPicturesError: there are no pictures in `source`, or none could be rendered.
        OSError: a file cannot be read or written.
    """
    source = _rendered(folder / "rendered") if source is None else source
    paths = sorted(path for path in source.rglob("*") if path.suffix.lower() in _SUFFIXES)
    if not paths:
        raise NoPicturesError(f"there are no pictures ({', '.join(_SUFFIXES)}) in {source}")
    rng = np.random.default_rng(0)
    paths = [paths[i] for i in rng.permutation(len(paths))]
    quality = _quality(enlarged(path, 0) for path in paths[:12])
    encoded = []
    for number in range(classes * images_per_class):
        image = enlarged(paths[number % len(paths)], number // len(paths))
        encoded.append(_jpeg(image, quality))
    labels = np.repeat(np.arange(classes), images_per_class)
    _write_files(folder / "files", encoded, labels)
    _write_records(folder / "blocks", encoded, labels)
    order = rng.permutation(len(encoded))
    _write_records(folder / "records", [encoded[i] for i in order], labels[order])


def enlarged(path: Path, cut: int) -> Image.Image:
    """The picture with its longer side at 1024 px and some grain; `cut` tells copies apart."""
    with Image.open(path) as opened:
        image = opened.convert("RGB")
    width, height = image.size
    image = image.crop((cut, cut, max(width - cut, cut + 1), max(height - cut, cut + 1)))
    scale = LONGER_SIDE_PX / max(image.size)
    size = tuple(max(1, round(side * scale)) for side in image.size)
    pixels = np.asarray(image.resize(size, Image.Resampling.LANCZOS), np.float32)
    grain = np.random.default_rng(cut).normal(0, _GRAIN, (*pixels.shape[:2], 1))
    return Image.fromarray(np.clip(pixels + grain + 0.5, 0, 255).astype(np.uint8))


def mean_bytes(folder: Path) -> float:
    """Of the JPEGs that `make` wrote."""
    return float(np.mean([path.stat().st_size for path in (folder / "files").rglob("*.jpg")]))


def _jpeg(image: Image.Image, quality: int) -> bytes:
    stream = io.BytesIO()
    image.save(stream, "JPEG", quality=quality)
    return stream.getvalue()


def _quality(images: Iterator[Image.Image]) -> int:
    """The JPEG quality that brings these pictures nearest to 120 kB on average."""
    images = list(images)
    low, high = 30, 98
    while low < high:
        middle = (low + high) // 2
        if np.mean([len(_jpeg(image, middle)) for image in images]) < TARGET_BYTES:
            low = middle + 1
        else:
            high = middle
    return low


def _rendered(folder: Path) -> Path:
    command = [sys.executable, "-m", "tfrecords_tools", "demo", "--out", str(folder)]
    done = subprocess.run([*command, "--landmarks", "10", "--seed", "5"], check=False)
    if done.returncode:
        raise NoPicturesError(f"`{' '.join(command[1:])}` failed; its message stands above")
    return folder / "train"


def _write_files(folder: Path, encoded: list[bytes], labels: np.ndarray) -> None:
    for number, (content, label) in enumerate(zip(encoded, labels, strict=True)):
        path = folder / f"{label:05d}" / f"{number:06d}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


def _write_records(folder: Path, encoded: list[bytes], labels: np.ndarray) -> None:
    """Shards with manifest and side-car; in the order given, whole classes to a shard if sorted."""
    folder.mkdir(parents=True, exist_ok=True)
    bounds = [0, *(int(b) for b in np.linspace(0, len(encoded), _SHARDS + 1)[1:])]
    if (np.diff(labels) >= 0).all():
        bounds = [int(np.searchsorted(labels, labels[b])) if b < len(labels) else b for b in bounds]
    shard, offset, shards = [], [], []
    for number, (first, last) in enumerate(itertools.pairwise(bounds)):
        path = folder / records.shard_name("train", number, _SHARDS)
        with records.ShardWriter(path) as writer:
            for row in range(first, last):
                offset.append(writer.write(example(encoded[row], row, int(labels[row]))))
                shard.append(number)
        shards.append(
            records.ShardInfo(path.name, last - first, path.stat().st_size, "not hashed here")
        )
    ids = np.array([f"{row:016x}".encode() for row in range(len(encoded))])
    rows = records.index_rows(np.array(shard), np.array(offset), labels, ids)
    write_split(folder, rows, shards, num_classes=int(labels.max()) + 1)


def example(content: bytes, row: int, label: int) -> bytes:
    """One record."""
    with Image.open(io.BytesIO(content)) as image:
        width, height = image.size
    return records.encode_example(
        content, image_id=f"{row:016x}", height=height, width=width, label=label
    )


def write_split(folder: Path, rows: np.ndarray, shards: list, *, num_classes: int) -> None:
    """The files that make a folder of shards a split "train"."""
    label_map = folder / "relabeling.csv"
    label_map.write_text("new_label,old_label\n")
    records.Manifest(
        split="train",
        num_records=len(rows),
        num_classes=num_classes,
        shards=tuple(shards),
        index_file="train.index.npy",
        index_sha256=records.save_index(folder / "train.index.npy", rows),
        label_map_sha256=records.sha256_of_file(label_map),
        plan={"made_by": "experiments.benchmarks.input_pipeline"},
    ).save(folder)
