"""From a plan to batches: records read by byte offset inside the tf.data graph.

The plan is asked for the rows of a step in NumPy; from there on everything is TensorFlow's own
threads: one record is read at its offset, its checksums verified, decoded, augmented, resized.
Order and content depend on (plan, seed, step) alone, so `start_step=k` continues bit for bit where
a killed run stopped.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator

import numpy as np
import tensorflow as tf

from landmarks_tf.data.damaged_records import SUBSTITUTES, DamagedRecords
from landmarks_tf.data.preparation import Preparation
from landmarks_tf.data.sampling import Plan
from landmarks_tf.records import RecordIndex, RecordsError, parse_features

# One read brings in most JPEGs whole; larger buffers read what is thrown away.
_READ_BYTES = 64 * 1024
_MISMATCH = "label mismatch:"
_FOREVER = np.iinfo(np.int64).max


def make_dataset(
    index: RecordIndex,
    plan: Plan,
    *,
    image_size: int,
    mode: str = "letterbox",
    augment: str = "none",
    seed: int = 0,
    start_step: int = 0,
    num_steps: int | None = None,
    with_rows: bool = False,
    damaged: DamagedRecords | None = None,
    decoding: str = "whole",
) -> tf.data.Dataset:
    """Batches of prepared pictures and labels, in the plan's order.

    Args:
        index: the split's records.
        plan: which rows make up which step, over all rows of `index`.
        image_size: S, in pixels.
        mode: how a picture becomes a square, one of `image_ops.MODES`.
        augment: one of `augment.POLICIES`.
        seed: of the augmentation; the plan has its own.
        start_step: the first step to give.
        num_steps: how many steps to give; None for all that the plan has (without end, unless it
            is `evaluation_order`).
        with_rows: give the row numbers of `index` as well.
        damaged: None to stop at a record that cannot be read or decoded; else what replaces it by
            another of its class and counts it. Not for `evaluation_order`.
        decoding: one of `jpeg.DECODES`: the whole picture, only what a crop keeps, or that as small
            as will do.

    Returns:
        A dataset of (images (B, S, S, 3) uint8, labels (B,) int32), with `with_rows` also rows
        (B,) int64. Labels are -1 where the split has none. B is static unless the plan ends in a
        partial batch. Under a tf.distribute strategy, replica i gets the i-th contiguous part.

    Raises:
        ValueError: the plan is for another number of rows, an unknown mode or augmentation, an
            impossible image size, start_step or num_steps, or `damaged` with a plan that must give
            each row once.
        tf.errors.OpError: while the dataset is read: a damaged or missing shard, a record whose
            label is not the index'. Read it inside `clear_errors` for a readable message.
    """
    _check(index, plan, damaged)
    preparation = Preparation(image_size, mode, augment, seed, decoding)
    first, last = _range(plan, start_step, num_steps)
    shards = tf.constant(index.shards)

    def picture_and_label(shard, offset, label, row, sample):
        def read(shard, offset, label, row):
            record = parse_features(read_record(shards[shard], offset))
            picture = preparation.decode(record["encoded"], sample)
            return picture, tf.cast(record["label"], tf.int32), label, row

        read_one = read if damaged is None else damaged.first_readable(read)
        picture, found, label, row = read_one(shard, offset, label, row)
        return preparation.finish(picture, sample), found, label, row

    def checked(images, labels, expected, rows):
        with tf.control_dependencies([_check_labels(index.split, labels, expected, rows)]):
            images = tf.identity(images)
        return (images, labels, rows) if with_rows else (images, labels)

    steps = tf.data.Dataset.range(first, last)
    dataset = steps.map(lambda step: _rows_of(index, plan, step, damaged)).unbatch()
    dataset = dataset.map(picture_and_label, num_parallel_calls=tf.data.AUTOTUNE)
    dataset = dataset.batch(plan.batch_size, drop_remainder=plan.endless).map(checked)
    cardinality = tf.data.INFINITE_CARDINALITY if last == _FOREVER else last - first
    dataset = dataset.apply(tf.data.experimental.assert_cardinality(cardinality))
    # Two batches ahead are enough to bridge a slow one; more only take memory.
    return dataset.prefetch(2).with_options(options())


@contextlib.contextmanager
def clear_errors(index: RecordIndex) -> Iterator[None]:
    """Turns what TensorFlow raises while the split's batches are read into errors for people.

        with clear_errors(index):
            for images, labels in make_dataset(index, ...):

    Errors that do not come from reading the records pass unchanged.

    Raises:
        RecordsError: a shard is missing or damaged, a picture does not decode, or a record's label
            is not the one in the index; the message names the file and what to do.
    """
    try:
        yield
    except tf.errors.OpError as error:
        reason = _explain(index, error)
        if reason is None:
            raise
        raise RecordsError(
            f"{reason}; check the records with `python -m tfrecords_tools verify` and convert "
            f"split {index.split!r} again if it agrees"
        ) from error


def _explain(index: RecordIndex, error: tf.errors.OpError) -> str | None:
    """What is wrong with the records, or None if the error is about something else."""
    text = error.message
    if _MISMATCH in text:
        return text[text.index(_MISMATCH) :].split("]")[0]
    if isinstance(error, tf.errors.NotFoundError):
        missing = next((path for path in index.shards if _is_missing(path)), None)
        return None if missing is None else f"the shard {missing} is missing"
    damaged = re.search(r"(corrupted|truncated) record at (\d+)", text)
    if isinstance(error, tf.errors.DataLossError) and damaged:
        return f"{_locate(index, int(damaged[2]))} is {damaged[1]}: its checksum does not fit"
    if "Dataset was empty" in text:
        return (
            f"a shard of split {index.split!r} ends before a record that the index lists, or a "
            "damaged record has no substitute that can be read"
        )
    if re.search(r"Decode(Jpeg|Image)", text):
        return f"a picture of split {index.split!r} does not decode"
    return None


def _is_missing(path: str) -> bool:
    try:
        return not tf.io.gfile.exists(path)
    except tf.errors.OpError:
        return False  # the file system is gone, and its own message says more


def _locate(index: RecordIndex, offset: int) -> str:
    """Names the record that fails at a byte offset, which several shards may have.

    TensorFlow gives the offset of the frame or that of the record in it, 12 bytes further on.
    """
    for row in np.flatnonzero(np.isin(index.offset, (offset, offset - 12))):
        shard, start = index.shards[int(index.shard[row])], int(index.offset[row])
        try:
            read_record(tf.constant(shard), tf.constant(start, tf.int64))
        except tf.errors.OpError:
            return f"record {index.id[row].decode()} (byte {start} of {shard})"
    return f"a record at byte {offset} of a shard of split {index.split!r}"


def _rows_of(
    index: RecordIndex, plan: Plan, step: tf.Tensor, damaged: DamagedRecords | None
) -> tuple[tf.Tensor, ...]:
    """Shard, offset, label, row and sample number of each row of a step, (B,) each.

    With `damaged` all but the last are (B, A), the row itself and its substitutes.
    """

    def look_up(step: np.ndarray) -> tuple[np.ndarray, ...]:
        rows = plan.batch(int(step))
        rows = rows if damaged is None else damaged.candidates(rows)
        return (
            np.ascontiguousarray(index.shard[rows], np.int32),
            np.ascontiguousarray(index.offset[rows], np.int64),
            np.ascontiguousarray(index.label[rows], np.int32),
            rows,
            plan.samples(int(step)),
        )

    types = (tf.int32, tf.int64, tf.int32, tf.int64, tf.int64)
    columns = tf.numpy_function(look_up, [step], types)
    shape = (None,) if damaged is None else (None, 1 + SUBSTITUTES)
    shapes = [shape] * 4 + [(None,)]
    return tuple(tf.ensure_shape(*column) for column in zip(columns, shapes, strict=True))


def read_record(path: tf.Tensor, offset: tf.Tensor) -> tf.Tensor:
    """The record whose frame begins at byte `offset` of a shard, () string; checksums verified."""
    records = tf.data.experimental.from_variant(
        tf.raw_ops.TFRecordDatasetV2(
            filenames=[path], compression_type="", buffer_size=_READ_BYTES, byte_offsets=[offset]
        ),
        tf.TensorSpec((), tf.string),
    )
    return records.take(1).get_single_element()


def _check_labels(split: str, labels, expected, rows) -> tf.Operation:
    def complain() -> tf.Operation:
        first = tf.argmax(labels != expected)
        text = tf.strings.join(
            [
                f"{_MISMATCH} record ",
                tf.strings.as_string(rows[first]),
                f" of split {split} says class ",
                tf.strings.as_string(labels[first]),
                ", the index side-car says ",
                tf.strings.as_string(expected[first]),
            ]
        )
        return tf.debugging.Assert(False, [text])

    return tf.cond(tf.reduce_all(labels == expected), tf.no_op, complain)


def _check(index: RecordIndex, plan: Plan, damaged: DamagedRecords | None) -> None:
    if plan.num_rows != len(index):
        raise ValueError(
            f"the plan was made for {plan.num_rows} rows, split {index.split!r} has {len(index)}; "
            "make the plan from this index"
        )
    if damaged is not None and not plan.endless:
        raise ValueError(
            f"plan {plan.name!r} gives each row once, so a damaged record cannot be replaced by "
            "another; leave out `damaged`"
        )


def _range(plan: Plan, start_step: int, num_steps: int | None) -> tuple[int, int]:
    """First step and the one after the last."""
    for name, value in (("start_step", start_step), ("num_steps", num_steps)):
        if value is not None and (not isinstance(value, int | np.integer) or value < 0):
            raise ValueError(f"{name} must be a whole number of 0 or more, got {value!r}")
    end = _FOREVER if plan.endless else plan.steps_per_epoch
    last = end if num_steps is None else start_step + num_steps
    if start_step > end or last > end:
        raise ValueError(
            f"steps {start_step} to {last - 1} were asked for, the plan ends with step {end - 1}"
        )
    return int(start_step), int(last)


def options() -> tf.data.Options:
    """In order, and left whole by tf.distribute."""
    chosen = tf.data.Options()
    chosen.deterministic = True
    # The plan decides what each host reads; a strategy splits batches, never files.
    chosen.experimental_distribute.auto_shard_policy = tf.data.experimental.AutoShardPolicy.OFF
    return chosen
