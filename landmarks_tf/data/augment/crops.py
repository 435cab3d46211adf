"""Boxes that are cut out of a whole picture; they need its size alone, so it need not be decoded.

A box is (top, left, height, width) in whole pixels, of at least one pixel, inside the picture.
"""

from __future__ import annotations

import math

import tensorflow as tf

from landmarks_tf.data import image_ops, transforms
from landmarks_tf.data.augment.randomness import between, whole_between

CROP_TRIES = 10  # as torchvision
# The draws that each reads; others of the same policy must leave them alone.
_TOP, _LEFT, _AREA, _RATIO = 2, 3, 4, 5
_AREAS = slice(20, 20 + CROP_TRIES)
_RATIOS = slice(20 + CROP_TRIES, 20 + 2 * CROP_TRIES)


def loose_box(height_width: tf.Tensor, draws: tf.Tensor) -> tuple:
    """40-100 % of the area, its shape at most 4:3 off the picture's own.

    Args:
        height_width: (2,) int32, of the picture.
        draws: (48,) uniform numbers.
    """
    side = tf.sqrt(between(draws[_AREA], 0.4, 1.0))
    stretch = tf.exp(between(draws[_RATIO], -math.log(4 / 3) / 2, math.log(4 / 3) / 2))
    shares = tf.minimum(tf.stack([side * stretch, side / stretch]), 1.0)
    size = tf.round(tf.cast(height_width, tf.float32) * shares)
    size = tf.maximum(tf.cast(size, tf.int32), 1)
    top = whole_between(draws[_TOP], 0, height_width[0] - size[0])
    left = whole_between(draws[_LEFT], 0, height_width[1] - size[1])
    return top, left, size[0], size[1]


def resized_crop_box(height_width: tf.Tensor, draws: tf.Tensor) -> tuple:
    """RandomResizedCrop's defaults: 8-100 % of the area, 3:4 to 4:3.

    The first of ten tries that fits is taken; if none does, the largest middle part within the
    ratios, as torchvision does.
    """
    whole = height_width
    height, width = tf.unstack(tf.cast(whole, tf.float32))
    area = between(draws[_AREAS], 0.08, 1.0) * height * width
    ratio = tf.exp(between(draws[_RATIOS], math.log(3 / 4), math.log(4 / 3)))
    tried = tf.cast(tf.round(tf.stack([tf.sqrt(area / ratio), tf.sqrt(area * ratio)], 1)), tf.int32)
    fits = tf.reduce_all((tried > 0) & (tried <= whole), axis=1)
    size = tried[tf.argmax(fits)]
    top = whole_between(draws[_TOP], 0, tf.maximum(whole[0] - size[0], 0))
    left = whole_between(draws[_LEFT], 0, tf.maximum(whole[1] - size[1], 0))
    limited = tf.stack([tf.minimum(height, width * 4 / 3), tf.minimum(width, height * 4 / 3)])
    limited = tf.cast(tf.round(limited), tf.int32)
    middle = tf.concat([(whole - limited) // 2, limited], 0)
    box = tf.where(tf.reduce_any(fits), tf.concat([[top, left], size], 0), middle)
    return tuple(tf.unstack(box))


def random_resized_crop(image: tf.Tensor, draws: tf.Tensor) -> tf.Tensor:
    """`resized_crop_box` of a picture, scaled back to its size, antialiased: (H, W, 3) float32."""
    whole = tf.shape(image)[:2]
    part = transforms.crop(image, resized_crop_box(whole, draws))
    return tf.ensure_shape(
        image_ops.resample(part, tf.unstack(whole), tf.unstack(whole), antialias=True), image.shape
    )
