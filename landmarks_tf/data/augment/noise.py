"""Gaussian noise without drawing a Gaussian number for every pixel.

Drawing them (Philox and Box-Muller) takes longer than decoding a JPEG at half its size. So the
numbers are drawn once: the 2**20 quantiles of the standard normal distribution in the middle of
2**20 equally likely parts, in random order. Their mean is 0, their variance 0.9999987, their
kurtosis 2.99994, the largest 4.901: a picture of whole grey levels does not tell them from
unbounded ones. They lie in 256 rows of 4,096. A picture's noise is some of the rows, in an order
drawn for it and cut off at a place drawn for it, so that within a picture of up to 2**20 values
none comes twice. Two pictures share rows, but each seldom in the same place.
"""

from __future__ import annotations

import functools

import numpy as np
import tensorflow as tf

ROWS, ROW = 256, 4096
# A cut at a multiple of this many bytes needs no copy in TensorFlow.
_ALIGNED = 64 // 4


def gaussian(shape: tf.Tensor, seed: tf.Tensor, sigma: float) -> tf.Tensor:
    """Noise of mean 0 and standard deviation `sigma`, float32, a function of the seed alone.

    Args:
        shape: int32, of the noise; up to 2**20 values are drawn without repetition; beyond
            that the same rows follow once more.
        seed: (2,) int64.
        sigma: standard deviation.
    """
    count = tf.reduce_prod(shape)
    draws = tf.random.stateless_uniform((ROWS + 1,), seed, alg="philox")
    order = tf.math.top_k(draws[:ROWS], ROWS).indices
    steps = ROW // _ALIGNED
    first = _ALIGNED * tf.minimum(tf.cast(draws[ROWS] * steps, tf.int32), steps - 1)
    needed = (first + count + ROW - 1) // ROW
    rows = tf.gather(_numbers(sigma), tf.gather(order, tf.range(needed) % ROWS))
    return tf.reshape(tf.reshape(rows, (-1,))[first : first + count], shape)


@functools.cache
def _numbers(sigma: float) -> np.ndarray:
    """(256, 4096) float32: the quantiles times sigma, in the same random order in every run."""
    middles = (np.arange(ROWS * ROW) + 0.5) / (ROWS * ROW)
    with tf.init_scope(), tf.device("CPU"):
        quantiles = tf.math.ndtri(tf.constant(middles)).numpy()
        keys = tf.random.stateless_uniform(
            (ROWS * ROW,), (1, 2), None, None, tf.int32, alg="philox"
        ).numpy()
    order = np.argsort(keys, kind="stable")
    return (sigma * quantiles[order]).astype(np.float32).reshape(ROWS, ROW)
