"""Runs over classes: every row once, in order, the carry handed on."""

from __future__ import annotations

import numpy as np
import pytest
from keras import ops

from landmarks_tf.losses.class_chunks import over_chunks, rows_by_chunks


@pytest.mark.parametrize(("total", "size"), [(12, 12), (12, 4), (13, 4), (7, 5), (3, 1), (5, 2)])
def test_every_row_once(total, size):
    source = np.arange(2.0 * total, dtype=np.float32).reshape(total, 2)

    def add(first, count, carry):
        return carry * 2 + ops.sum(ops.slice(source, (first, 0), (count, 2)))

    def make(first, count, carry):
        rows = ops.slice(source, (first, 0), (count, 2))
        # Two rows for each, as sub-centres have it.
        return ops.reshape(ops.stack([rows, rows + carry], axis=1), (-1, 2)), carry + 100

    sums = [source[a : a + size].sum() for a in range(0, total, size)]
    expected = 0.0
    for one in sums:
        expected = expected * 2 + one
    np.testing.assert_allclose(over_chunks(total, size, add, ops.zeros(())), expected)
    rows, carry = rows_by_chunks(total, size, make, ops.zeros(()))
    assert float(carry) == 100 * len(sums)
    np.testing.assert_array_equal(rows[::2], source)
    runs = np.arange(total) // size
    np.testing.assert_array_equal(rows[1::2], source + 100 * runs[:, None])
