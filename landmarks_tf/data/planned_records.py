"""Records rewritten in the order of a plan, for storage where every random read waits.

From a bucket or a network disk a record by byte offset costs a round trip, however small it is.
Here the batches of a plan are laid down as they will be read: batch after batch, each spread over a
number of files (stripes) that are read front to back at the same time. The guarantees are the
plan's own, P x K included, because the order is the plan's own. It takes disk space: an epoch of
GLDv2 clean is as large as the records, about 190 GB.

    planned_records.write(index, plan, "planned", num_steps=plan.steps_per_epoch)
    dataset = planned_dataset.make_planned_dataset("planned", image_size=224)

The folder holds parts of some steps each, `planned-<part>-of-<parts>-<stripe>`, the byte offsets of
every step in `planned-<part>.npy`, which is written when the part is whole, and `planned.json`,
written last. A killed run goes on with the first part that is not whole.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
from pathlib import Path

import numpy as np

from landmarks_tf.data.sampling import Plan
from landmarks_tf.records import RecordIndex, RecordsError, ShardWriter, replacing, write_text
from landmarks_tf.records.places import RemotePath, place

FORMAT_VERSION = 1
_MANIFEST = "planned.json"
_PARTS_OF_STEPS = 64


@dataclasses.dataclass(frozen=True)
class PlannedRecords:
    """What a folder of planned records holds.

    Attributes:
        plan: the plan's own description.
        source: the index that it is a plan of: split, number of rows, and a checksum of them.
        first_step, num_steps: which steps of the plan there are.
        batch_size: rows of a batch.
        group_size: rows that belong together.
        stripes: files that hold a batch together, in equal parts.
        steps_per_part: steps in the files of a part.
    """

    plan: dict
    source: dict
    first_step: int
    num_steps: int
    batch_size: int
    group_size: int
    stripes: int
    steps_per_part: int

    @property
    def parts(self) -> int:
        """How many parts there are."""
        return -(-self.num_steps // self.steps_per_part)

    def file(self, part: int, stripe: int) -> str:
        """The name of the records of one part and stripe."""
        return f"planned-{part:05d}-of-{self.parts:05d}-{stripe:03d}"

    def offsets_file(self, part: int) -> str:
        """The name of the part's (steps, stripes) int64 byte offsets."""
        return f"planned-{part:05d}.npy"

    def steps_of(self, part: int) -> range:
        """The plan's steps that are in a part."""
        first = self.first_step + part * self.steps_per_part
        last = min(first + self.steps_per_part, self.first_step + self.num_steps)
        return range(first, last)


def write(
    index: RecordIndex,
    plan: Plan,
    folder: str | os.PathLike,
    *,
    num_steps: int,
    first_step: int = 0,
    stripes: int = 16,
    progress: bool = False,
) -> PlannedRecords:
    """Copy the records of some steps of a plan, in its order.

    Args:
        index: the split's records; local or behind a URL.
        plan: over all rows of `index`.
        folder: a local folder, made if it is not there.
        num_steps: how many steps.
        first_step: the first of them.
        stripes: files that a batch is spread over; the groups of a batch divide by it. Hosts that
            share the batches later divide the stripes among themselves.
        progress: whether to show a bar.

    Raises:
        ValueError: the plan is for another number of rows, or the numbers do not fit each other.
        RecordsError: the folder holds other planned records.
        OSError: a file cannot be written.
        tf.errors.OpError: a record cannot be read; see `dataset.clear_errors`.
    """
    from tqdm import tqdm

    folder = Path(folder)
    planned = _described(index, plan, first_step, num_steps, stripes)
    folder.mkdir(parents=True, exist_ok=True)
    _claim(folder, planned)
    with tqdm(total=num_steps, desc="batches", unit="batch", disable=not progress) as bar:
        for part in range(planned.parts):
            if not (folder / planned.offsets_file(part)).exists():
                _write_part(index, plan, folder, planned, part)
            bar.update(len(planned.steps_of(part)))
    write_text(folder / _MANIFEST, _as_text(planned))
    (folder / f"unfinished-{_MANIFEST}").unlink(missing_ok=True)
    return planned


