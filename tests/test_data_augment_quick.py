"""S1's augmentation from less work: `s1` but for the noise, and the noise is Gaussian."""

from __future__ import annotations

import functools

import numpy as np
import tensorflow as tf
from scipy import stats

from landmarks_tf.data.augment import quick, sources

GREY = np.full((40, 50, 3), 128, np.float32)


def draws(shift: float, noise: float, flip: float = 0.9, amount: float = 0.7) -> tf.Tensor:
    values = np.full(48, 0.5, np.float32)
    values[[0, 6, 7, 8]] = flip, shift, noise, amount
    return tf.constant(values)


@functools.cache
def compiled():
    return tf.function(quick.s1_quick)


def quickly(image: np.ndarray, drawn: tf.Tensor, sample: int = 0) -> np.ndarray:
    return compiled()(image, drawn, tf.constant([3, sample], tf.int64)).numpy()


def test_without_noise_it_is_s1():
    rng = np.random.default_rng(0)
    image = rng.integers(0, 256, (9, 11, 3)).astype(np.float32)
    for flip in (0.2, 0.8):
        for shift, amount in ((0.1, 0.0), (0.1, 0.99), (0.9, 0.3)):
            drawn = draws(shift, 0.6, flip, amount)
            expected = sources.s1(tf.constant(image), drawn, tf.constant([3, 0], tf.int64))
            # Where nothing is shifted `s1` multiplies and divides by the same number.
            np.testing.assert_allclose(quickly(image, drawn), expected, atol=1e-4)


def test_the_noise_is_gaussian_and_of_sigma_5():
    added = quickly(GREY, draws(0.9, 0.4)) - GREY
    assert abs(added.mean()) < 5 * 4 / np.sqrt(added.size)
    assert stats.kstest(added.ravel() / 5, "norm").pvalue > 1e-3
    for axis in range(3):  # no pixel, row or channel knows of its neighbour
        one, other = np.split(np.take(added, range(added.shape[axis] // 2 * 2), axis), 2, axis)
        assert abs(np.corrcoef(one.ravel(), other.ravel())[0, 1]) < 0.1


def test_each_sample_has_its_own():
    first, second = (quickly(GREY, draws(0.9, 0.4), sample) - GREY for sample in (1, 2))
    assert abs(np.corrcoef(first.ravel(), second.ravel())[0, 1]) < 0.1
    np.testing.assert_array_equal(first, quickly(GREY, draws(0.9, 0.4), 1) - GREY)


def test_a_picture_larger_than_the_stretch_has_noise_everywhere():
    large = np.full((700, 800, 3), 128, np.float32)  # 1.68 million numbers
    added = quickly(large, draws(0.9, 0.4)) - large
    for part in np.array_split(added.ravel(), 7):
        assert 4.9 < part.std() < 5.1
