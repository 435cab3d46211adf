"""Groups of one class: whose rows, how often each, and what is refused."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from landmarks_tf.data.class_groups import ClassGroups, smallest_int

LABELS = np.array([7, 2, 7, 2, 7, 9])  # classes 0: rows 1, 3; 1: rows 0, 2, 4; 2: row 5


def test_classes_count_in_the_order_of_their_labels():
    groups = ClassGroups(LABELS, 2, seed=0)
    assert groups.sizes.tolist() == [2, 3, 1]
    assert [set(groups.deal(number, 4).tolist()) for number in (0, 2)] == [{1, 3}, {5}]
    assert set(groups.deal(1, 0).tolist()) < {0, 2, 4}


def test_small_classes_repeat_evenly():
    """K = 5: of two rows one comes twice and one three times; a single one five times."""
    groups = ClassGroups(LABELS, 5, seed=3)
    two = [Counter(groups.deal(0, visit).tolist()) for visit in range(40)]
    assert {tuple(sorted(count.values())) for count in two} == {(2, 3)}
    assert {max(count, key=count.get) for count in two} == {1, 3}
    assert groups.deal(2, 11).tolist() == [5] * 5


def test_a_batch_is_the_groups_end_to_end():
    groups = ClassGroups(LABELS, 2, seed=1)
    batch = groups.batch(np.array([1, 0]), np.array([6, 2]))
    assert batch.dtype == np.int64
    assert batch.tolist() == [*groups.deal(1, 6), *groups.deal(0, 2)]


def test_sums_by_class():
    assert ClassGroups(LABELS, 2, 0).sums([1, 10, 2, 20, 4, 100]).tolist() == [30, 7, 100]


def test_row_numbers_take_as_little_room_as_they_can():
    assert smallest_int(2**31 - 1) is np.int32
    assert smallest_int(2**31) is np.int64


@pytest.mark.parametrize("labels", [np.zeros((2, 2), int), np.zeros(3), np.zeros(0, int)])
def test_labels_that_are_none(labels):
    with pytest.raises(ValueError, match="one whole-number label for each row"):
        ClassGroups(labels, 2, 0)


def test_rows_without_a_label():
    with pytest.raises(ValueError, match=r"2 of 3 rows have no label \(-1\)"):
        ClassGroups(np.array([-1, 4, -1]), 2, 0)
