"""Image transforms with their parameters given: what `augment` draws parameters for.

Images are (H, W, 3) float32, RGB, 0..255, and stay within that range. All functions are made of
TensorFlow ops and run eagerly and in graphs. Parameters may be numbers or () float32 tensors.
"""

from __future__ import annotations

import math

import tensorflow as tf

_LUMA = (0.299, 0.587, 0.114)  # ITU-R 601, as Pillow's conversion to "L"


def brightness(image: tf.Tensor, factor: tf.Tensor) -> tf.Tensor:
    """Blends with black: 0 is black, 1 the image, above 1 brighter (Pillow, torchvision)."""
    return _clip(image * factor)


def contrast(image: tf.Tensor, factor: tf.Tensor) -> tf.Tensor:
    """Blends with the picture's mean grey: 0 is flat, 1 the image (Pillow, torchvision)."""
    mean = tf.reduce_sum(tf.reduce_mean(image, axis=(0, 1)) * _LUMA)
    mean = tf.floor(mean + 0.5)
    return _clip(mean + (image - mean) * factor)


def saturation(image: tf.Tensor, factor: tf.Tensor) -> tf.Tensor:
    """Blends with the grey picture: 0 is grey, 1 the image (Pillow, torchvision)."""
    # One small matrix product is ten times faster than ops that broadcast over three channels.
    grey = tf.repeat(tf.constant(_LUMA, tf.float32)[:, tf.newaxis], 3, axis=1)
    return _clip(tf.tensordot(image, grey + (tf.eye(3) - grey) * factor, 1))


def hue(image: tf.Tensor, turn: tf.Tensor) -> tf.Tensor:
    """Turns the hue by `turn` of the colour circle, -0.5..0.5 (HSV)."""
    return _clip(tf.image.adjust_hue(image, turn))


def value_shift(image: tf.Tensor, shift: tf.Tensor) -> tf.Tensor:
    """Adds `shift` to the value of HSV, saturating at 0 and 255; hue and saturation stay.

    With hue and saturation fixed, RGB is proportional to value, so no conversion is needed. Black
    has no hue: it becomes grey.
    """
    pixels = tf.reshape(tf.maximum(image, 1e-5), (-1, 3))  # so dark a grey, for black gives 0 / 0
    red, green, blue = tf.split(pixels, 3, axis=1)
    value = tf.maximum(tf.maximum(red, green), blue)
    # A product with a row of ones is faster than an op that broadcasts over three channels.
    factors = tf.matmul(_clip(value + shift) / value, tf.ones((1, 3)))
    return tf.ensure_shape(tf.reshape(_clip(pixels * factors), tf.shape(image)), image.shape)


def affine(
    image: tf.Tensor,
    *,
    angle_degrees: tf.Tensor,
    translation_px: tuple[tf.Tensor, tf.Tensor],
    scale: tf.Tensor,
    shear_degrees: tf.Tensor,
) -> tf.Tensor:
    """Rotates clockwise, shears along x, scales about the centre and moves by (x, y) pixels.

    torchvision's `affine`: bilinear, what comes from outside the picture is black.
    """
    angle, shear = (
        tf.convert_to_tensor(a) * (math.pi / 180) for a in (angle_degrees, shear_degrees)
    )
    cosine, sine, tangent = tf.cos(angle), tf.sin(angle), tf.tan(shear)
    # Inverse of rotation x shear x scale: the op asks where an output pixel comes from.
    a, b = (cosine - sine * tangent) / scale, (sine + cosine * tangent) / scale
    c, d = -sine / scale, cosine / scale
    centre_x, centre_y = _centre(image)
    to_x, to_y = centre_x + translation_px[0], centre_y + translation_px[1]
    rows = [a, b, centre_x - a * to_x - b * to_y, c, d, centre_y - c * to_x - d * to_y]
    return _sample(image, rows, outside="CONSTANT")


def keras_affine(
    image: tf.Tensor,
    *,
    angle_degrees: tf.Tensor,
    shift_px: tuple[tf.Tensor, tf.Tensor],
    shear_degrees: tf.Tensor,
    zoom: tuple[tf.Tensor, tf.Tensor],
) -> tf.Tensor:
    """Keras' `apply_affine_transform`: rotation x shift x shear x zoom, about the centre.

    They say where a pixel of the new picture comes from, so a zoom above 1 shows more and the
    picture smaller. Bilinear; what comes from outside is the nearest pixel of the border, which is
    what ImageDataGenerator does unless told otherwise. On pictures that are not square Keras takes
    the height for the width in finding the centre; here it is the centre.

    Args:
        image: (H, W, 3).
        angle_degrees: of the rotation.
        shift_px: (x, y) pixels.
        shear_degrees: of the shear.
        zoom: (x, y) factors above 0.
    """
    angle, shear = (
        tf.convert_to_tensor(a) * (math.pi / 180) for a in (angle_degrees, shear_degrees)
    )
    cosine, sine = tf.cos(angle), tf.sin(angle)
    a, c = cosine * zoom[0], sine * zoom[0]
    b = (-cosine * tf.sin(shear) - sine * tf.cos(shear)) * zoom[1]
    d = (-sine * tf.sin(shear) + cosine * tf.cos(shear)) * zoom[1]
    x, y = _centre(image)
    right = cosine * shift_px[0] - sine * shift_px[1]
    down = sine * shift_px[0] + cosine * shift_px[1]
    rows = [a, b, x + right - a * x - b * y, c, d, y + down - c * x - d * y]
    return _sample(image, rows, outside="NEAREST")


def from_where(image: tf.Tensor, rows: tuple) -> tf.Tensor:
    """Pillow's `transform(size, AFFINE, rows, BILINEAR)`; what comes from outside is black.

    Args:
        image: (H, W, 3).
        rows: ((a, b, c), (d, e, f)): the point (x, y) of the new picture is (a x + b y + c,
            d x + e y + f) of the old one, corners of pixels being whole numbers.
    """
    moved = []
    for of_x, of_y, offset in rows:
        moved += [of_x, of_y, 0.5 * of_x + 0.5 * of_y + offset - 0.5]
    return _sample(image, moved, outside="CONSTANT")


def _centre(image: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """(x, y) of the middle, centres of pixels being whole numbers."""
    height, width = tf.unstack(tf.cast(tf.shape(image)[:2], tf.float32))
    return (width - 1) / 2, (height - 1) / 2


def _sample(image: tf.Tensor, rows: list, *, outside: str) -> tf.Tensor:
    """The picture with the value of (a x + b y + c, d x + e y + f) at each (x, y)."""
    moved = tf.raw_ops.ImageProjectiveTransformV3(
        images=image[tf.newaxis],
        transforms=tf.stack([tf.cast(row, tf.float32) for row in (*rows, 0.0, 0.0)])[tf.newaxis],
        output_shape=tf.shape(image)[:2],
        fill_value=0.0,
        interpolation="BILINEAR",
        fill_mode=outside,
    )[0]
    return tf.ensure_shape(moved, image.shape)


def crop(image: tf.Tensor, box: tuple[tf.Tensor, tf.Tensor, tf.Tensor, tf.Tensor]) -> tf.Tensor:
    """The part of the image in `box` (top, left, height, width), whole pixels."""
    top, left, height, width = box
    return image[top : top + height, left : left + width]


def _clip(image: tf.Tensor) -> tf.Tensor:
    # One pass over the picture, where tf.clip_by_value takes two.
    return tf.raw_ops.ClipByValue(t=image, clip_value_min=0.0, clip_value_max=255.0)
