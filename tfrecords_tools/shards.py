"""One worker, one shard: reads the images of a planned shard and writes what decodes."""

from __future__ import annotations

import array
import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from landmarks_tf.records import ShardWriter, encode_example_parts, shard_name
from tfrecords_tools.image_source import ImageSource
from tfrecords_tools.images import BadImageError, Reencoding
from tfrecords_tools.plan import SplitPlan
from tfrecords_tools.proof import prove_image, trust_image


class StoppedError(Exception):
    """The conversion is being stopped; the shard in hand is given up."""


class Stop(Protocol):
    """An event, of threads or of processes."""

    def is_set(self) -> bool: ...


@dataclasses.dataclass(frozen=True, eq=False)
class ShardTask:
    """All that a worker needs to write one shard; small, as it is sent to another process.

    Attributes:
        images: where the images are.
        out: the records folder.
        name: of the shard.
        first: the row of the plan that its first image has.
        ids: (n,) S16, in order.
        labels: (n,) int32; -1 where there are none.
        reencoding: None keeps all bytes as they are.
        verify_pixels: whether to prove that every image decodes.
        stamps: (n,) uint64, of the images that were proven before, 0 for the others; such an image
            is not proven again while its file has this stamp. None where nothing is known; only
            for `FolderImages`.
    """

    images: ImageSource
    out: Path
    name: str
    first: int
    ids: np.ndarray
    labels: np.ndarray
    reencoding: Reencoding | None = None
    verify_pixels: bool = True
    stamps: np.ndarray | None = None


def shard_task(
    images: ImageSource,
    out: Path,
    plan: SplitPlan,
    shard: int,
    reencoding: Reencoding | None = None,
    verify_pixels: bool = True,
    stamps: np.ndarray | None = None,
) -> ShardTask:
    """The task of writing shard number `shard` of a plan; `stamps` are of all its images."""
    first, end = int(plan.bounds[shard]), int(plan.bounds[shard + 1])
    return ShardTask(
        images,
        out,
        shard_name(plan.split, shard, plan.num_shards),
        first,
        plan.ids[first:end],
        plan.labels[first:end],
        reencoding,
        verify_pixels,
        None if stamps is None else stamps[first:end],
    )


def write_shard(task: ShardTask, *, stop: Stop, tick: Callable[[], None]) -> dict[str, Any]:
    """Writes one shard.

    Args:
        task: what to write.
        stop: once set, the shard is given up and nothing of it stays.
        tick: called after each image.

    Returns:
        a note: `name`, `bytes` and `sha256` of the file, `first` and `last` row of the plan,
        `skipped`: [row, reason] of those left out, `offsets`: (n,) int64 of the others, `checked`:
        how many were not proven because they had been before.

    Raises:
        StoppedError: `stop` was set.
        OSError: the shard cannot be written, or the source of the images went away.
    """
    offsets, skipped, checked = array.array("q"), [], 0
    with ShardWriter(task.out / task.name) as writer:
        for place in range(len(task.ids)):
            if stop.is_set():
                raise StoppedError
            try:
                data = task.images.image_bytes(task.ids[place])
                is_checked = _is_checked(task, place)
                record = _record(task, place, data, is_checked)
            except BadImageError as error:
                task.images.check_still_there()
                skipped.append([task.first + place, str(error)])
            else:
                offsets.append(writer.write(*record))
                checked += is_checked
            tick()
    return {
        "name": task.name,
        "bytes": writer.num_bytes,
        "sha256": writer.sha256,
        "first": task.first,
        "last": task.first + len(task.ids) - 1,
        "skipped": skipped,
        "offsets": np.array(offsets, np.int64),
        "checked": checked,
    }


def _is_checked(task: ShardTask, place: int) -> bool:
    """Whether an image was proven before; its bytes have to be read already."""
    stamp = 0 if task.stamps is None else int(task.stamps[place])
    return bool(stamp) and task.images.is_unchanged(task.ids[place], stamp)


def _record(task: ShardTask, place: int, data: bytes, is_checked: bool) -> list[bytes]:
    image_id, label = task.ids[place], int(task.labels[place])
    if task.reencoding is not None or (task.verify_pixels and not is_checked):
        image = prove_image(data, task.reencoding)
    else:
        image = trust_image(data)
    return encode_example_parts(
        image.data,
        image_id=image_id,
        height=image.height,
        width=image.width,
        label=None if label < 0 else label,
        image_format=image.format,
    )


def written_rows(note: dict[str, Any]) -> np.ndarray:
    """(n,) int64 rows of the plan that became the records of a shard, in order."""
    rows = np.arange(note["first"], note["last"] + 1)
    return np.setdiff1d(rows, [row for row, _ in note["skipped"]], assume_unique=True)
