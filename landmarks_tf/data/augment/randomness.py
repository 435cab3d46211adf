"""Random numbers of a sample: one vector of uniform draws, and how policies read it."""

from __future__ import annotations

import tensorflow as tf

NUM_DRAWS = 48  # uniform numbers a picture and policy; each policy reads its own few places


def draw(seed: tf.Tensor) -> tf.Tensor:
    """(48,) float32 in [0, 1), a function of the (2,) int64 seed alone."""
    return tf.random.stateless_uniform((NUM_DRAWS,), seed, alg="philox")


def own_seed(seed: tf.Tensor, purpose: int) -> tf.Tensor:
    """A seed for more numbers: with that of the draws they would repeat the bits of the draws."""
    return tf.random.experimental.stateless_fold_in(seed, purpose, alg="philox")


def between(draw: tf.Tensor, low: float, high: float) -> tf.Tensor:
    """A number in [low, high)."""
    return low + (high - low) * draw


def whole_between(draw: tf.Tensor, low: tf.Tensor, high: tf.Tensor) -> tf.Tensor:
    """A whole number in low..high, both included, as int32; `draw` is below 1."""
    count = tf.cast(high - low + 1, tf.float32)
    return low + tf.minimum(tf.cast(tf.floor(draw * count), tf.int32), high - low)


def flip_in_half(image: tf.Tensor, draws: tf.Tensor) -> tf.Tensor:
    """The picture or its mirror image, as likely; reads the first of the draws."""
    return tf.cond(draws[0] < 0.5, lambda: tf.reverse(image, [1]), lambda: image)
