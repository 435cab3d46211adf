"""Batches from planned records: the plan's batches to the bit, read front to back.

What `dataset.make_dataset` gives from records by byte offset, this gives from records that
`planned_records.write` laid down in the plan's order: same pictures, same augmentation.
"""

from __future__ import annotations

import os

import numpy as np
import tensorflow as tf

from landmarks_tf.data import planned_records
from landmarks_tf.data.dataset import options
from landmarks_tf.data.preparation import Preparation
from landmarks_tf.records import RecordsError, parse_features
from landmarks_tf.records.places import RemotePath, place

# Front to back, large reads cost nothing but memory: this much for each stripe.
_READ_BYTES = 4 * 1024 * 1024


def make_planned_dataset(
    folder: str | os.PathLike | RemotePath,
    *,
    image_size: int,
    mode: str = "letterbox",
    augment: str = "none",
    seed: int = 0,
    start_step: int | None = None,
    num_steps: int | None = None,
    host: int = 0,
    hosts: int = 1,
) -> tf.data.Dataset:
    """Batches of prepared pictures and labels, in the order that was written.

    Args:
        folder: what `planned_records.write` wrote; may be a URL.
        image_size, mode, augment, seed: as for `dataset.make_dataset`.
        start_step: the plan's step to begin with; None for the first that was written.
        num_steps: how many steps to give; None for all that follow.
        host, hosts: this host and how many there are; each reads its own stripes, a contiguous run
            of whole groups of every batch.

    Returns:
        A dataset of (images (B, S, S, 3) uint8, labels (B,) int32), B being the host's share.
        Labels are -1 where the split has none.

    Raises:
        RecordsError: the folder holds no whole planned records.
        ValueError: steps that were not written, stripes that do not divide among the hosts, or what
            `dataset.make_dataset` refuses.
        tf.errors.OpError: while the dataset is read: a damaged or missing file.
    """
    preparation = Preparation(image_size, mode, augment, seed)
    planned = planned_records.load(folder)
    first, last = _range(planned, start_step, num_steps)
    own = _stripes_of(planned, host, hosts)
    share = planned.batch_size // hosts
    names, offsets = _files(place(folder), planned, first, own)
    serialized = tf.data.Dataset.from_tensor_slices((names, offsets)).interleave(
        _read_from,
        cycle_length=len(own),
        block_length=share // len(own),
        num_parallel_calls=len(own),
        deterministic=True,
    )

    def picture_and_label(record, number):
        # The number of the sample in the whole run, however many hosts share it.
        sample = (first + number // share) * planned.batch_size + host * share + number % share
        parsed = parse_features(record)
        picture = preparation.decode(parsed["encoded"], sample)
        return preparation.finish(picture, sample), tf.cast(parsed["label"], tf.int32)

    samples = (last - first) * share
    numbered = tf.data.Dataset.zip((serialized, tf.data.Dataset.range(samples)))
    dataset = numbered.map(picture_and_label, num_parallel_calls=tf.data.AUTOTUNE)
    dataset = dataset.batch(share, drop_remainder=True)
    dataset = dataset.apply(tf.data.experimental.assert_cardinality(last - first))
    return dataset.prefetch(2).with_options(options())


def _read_from(names: tf.Tensor, offsets: tf.Tensor) -> tf.data.Dataset:
    """The records of one stripe, part after part, each from its byte offset on."""
    return tf.data.experimental.from_variant(
        tf.raw_ops.TFRecordDatasetV2(
            filenames=names, compression_type="", buffer_size=_READ_BYTES, byte_offsets=offsets
        ),
        tf.TensorSpec((), tf.string),
    )


def _files(folder, planned: planned_records.PlannedRecords, first: int, own: range):
    """(stripes, parts) names and the byte offsets to begin at: 0 but in the first part."""
    # After the last step nothing is read, from whichever place.
    position = min(first - planned.first_step, planned.num_steps - 1)
    part, step = divmod(position, planned.steps_per_part)
    parts = range(part, planned.parts)
    names = [[str(folder / planned.file(number, stripe)) for number in parts] for stripe in own]
    offsets = np.zeros((len(own), len(parts)), np.int64)
    offsets[:, 0] = _offsets(folder, planned, part)[step, own]
    return names, offsets


def _offsets(folder, planned: planned_records.PlannedRecords, part: int) -> np.ndarray:
    path = folder / planned.offsets_file(part)
    try:
        with path.open("rb") as stream:
            offsets = np.load(stream, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise RecordsError(f"{path} cannot be read ({error}); write the records again") from None
    if offsets.shape != (len(planned.steps_of(part)), planned.stripes):
        raise RecordsError(f"{path} is of other planned records: it has shape {offsets.shape}")
    return offsets


def _range(planned, start_step: int | None, num_steps: int | None) -> tuple[int, int]:
    """First step and the one after the last."""
    low, high = planned.first_step, planned.first_step + planned.num_steps
    first = low if start_step is None else start_step
    last = high if num_steps is None else first + num_steps
    if not low <= first <= last <= high:
        raise ValueError(
            f"steps {first} to {last - 1} were asked for, {low} to {high - 1} were written"
        )
    return first, last


def _stripes_of(planned, host: int, hosts: int) -> range:
    if hosts < 1 or planned.stripes % hosts:
        raise ValueError(
            f"{planned.stripes} stripes do not divide evenly over {hosts} hosts; write the records "
            f"with a multiple of {hosts}"
        )
    if not 0 <= host < hosts:
        raise ValueError(f"host must be one of 0..{hosts - 1}, got {host}")
    each = planned.stripes // hosts
    return range(host * each, (host + 1) * each)
