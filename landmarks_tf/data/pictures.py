"""Single records as pictures of their own size: for galleries and for checking an export."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
import tensorflow as tf

from landmarks_tf.data import image_ops
from landmarks_tf.data.dataset import clear_errors, read_record
from landmarks_tf.records import RecordIndex, parse_features


def read_pictures(index: RecordIndex, rows: Iterable[int]) -> Iterator[np.ndarray]:
    """The pictures of some rows of a split, each (H, W, 3) uint8, in the order of `rows`.

    Raises:
        RecordsError: a shard is missing or damaged.
    """
    for row in rows:
        shard, offset = index.shards[int(index.shard[row])], int(index.offset[row])
        with clear_errors(index):
            serialized = read_record(tf.constant(shard), tf.constant(offset, tf.int64))
            picture = image_ops.decode(parse_features(serialized)["encoded"]).numpy()
        yield picture
