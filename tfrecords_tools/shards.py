"""One worker, one shard: reads the images of a planned shard and writes what decodes."""

from __future__ import annotations

import array
import dataclasses
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from landmarks_tf.records import ShardWriter, encode_example, sha256_of_file, shard_name
from tfrecords_tools.images import BadImageError, Reencoding, load_image
from tfrecords_tools.plan import SplitPlan
from tfrecords_tools.raw import RawFolder


class StoppedError(Exception):
    """The conversion is being stopped; the shard in hand is given up."""


@dataclasses.dataclass(frozen=True, eq=False)
class ShardTask:
    """What a worker needs to write one shard.

    Attributes:
        raw: where the images are.
        out: the records folder.
        plan: of the split; `shard` is a number of it.
        reencoding: None keeps all bytes as they are.
    """

    raw: RawFolder
    out: Path
    plan: SplitPlan
    shard: int
    reencoding: Reencoding | None = None

    @property
    def name(self) -> str:
        return shard_name(self.plan.split, self.shard, self.plan.num_shards)

    @property
    def rows(self) -> range:
        return range(int(self.plan.bounds[self.shard]), int(self.plan.bounds[self.shard + 1]))


def write_shard(
    task: ShardTask, *, stop: threading.Event, tick: Callable[[], None]
) -> dict[str, Any]:
    """Writes one shard.

    Args:
        task: what to write.
        stop: once set, the shard is given up and nothing of it stays.
        tick: called after each image.

    Returns:
        a note: `name`, `bytes` and `sha256` of the file, `first` and `last` row of the plan,
        `skipped`: [row, reason] of those left out, `offsets`: (n,) int64 of the others.

    Raises:
        StoppedError: `stop` was set.
        OSError: the shard cannot be written, or the images' folder went away.
    """
    offsets, skipped = array.array("q"), []
    with ShardWriter(task.out / task.name) as writer:
        for row in task.rows:
            if stop.is_set():
                raise StoppedError
            try:
                record = _record(task, row)
            except BadImageError as error:
                _check_folder_is_there(task.raw)
                skipped.append([row, str(error)])
            else:
                offsets.append(writer.write(record))
            tick()
    return {
        "name": task.name,
        "bytes": writer.num_bytes,
        "sha256": sha256_of_file(task.out / task.name),
        "first": task.rows.start,
        "last": task.rows.stop - 1,
        "skipped": skipped,
        "offsets": np.array(offsets, np.int64),
    }


def _record(task: ShardTask, row: int) -> bytes:
    image_id, label = task.plan.ids[row], int(task.plan.labels[row])
    image = load_image(task.raw.image_path(image_id), task.reencoding)
    return encode_example(
        image.data,
        image_id=image_id,
        height=image.height,
        width=image.width,
        label=None if label < 0 else label,
        image_format=image.format,
    )


def _check_folder_is_there(raw: RawFolder) -> None:
    """A disk that was unplugged is not a million missing images."""
    try:
        if any(raw.images.iterdir()):
            return
        reason = "it is empty"
    except OSError as error:
        reason = error.strerror
    raise OSError(f"the image folder {raw.images} went away during the conversion: {reason}")


def written_rows(note: dict[str, Any]) -> np.ndarray:
    """(n,) int64 rows of the plan that became the records of a shard, in order."""
    rows = np.arange(note["first"], note["last"] + 1)
    return np.setdiff1d(rows, [row for row, _ in note["skipped"]], assume_unique=True)