def load(folder: str | os.PathLike | RemotePath) -> PlannedRecords:
    """What a folder of planned records holds; it may be a URL.

    Raises:
        RecordsError: there are none, or not whole ones.
    """
    path = place(folder) / _MANIFEST
    try:
        return _from_text(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        unfinished = place(folder) / f"unfinished-{_MANIFEST}"
        why = "their writing was not finished; run it again" if unfinished.is_file() else "none"
        raise RecordsError(f"{folder} holds no planned records ({_MANIFEST}): {why}") from None
    except (UnicodeError, ValueError, TypeError) as error:
        raise RecordsError(f"{path} is not what this code writes ({error})") from None


def _described(
    index: RecordIndex, plan: Plan, first_step: int, num_steps: int, stripes: int
) -> PlannedRecords:
    if plan.num_rows != len(index):
        raise ValueError(
            f"the plan was made for {plan.num_rows} rows, split {index.split!r} has {len(index)}"
        )
    if not plan.endless:
        raise ValueError("a plan with a partial last batch cannot be spread over stripes")
    if num_steps < 1 or first_step < 0 or stripes < 1:
        raise ValueError(
            f"num_steps and stripes are 1 or more, first_step 0 or more; got {num_steps}, "
            f"{stripes} and {first_step}"
        )
    groups = plan.batch_size // plan.group_size
    if groups % stripes:
        raise ValueError(
            f"{groups} groups a batch do not divide evenly over {stripes} stripes; choose a "
            f"divisor of {groups}"
        )
    return PlannedRecords(
        plan=plan.describe(),
        source=_fingerprint(index),
        first_step=first_step,
        num_steps=num_steps,
        batch_size=plan.batch_size,
        group_size=plan.group_size,
        stripes=stripes,
        steps_per_part=_PARTS_OF_STEPS,
    )


def _fingerprint(index: RecordIndex) -> dict:
    import hashlib

    digest = hashlib.sha256()
    for column in (index.shard, index.offset, index.label, index.id):
        digest.update(np.ascontiguousarray(column).tobytes())
    return {"split": index.split, "num_rows": len(index), "rows_sha256": digest.hexdigest()}


def _claim(folder: Path, planned: PlannedRecords) -> None:
    """Say what is being written there, or refuse if it is something else."""
    for name in (_MANIFEST, f"unfinished-{_MANIFEST}"):
        path = folder / name
        if path.exists() and (found := _from_text(path.read_text())) != planned:
            other = [
                f"{field.name}: {getattr(found, field.name)!r} -> {getattr(planned, field.name)!r}"
                for field in dataclasses.fields(planned)
                if getattr(found, field.name) != getattr(planned, field.name)
            ]
            raise RecordsError(
                f"{folder} holds other planned records; write to another folder or remove it. "
                f"Differences: {'; '.join(other)}"
            )
    write_text(folder / f"unfinished-{_MANIFEST}", _as_text(planned))


def _write_part(
    index: RecordIndex, plan: Plan, folder: Path, planned: PlannedRecords, part: int
) -> None:
    steps, each = planned.steps_of(part), planned.batch_size // planned.stripes
    serialized = _records_of(index, plan, steps)
    offsets = np.empty((len(steps), planned.stripes), np.int64)
    with contextlib.ExitStack() as stack:
        writers = [
            stack.enter_context(ShardWriter(folder / planned.file(part, stripe)))
            for stripe in range(planned.stripes)
        ]
        for number in range(len(steps)):
            for stripe, writer in enumerate(writers):
                offsets[number, stripe] = writer.num_bytes
                for _ in range(each):
                    writer.write(next(serialized))
    with replacing(folder / planned.offsets_file(part)) as temporary, temporary.open("wb") as out:
        np.save(out, offsets, allow_pickle=False)


def _records_of(index: RecordIndex, plan: Plan, steps: range):
    """The serialised records of the plan's steps, in its order; many are read at once."""
    import tensorflow as tf

    from landmarks_tf.data.dataset import read_record

    rows = np.concatenate([plan.batch(step) for step in steps])
    shards = tf.constant(index.shards)
    columns = (
        np.ascontiguousarray(index.shard[rows], np.int32),
        np.ascontiguousarray(index.offset[rows], np.int64),
    )
    dataset = tf.data.Dataset.from_tensor_slices(columns).map(
        lambda shard, offset: read_record(shards[shard], offset),
        num_parallel_calls=tf.data.AUTOTUNE,
    )
    return dataset.as_numpy_iterator()


def _as_text(planned: PlannedRecords) -> str:
    content = {"format_version": FORMAT_VERSION, **dataclasses.asdict(planned)}
    return json.dumps(content, indent=1) + "\n"


def _from_text(text: str) -> PlannedRecords:
    content = json.loads(text)
    version = content.pop("format_version")
    if version != FORMAT_VERSION:
        raise ValueError(f"format_version {version!r}, this code reads {FORMAT_VERSION}")
    return PlannedRecords(**content)
