from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tfrecords_tools.arrange.splits import INDEX, TEST, TRAIN, split_by_class, usage_of


def ids_of(number):
    return np.array([f"{i:04x}" for i in range(number)], "S16")


def test_by_hand():
    """Class 0 has ten pictures: one asks, three are searched; class 1 has four, class 2 three."""
    classes = np.array([0] * 10 + [1] * 4 + [2] * 3)
    parts = split_by_class(ids_of(17), classes, index_fraction=0.3, query_fraction=0.1)
    assert parts.tolist() == [
        *(TEST, INDEX, INDEX, INDEX, TRAIN, TRAIN, TRAIN, TRAIN, TRAIN, TRAIN),
        *(TEST, INDEX, TRAIN, TRAIN),
        *(TRAIN, TRAIN, TRAIN),
    ]


def test_two_stay_in_train_whatever_the_fractions():
    parts = split_by_class(ids_of(6), np.zeros(6, int), index_fraction=0.1, query_fraction=0.85)
    assert parts.tolist() == [TEST, TEST, TEST, INDEX, TRAIN, TRAIN]
    parts = split_by_class(ids_of(6), np.zeros(6, int), index_fraction=0.85, query_fraction=0.1)
    assert parts.tolist() == [TEST, INDEX, INDEX, INDEX, TRAIN, TRAIN]


def test_no_fraction_no_index():
    parts = split_by_class(ids_of(8), np.zeros(8, int), index_fraction=0, query_fraction=0)
    assert (parts == TRAIN).all()


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.integers(0, 5), min_size=1, max_size=80),
    st.floats(0.01, 0.5),
    st.floats(0.01, 0.49),
    st.randoms(use_true_random=False),
)
def test_every_class_is_divided_and_the_order_does_not_matter(classes, index, query, random):
    classes = np.array(classes)
    ids = ids_of(len(classes))
    parts = split_by_class(ids, classes, index_fraction=index, query_fraction=query)
    for number in set(classes.tolist()):
        mine = parts[classes == number].tolist()
        if len(mine) < 4:
            assert mine == [TRAIN] * len(mine)
        else:
            assert mine.count(TEST) >= 1
            assert mine.count(INDEX) >= 1
            assert mine.count(TRAIN) >= 2
            assert mine.count(TEST) <= max(1, query * len(mine))
            assert mine.count(INDEX) <= max(1, index * len(mine))
    order = list(range(len(ids)))
    random.shuffle(order)
    shuffled = split_by_class(
        ids[order], classes[order], index_fraction=index, query_fraction=query
    )
    assert shuffled.tolist() == parts[order].tolist()


@pytest.mark.parametrize("fractions", [(0, 0.1), (0.1, 0), (-0.1, 0.2), (0.6, 0.4), (1, 0)])
def test_fractions_out_of_range(fractions):
    with pytest.raises(ValueError, match="must both be above 0 with a sum below 1, or both 0"):
        split_by_class(
            ids_of(2), np.zeros(2, int), index_fraction=fractions[0], query_fraction=fractions[1]
        )


def test_one_query_in_three_is_public_in_the_order_of_ids():
    ids = np.array([b"d", b"a", b"c", b"b"], "S16")
    assert usage_of(ids) == ["Public", "Public", "Private", "Private"]
    assert sorted(usage_of(ids[:2])) == ["Private", "Public"]
