"""Going on past records that cannot be read: named, counted, replaced by others of their class.

A damaged record stops a training by default, for it says that the disk, the copy or the conversion
is not what it should be. Who wants to go on gives `make_dataset` a `DamagedRecords`: batches stay
full, groups keep their class, and which picture takes the place of which depends on nothing but
which records are damaged.
"""

from __future__ import annotations

import sys
import threading
from collections import Counter
from collections.abc import Callable

import numpy as np
import tensorflow as tf

from landmarks_tf.data.class_groups import smallest_int
from landmarks_tf.records import RecordIndex

SUBSTITUTES = 3


class DamagedRecords:
    """Finds substitutes for damaged records, and remembers which were damaged.

    Args:
        index: the split's records.
        quiet: whether to keep from naming each one on standard error when it is first met.

    Attributes:
        replaced: how often each damaged row was replaced so far.
    """

    def __init__(self, index: RecordIndex, *, quiet: bool = False):
        self.replaced: Counter[int] = Counter()
        self._index, self._quiet = index, quiet
        self._lock = threading.Lock()
        labels = np.asarray(index.label)
        order = np.argsort(labels, kind="stable").astype(smallest_int(len(labels)))
        starts = np.flatnonzero(np.diff(labels[order], prepend=labels[order[:1]] - 1))
        self._next = np.empty_like(order)
        self._next[order] = np.roll(order, -1)
        self._next[order[np.append(starts[1:], len(order)) - 1]] = order[starts]

    def candidates(self, rows: np.ndarray) -> np.ndarray:
        """(B,) rows -> (B, 1 + SUBSTITUTES): each with those that follow it in its class."""
        columns = [np.asarray(rows)]
        for _ in range(SUBSTITUTES):
            columns.append(self._next[columns[-1]])
        return np.stack(columns, axis=1).astype(np.int64)

    def first_readable(self, read: Callable) -> Callable:
        """`read` for one record, turned into one for candidates; both in the tf.data graph.

        Args:
            read: (shard (), offset (), label (), row ()) -> tensors, the last of them the row.

        Returns:
            The same of arrays (A,): what the first candidate that can be read gives. If none can,
            the pipeline stops.
        """

        def read_first(*columns):
            tries = tf.data.Dataset.from_tensor_slices(columns).map(read)
            found = tries.ignore_errors().take(1).get_single_element()
            asked, given = columns[-1][0], found[-1]
            noted = tf.cond(given == asked, lambda: True, lambda: self._note_in_graph(asked))
            with tf.control_dependencies([noted]):
                return (*found[:-1], tf.identity(given))

        return read_first

    def as_dict(self) -> dict[str, int]:
        """How often each damaged record was replaced, by its image's id."""
        with self._lock:
            rows = sorted(self.replaced.items())
        return {self._index.id[row].decode(errors="replace"): times for row, times in rows}

    def _note_in_graph(self, row: tf.Tensor) -> tf.Tensor:
        return tf.ensure_shape(tf.numpy_function(self._note, [row], tf.bool), ())

    def _note(self, row: np.ndarray) -> np.bool_:
        row = int(row)
        with self._lock:
            self.replaced[row] += 1
            first = self.replaced[row] == 1
        if first and not self._quiet:
            index = self._index
            print(
                f"note: record {index.id[row].decode(errors='replace')} (byte {index.offset[row]} "
                f"of {index.shards[int(index.shard[row])]}) cannot be read or decoded; another of "
                "its class takes its place",
                file=sys.stderr,
            )
        return np.True_
