"""OpenCV's 8-bit arithmetic, bit for bit where S1's program used it.

OpenCV computes on bytes with tables and fixed-point weights, which is not the exact formula
rounded: its bilinear resize is one level off in one value of eight, its way to HSV and back moves
a colour by up to 6 levels. These functions repeat that arithmetic with TensorFlow ops (checked
against OpenCV 5.0 in tests/test_data_opencv.py). Not repeated: the last pixels of a row, fewer than
its vector registers hold, which OpenCV rounds where it cuts the others off.
"""

from __future__ import annotations

import numpy as np
import tensorflow as tf

_WEIGHT_BITS = 11  # of the fixed-point weights of resize
_HSV_SHIFT = 12  # of the fixed-point divisions of the way to HSV


def resize(image: tf.Tensor, size: tuple) -> tf.Tensor:
    """cv2.resize(image, (w, h), interpolation=INTER_LINEAR) of a uint8 image: (h, w, 3) float32.

    Args:
        image: (H, W, 3), whole numbers 0..255.
        size: (h, w), whole numbers or () int32 tensors.
    """
    shape = tf.shape(image)
    above, below, row_weights = _neighbours(shape[0], size[0], blend_at_the_end=True)
    left, right, column_weights = _neighbours(shape[1], size[1], blend_at_the_end=False)
    # Only the rows that are needed; shrinking much, that is a small part of them.
    rows = tf.cast(tf.gather(image, tf.concat([above, below], 0)), tf.int32)
    along = tf.gather(rows, left, axis=1) * column_weights[0][:, tf.newaxis]
    along += tf.gather(rows, right, axis=1) * column_weights[1][:, tf.newaxis]
    upper, lower = tf.split(tf.bitwise.right_shift(along, 4), 2)
    blended = 2 + sum(
        tf.bitwise.right_shift(weight[:, tf.newaxis, tf.newaxis] * part, 16)
        for weight, part in zip(row_weights, (upper, lower), strict=True)
    )
    static = [side if isinstance(side, int) else None for side in size]
    levels = tf.clip_by_value(tf.bitwise.right_shift(blended, 2), 0, 255)
    return tf.ensure_shape(tf.cast(levels, tf.float32), (*static, 3))


def _neighbours(side, size, *, blend_at_the_end: bool):
    """The two pixels that each new one lies between, and their weights in 1/2048."""
    scale = 1.0 / (tf.cast(size, tf.float64) / tf.cast(side, tf.float64))
    place = tf.cast((tf.cast(tf.range(size), tf.float64) + 0.5) * scale - 0.5, tf.float32)
    first = tf.cast(tf.floor(place), tf.int32)
    part = place - tf.floor(place)
    if not blend_at_the_end:
        part = tf.where((first < 0) | (first >= side - 1), 0.0, part)
    weights = [tf.cast(tf.round(share * 2**_WEIGHT_BITS), tf.int32) for share in (1.0 - part, part)]
    last = side - 1
    return tf.clip_by_value(first, 0, last), tf.clip_by_value(first + 1, 0, last), weights


def value_shift(image: tf.Tensor, shift: tf.Tensor) -> tf.Tensor:
    """Adds `shift` to the value of 8-bit HSV, saturating, and goes back to RGB.

    Args:
        image: (H, W, 3) float32, 0..255, read in whole levels.
        shift: () float32, a whole number. At 0 the colours go to HSV and back all the same.
    """
    levels = tf.cast(tf.clip_by_value(tf.round(image), 0.0, 255.0), tf.int32)
    hue, saturation, value = _to_hsv(levels)
    shifted = tf.clip_by_value(value + tf.cast(tf.round(shift), tf.int32), 0, 255)
    return _from_hsv(hue, saturation, shifted)


def _to_hsv(levels: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """Hue 0..179 (two degrees each), saturation and value 0..255, int32."""
    red, green, blue = tf.unstack(levels, axis=-1)
    value = tf.maximum(tf.maximum(red, green), blue)
    spread = value - tf.minimum(tf.minimum(red, green), blue)
    half = 1 << (_HSV_SHIFT - 1)
    saturation = spread * tf.gather(_divisions(255.0), value) + half
    hue = tf.where(
        value == red,
        green - blue,
        tf.where(value == green, blue - red + 2 * spread, red - green + 4 * spread),
    )
    hue = tf.bitwise.right_shift(hue * tf.gather(_divisions(30.0), spread) + half, _HSV_SHIFT)
    return tf.where(hue < 0, hue + 180, hue), tf.bitwise.right_shift(saturation, _HSV_SHIFT), value


def _divisions(numerator: float) -> np.ndarray:
    """numerator / i for i in 0..255, in 1/4096; 0 for 0."""
    table = np.zeros(256, np.int32)
    table[1:] = np.rint(numerator * (1 << _HSV_SHIFT) / np.arange(1, 256))
    return table


def _from_hsv(hue: tf.Tensor, saturation: tf.Tensor, value: tf.Tensor) -> tf.Tensor:
    """(..., 3) float32 whole levels, cut off and not rounded, as OpenCV's vector code does."""
    sextant = tf.cast(hue, tf.float32) * np.float32(6 / 180)
    place = tf.floor(sextant)
    share = tf.cast(sextant - place, tf.float64)
    # OpenCV fuses 1 - s * f into one rounding; in float64 the product is exact.
    strength = tf.cast(tf.cast(saturation, tf.float32) * np.float32(1 / 255), tf.float64)
    bright = tf.cast(value, tf.float32) * np.float32(1 / 255)
    rest = 1.0 - tf.cast(sextant - place, tf.float32)
    tints = [
        bright,
        bright * tf.cast(1.0 - strength, tf.float32),
        bright * tf.cast(1.0 - strength * share, tf.float32),
        bright * tf.cast(1.0 - strength * tf.cast(rest, tf.float64), tf.float32),
    ]
    # Which of the four is red, green and blue in each sixth of the circle.
    which = tf.gather(
        [[0, 3, 1], [2, 0, 1], [1, 0, 3], [1, 2, 0], [3, 1, 0], [0, 1, 2]],
        tf.cast(place, tf.int32) % 6,
    )
    return tf.floor(tf.gather(tf.stack(tints, -1), which, axis=-1, batch_dims=2) * 255.0)
