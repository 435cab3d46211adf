"""Partial FC's sample: the batch's classes always, the others by even chance."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from landmarks_tf.losses.sampled_classes import sample_classes, sample_size
from tests import contracts


def test_the_batchs_classes_are_in_and_found_again():
    seed = keras.random.SeedGenerator(3)
    ids = np.int32([5, 0, 99, 5, 41])
    seen = np.zeros(100)
    for _ in range(300):
        classes, places = (np.asarray(x) for x in sample_classes(ids, 100, 20, seed))
        assert len(classes) == 20 and (np.diff(classes) > 0).all()
        np.testing.assert_array_equal(classes[places], ids)
        seen[classes] += 1
    others = np.delete(seen, np.unique(ids))
    # 16 of 96 each time: binomial, 50 expected, 6.5 the standard deviation.
    assert (seen[np.unique(ids)] == 300).all()
    assert abs(others.mean() - 50) < 1e-6
    assert others.min() > 25 and others.max() < 78
    assert 4 < others.std() < 9


def test_a_full_sample_is_all_classes():
    classes, places = sample_classes(np.int32([3, 1]), 5, 5, keras.random.SeedGenerator(0))
    assert np.asarray(classes).tolist() == [0, 1, 2, 3, 4]
    assert np.asarray(places).tolist() == [3, 1]


@pytest.mark.parametrize(
    ("classes", "rate", "batch", "size"),
    [(1000, 0.1, 32, 100), (1000, 0.01, 32, 32), (20, 0.5, 32, 20), (81_313, 0.1, 240, 8131)],
)
def test_size(classes, rate, batch, size):
    assert sample_size(classes, rate, batch) == size


@pytest.mark.parametrize(
    ("batch", "bound", "size"), [(32, 8, 8), (None, 8, 8), (32, 40, 32), (32, 2, 3), (4, None, 4)]
)
def test_room_for_the_classes_that_a_batch_is_said_to_have(batch, bound, size):
    """A tenth of the stock demo set's 32 landmarks, rounded, is 3."""
    assert sample_size(32, 0.1, batch, bound) == size


def test_classes_without_room_are_left_out_not_mistaken():
    ids = np.int32([9, 2, 7, 2, 4])
    for seed in range(5):
        classes, places = sample_classes(ids, 10, 3, keras.random.SeedGenerator(seed))
        classes, places = np.asarray(classes), np.asarray(places)
        assert set(classes.tolist()) < set(ids.tolist()) and len(classes) == 3
        found = classes[places] == ids
        assert found.tolist() == np.isin(ids, classes).tolist()


def test_refusals():
    contracts.check_refusals(
        {
            "(0, 1]. Received: 0": lambda: sample_size(10, 0, 2),
            "(0, 1]. Received: 1.5": lambda: sample_size(10, 1.5, 2),
            "batch of unknown size": lambda: sample_size(10, 0.5, None),
            "classes_per_batch=0": lambda: sample_size(10, 0.5, 4, 0),
        }
    )
