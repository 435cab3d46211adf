from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tfrecords_tools.divide import (
    large_classes,
    sampled_classes,
    split_at_random,
    split_one_per_class,
    train_rows,
)
from tfrecords_tools.options import ConvertOptions


def _ids(number):
    return np.array([f"{i:016d}" for i in range(number)], "S16")


@given(
    st.lists(st.integers(0, 6), min_size=2, max_size=60),
    st.floats(0.01, 0.99),
    st.integers(0, 2**32 - 1),
)
def test_properties_of_the_split_per_class(labels, fraction, seed):
    sizes = np.bincount(labels)
    if sizes.max() < 2:
        return
    options = ConvertOptions("train", validation_fraction=fraction, seed=seed)
    rows = train_rows(np.array(labels, np.int32), options)
    assert sorted([*rows["validation"], *rows["train"]]) == list(range(len(labels)))
    held_out = np.bincount([labels[row] for row in rows["validation"]], minlength=len(sizes))
    for size, count in zip(sizes, held_out, strict=True):
        assert count == (max(1, int(fraction * size)) if size > 1 else 0)


def test_split_at_random_counts():
    validation, train = split_at_random(55, 0.1, np.random.RandomState(0))
    assert (len(validation), len(train)) == (5, 50)


def test_large_classes_by_hand():
    keep = large_classes(np.array([5, 5, 8, 5, 9, 9]), 2)
    assert keep.tolist() == [True, True, False, True, True, True]


def test_one_of_each_class_with_four_by_hand():
    labels = np.array([0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 2])
    validation, train = split_one_per_class(labels, _ids(12), None, np.random.RandomState(0))
    assert labels[validation].tolist() == [1, 2]  # class 0 has three
    assert sorted([*validation, *train]) == list(range(12))
    # Of class 2 only three are clean, and of class 1 the four that are.
    clean = np.array([1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0], bool)
    validation, _ = split_one_per_class(labels, _ids(12), clean, np.random.RandomState(0))
    assert labels[validation].tolist() == [1]


@given(
    st.lists(st.tuples(st.integers(0, 8), st.booleans()), min_size=4, max_size=80),
    st.integers(0, 2**32 - 1),
    st.randoms(use_true_random=False),
)
def test_properties_of_one_per_class(rows, seed, random):
    labels = np.array([label for label, _ in rows], np.int32)
    clean, ids = np.array([flag for _, flag in rows]), _ids(len(rows))
    held, train = split_one_per_class(labels, ids, clean, np.random.RandomState(seed))
    usable = np.bincount(labels[clean], minlength=9)
    assert np.bincount(labels[held], minlength=9).tolist() == (usable >= 4).astype(int).tolist()
    assert clean[held].all()
    assert sorted([*held, *train]) == list(range(len(rows)))
    order = np.array(random.sample(range(len(rows)), len(rows)))  # the CSV in another order
    again, _ = split_one_per_class(
        labels[order], ids[order], clean[order], np.random.RandomState(seed)
    )
    assert sorted(ids[order][again]) == sorted(ids[held])


def test_every_image_of_a_class_may_be_the_one():
    drawn = set()
    for seed in range(60):
        validation, _ = split_one_per_class(
            np.zeros(4, np.int32), _ids(4), None, np.random.RandomState(seed)
        )
        drawn.update(validation.tolist())
    assert drawn == {0, 1, 2, 3}


def test_one_per_class_where_no_class_has_four():
    options = ConvertOptions("train", validation_split="one-per-class")
    with pytest.raises(ValueError, match=r"one-per-class of 6 .* leaves 6 .* 0 for validation"):
        train_rows(np.array([0, 0, 0, 1, 1, 1]), options, _ids(6))


def test_a_sample_of_classes_by_hand():
    # Sizes 1, 1, 2, 5, 9, 30: three runs of two, one of each.
    landmarks = np.repeat([11, 12, 3, 40, 5, 6], [1, 1, 2, 5, 9, 30])
    drawn = set()
    for seed in range(30):
        classes = np.unique(landmarks[sampled_classes(landmarks, 3, seed)])
        assert len(classes) == 3
        for run in ({11, 12}, {3, 40}, {5, 6}):
            assert len(run & set(classes.tolist())) == 1
        drawn.update(classes.tolist())
    assert drawn == {11, 12, 3, 40, 5, 6}
    assert sampled_classes(landmarks, 6, 0).all()
    assert sampled_classes(landmarks, 7, 0).all()


@given(
    st.lists(st.integers(1, 40), min_size=2, max_size=120),
    st.integers(1, 120),
    st.integers(0, 2**32 - 1),
)
def test_properties_of_a_sample_of_classes(sizes, wanted, seed):
    landmarks = np.repeat(np.arange(len(sizes)) * 7 + 3, sizes)
    chosen = sampled_classes(landmarks, wanted, seed)
    classes, counts = np.unique(landmarks[chosen], return_counts=True)
    assert len(classes) == min(wanted, len(sizes))
    # Whole classes, and the k-th of the sample lies in the k-th run of all, by size.
    assert counts.tolist() == [sizes[(landmark - 3) // 7] for landmark in classes]
    ordered, sample = np.sort(sizes), np.sort(counts)
    bounds = np.arange(len(classes) + 1) * len(sizes) // len(classes)
    for place, size in enumerate(sample):
        assert ordered[bounds[place]] <= size <= ordered[bounds[place + 1] - 1]
    backwards = sampled_classes(landmarks[::-1], wanted, seed)
    assert np.array_equal(backwards[::-1], chosen)


def test_the_sample_keeps_the_distribution_of_a_long_tail():
    """As S4's: 1,000 of 81,313 classes; the mean and the quantiles are those of the whole."""
    sizes = np.random.default_rng(5).zipf(1.7, 20_000).clip(2, 6000)
    landmarks = np.repeat(np.arange(len(sizes)), sizes)
    counts = np.bincount(landmarks[sampled_classes(landmarks, 1000, 0)])
    counts = counts[counts > 0]
    assert len(counts) == 1000
    for quantile in (0.1, 0.5, 0.9):
        assert np.quantile(counts, quantile) == pytest.approx(np.quantile(sizes, quantile), rel=0.1)
