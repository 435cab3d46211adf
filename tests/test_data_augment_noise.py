"""The noise of S1's augmentation: Gaussian to far below a grey level, and each sample's own."""

from __future__ import annotations

import functools

import numpy as np
import pytest
import tensorflow as tf
from scipy import special, stats

from landmarks_tf.data.augment import noise

SHAPE = (224, 160, 3)


@functools.cache
def compiled():
    return tf.function(functools.partial(noise.gaussian, sigma=5.0))


def drawn(sample: int, shape: tuple = SHAPE) -> np.ndarray:
    return compiled()(tf.constant(shape), tf.constant([3, sample], tf.int64)).numpy()


def test_its_numbers_are_the_quantiles():
    numbers = noise._numbers(1.0)
    assert numbers.shape == (noise.ROWS, noise.ROW)
    expected = special.ndtri((np.arange(2**20) + 0.5) / 2**20)
    np.testing.assert_allclose(np.sort(numbers, axis=None), expected, atol=1e-6)
    exact = numbers.astype(np.float64)
    assert abs(exact.mean()) < 1e-7
    # What the module says of them.
    assert exact.var() == pytest.approx(0.9999987, abs=1e-7)
    assert stats.kurtosis(exact, axis=None, fisher=False) == pytest.approx(2.99994, abs=1e-5)
    assert exact.max() == pytest.approx(4.901, abs=1e-3)


@pytest.mark.parametrize("sample", range(3))
def test_it_is_gaussian_of_sigma_5(sample):
    added = drawn(sample)
    assert abs(added.mean()) < 5 * 4 / np.sqrt(added.size)
    assert stats.kstest(added.ravel() / 5, "norm").pvalue > 1e-3
    # As a picture takes it up: in whole levels, all beyond 18 together.
    levels = np.clip(np.round(added), -18, 18).astype(int)
    edges = np.concatenate([[-np.inf], np.arange(-17.5, 18), [np.inf]])
    expected = np.diff(stats.norm.cdf(edges, scale=5)) * added.size
    counts = np.bincount(levels.ravel() + 18, minlength=37)
    assert stats.chisquare(counts, expected, sum_check=False).pvalue > 1e-3


def test_no_value_knows_of_its_neighbours():
    added = drawn(7)
    for axis in range(3):
        for away in (1, 2):
            one = np.take(added, range(added.shape[axis] - away), axis).ravel()
            other = np.take(added, range(away, added.shape[axis]), axis).ravel()
            assert abs(np.corrcoef(one, other)[0, 1]) < 4.5 / np.sqrt(one.size)
            assert abs(np.corrcoef(one**2, other**2)[0, 1]) < 4.5 / np.sqrt(one.size)


def test_within_a_picture_no_number_comes_twice():
    assert len(np.unique(drawn(1, (299, 299, 3)))) == 299 * 299 * 3


def test_each_sample_has_its_own():
    pictures = np.stack([drawn(sample, (40, 50, 3)).ravel() for sample in range(12)])
    others = np.corrcoef(pictures)[~np.eye(12, dtype=bool)]
    assert np.abs(others).max() < 4.5 / np.sqrt(pictures.shape[1])
    np.testing.assert_array_equal(drawn(4, (40, 50, 3)).ravel(), pictures[4])


def test_a_picture_of_more_values_than_numbers_has_noise_everywhere():
    added = drawn(0, (700, 800, 3))  # 1.68 million
    for part in np.array_split(added.ravel(), 7):
        assert 4.9 < part.std() < 5.1


@pytest.mark.parametrize("shape", [(1, 1, 3), (1, 4096, 1), (0, 5, 3)])
def test_it_has_the_shape_that_is_asked_for(shape):
    assert drawn(2, shape).shape == shape
