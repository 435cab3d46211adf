"""Labels as columns, and the one changed score of each row."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from landmarks_tf.losses import target_column
from tests import contracts


@pytest.mark.parametrize("dtype", ["uint8", "int32", "int64", "float32"])
def test_ids_of_every_dtype(dtype):
    ids, known = target_column.class_ids(np.array([0, 3, 4, 200], dtype), 4)
    assert np.asarray(ids).tolist() == [0, 3, 3, 3]
    assert np.asarray(known).tolist() == [True, True, False, False]


def test_what_is_no_class():
    labels = np.float32([-1, 0.5, np.nan, np.inf, -np.inf, 1e20, 2])
    ids, known = target_column.class_ids(labels, 3)
    assert np.asarray(known).tolist() == [False] * 6 + [True]
    assert ((np.asarray(ids) >= 0) & (np.asarray(ids) < 3)).all()
    # 2 ** 32 + 1 is class 1 to a cast.
    assert not np.asarray(target_column.class_ids(np.array([2**32 + 1]), 3)[1]).any()


def test_one_changed_score_a_row_and_its_slope():
    scores = tf.constant(np.float32([[1, 2, 3], [4, 5, 6], [7, 8, 9]]))
    ids, known = np.array([2, 0, 1]), np.array([True, True, False])
    with tf.GradientTape() as tape:
        tape.watch(scores)
        changed = target_column.with_changed(scores, ids, known, lambda own: (own**2, 2 * own))
        total = tf.reduce_sum(changed * [[1.0, 10.0, 100.0]])
    np.testing.assert_array_equal(changed, [[1, 2, 9], [16, 5, 6], [7, np.nan, 9]])
    np.testing.assert_array_equal(
        tape.gradient(total, scores), [[1, 10, 600], [8, 10, 100], [1, 160, 100]]
    )
    np.testing.assert_array_equal(target_column.scores_at(scores, ids), [3, 4, 8])


def test_refusals():
    ids, scores = target_column.class_ids, target_column.checked_scores
    contracts.check_refusals(
        {
            "labels of float16": lambda: ids(np.float16([1]), 3),
            "labels of shape (2, 3)": lambda: ids(np.zeros((2, 3), np.int32), 3),
            "labels of shape ()": lambda: ids(np.int32(1), 3),
            "float16 of shape (2, 3)": lambda: scores(np.zeros((2, 3), np.float16)),
            "float64 of shape (2, 3)": lambda: scores(np.zeros((2, 3))),
            "float32 of shape (3,)": lambda: scores(np.zeros(3, np.float32)),
        }
    )
