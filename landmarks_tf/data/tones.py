"""Changes by the whole picture's tones, and sharpness: the further parts of RandAugment.

Images are (H, W, 3) float32, RGB, 0..255, and are read in whole levels where Pillow's are; all
agree with Pillow's `ImageOps` and `ImageEnhance`. Parameters may be numbers or () tensors.
"""

from __future__ import annotations

import numpy as np
import tensorflow as tf


def auto_contrast(image: tf.Tensor) -> tf.Tensor:
    """Stretches each channel so that its darkest level is 0 and its brightest 255."""
    # In doubles, as Pillow's table: a level that ought to be whole may fall just below and be cut.
    levels = tf.cast(tf.round(image), tf.float64)
    low, high = tf.reduce_min(levels, axis=(0, 1)), tf.reduce_max(levels, axis=(0, 1))
    scale = 255.0 / tf.maximum(high - low, 1.0)
    stretched = tf.clip_by_value(tf.floor(levels * scale - low * scale), 0.0, 255.0)
    return tf.where(high > low, tf.cast(stretched, tf.float32), image)


def equalize(image: tf.Tensor) -> tf.Tensor:
    """Spreads each channel's levels evenly over 0..255, by its histogram."""
    levels = tf.cast(tf.clip_by_value(tf.round(image), 0.0, 255.0), tf.int32)
    places = tf.reshape(levels + 256 * tf.range(3), (-1,))
    counts = tf.math.unsorted_segment_sum(tf.ones_like(places), places, 768)
    counts = tf.reshape(counts, (3, 256))
    total = tf.reduce_sum(counts, axis=1)
    brightest = tf.reduce_max(tf.where(counts > 0, tf.range(256), 0), axis=1)
    step = (total - tf.gather(counts, brightest, batch_dims=1)) // 255
    below = tf.cumsum(counts, axis=1, exclusive=True)
    table = (below + (step // 2)[:, tf.newaxis]) // tf.maximum(step, 1)[:, tf.newaxis]
    table = tf.where(step[:, tf.newaxis] > 0, tf.minimum(table, 255), tf.range(256))
    spread = tf.gather(tf.reshape(table, (-1,)), places)
    return tf.reshape(tf.cast(spread, tf.float32), tf.shape(image))


def posterize(image: tf.Tensor, bits: tf.Tensor) -> tf.Tensor:
    """Keeps the `bits` highest of each value's 8 bits."""
    step = tf.cast(tf.bitwise.left_shift(1, 8 - tf.cast(bits, tf.int32)), tf.float32)
    return tf.floor(tf.round(image) / step) * step


def solarize(image: tf.Tensor, threshold: tf.Tensor) -> tf.Tensor:
    """Inverts every value that is not below `threshold`: 256 changes nothing."""
    return tf.where(image < threshold, image, 255.0 - image)


def sharpness(image: tf.Tensor, factor: tf.Tensor) -> tf.Tensor:
    """Blends with the smoothed picture: 0 is smooth, 1 the image, above 1 sharper.

    The smoothing is the mean over 3 x 3 pixels with five times the weight in the middle; pixels at
    the border stay as they are.
    """
    shape = tf.shape(image)
    small = (shape[0] < 3) | (shape[1] < 3)
    smooth = tf.cond(small, lambda: image, lambda: _smooth(image))
    return tf.clip_by_value(smooth + (image - smooth) * factor, 0.0, 255.0)


def _smooth(image: tf.Tensor) -> tf.Tensor:
    weights = np.full((3, 3, 1, 1), 1 / 13, np.float32)
    weights[1, 1] = 5 / 13
    channels = tf.transpose(image, (2, 0, 1))[..., tf.newaxis]
    inner = tf.nn.conv2d(channels, weights, strides=1, padding="VALID")[..., 0]
    inner = tf.transpose(tf.round(inner), (1, 2, 0))
    border = [[1, 1], [1, 1], [0, 0]]
    inside = tf.pad(tf.ones_like(inner), border) > 0
    return tf.where(inside, tf.pad(inner, border), image)
