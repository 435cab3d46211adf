"""S1's augmentation from less work: other pictures than `s1` gives, by the same rules.

Each takes (image (h, w, 3) float32 0..255, draws (48,), seed (2,) int64) and returns an image of
the same shape.
"""

from __future__ import annotations

import functools

import numpy as np
import tensorflow as tf

from landmarks_tf.data import transforms
from landmarks_tf.data.augment.randomness import flip, own_seed, whole_between

# As `s1` reads them: the flip; whether to shift, whether to add noise, and the shift.
_FLIP, _WHETHER_SHIFT, _WHETHER_NOISE, _SHIFT = 0, 6, 7, 8
_LENGTH = 2**20
_SIGMA = 5.0


def s1_quick(image: tf.Tensor, draws: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
    """`s1`, the noise cut out of one stretch of a million Gaussian numbers at a random place.

    Flip and shift are drawn as by `s1`, to the same values; drawing new Gaussian numbers for every
    pixel is most of what `s1` costs.
    """
    image = flip(image, draws[_FLIP])
    shift = tf.cast(whole_between(draws[_SHIFT], -60, 61), tf.float32)
    image = tf.cond(
        draws[_WHETHER_SHIFT] < 0.8, lambda: transforms.value_shift(image, shift), lambda: image
    )
    return tf.cond(draws[_WHETHER_NOISE] < 0.5, lambda: _noisy(image, seed), lambda: image)


def _noisy(image: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
    count = tf.size(image)
    # Long enough to cut from for pictures of any size; for those of usual size it is copied never.
    stretch = tf.tile(tf.constant(_gaussian_numbers()), [count // (_LENGTH // 2) + 1])
    place = tf.random.stateless_uniform(
        (), own_seed(seed, 1), 0, tf.size(stretch) - count + 1, tf.int32, alg="philox"
    )
    return image + tf.reshape(stretch[place : place + count], tf.shape(image))


@functools.cache
def _gaussian_numbers() -> np.ndarray:
    """(2**20,) float32 of standard deviation 5, the same in every run."""
    with tf.init_scope():
        numbers = tf.random.stateless_normal((_LENGTH,), (1, 2), stddev=_SIGMA, alg="philox")
        return numbers.numpy()
