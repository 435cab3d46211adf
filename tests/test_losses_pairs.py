"""Pairs of a batch by their labels, and sums and means over masked pairs."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from landmarks_tf.losses import pairs


@settings(max_examples=60, deadline=None)
@given(st.lists(st.sampled_from([0, 1, 257, 203_093, 16_777_216]), min_size=1, max_size=8))
def test_pairs_equal_plain_loops(labels):
    count = range(len(labels))
    positives, negatives, known = pairs.class_pairs(np.float32(labels))
    assert np.asarray(positives).tolist() == [
        [i != j and labels[i] == labels[j] for j in count] for i in count
    ]
    assert np.asarray(negatives).tolist() == [
        [labels[i] != labels[j] for j in count] for i in count
    ]
    assert bool(known)


@pytest.mark.parametrize("label", [-1, float("nan"), 0.5])
def test_a_label_that_is_no_class_is_told(label):
    assert not bool(pairs.class_pairs(np.float32([3, label, 3]))[2])


def test_the_mean_counts_what_is_masked_in():
    values = np.float32([[1, 2, 4], [8, 16, 32], [64, 128, 256]])
    counted = np.array([[1, 0, 1], [0, 0, 0], [0, 1, 0]], bool)
    rows = np.asarray(pairs.rows_of_mean(values, counted))
    np.testing.assert_allclose(rows.mean(), (1 + 4 + 128) / 3, rtol=1e-6)
    np.testing.assert_allclose(rows, [5, 0, 128], rtol=1e-6)  # times 3 rows / 3 counted
    one_number_a_row = np.asarray(pairs.rows_of_mean(values[:, 0], counted[:, 0]))
    np.testing.assert_allclose(one_number_a_row, [3, 0, 0])
    assert not np.asarray(pairs.rows_of_mean(values, np.zeros((3, 3), bool))).any()


def test_logsumexp_of_some_and_of_none():
    values = np.log(np.float32([[1, 2, 4], [8, 16, 32]]))
    mask = np.array([[1, 1, 0], [0, 0, 0]], bool)
    rows = np.asarray(pairs.logsumexp_of(values, mask))
    np.testing.assert_allclose(rows[0], np.log(3), rtol=1e-6)
    assert np.exp(rows[1]) == 0 and np.isfinite(rows[1] + rows[1])
    columns = pairs.logsumexp_of(values, np.ones((2, 3), bool), axis=0)
    np.testing.assert_allclose(columns, np.log([9, 18, 36]), rtol=1e-6)
