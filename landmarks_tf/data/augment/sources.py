"""What the reproduced sources do to a resized training picture (reproduction.md 1.9, 2.6, 3.2).

The mirroring with which some of them begin is the policies' own stage.

Each takes (image (h, w, 3) float32 0..255, draws (48,), seed (2,) int64) and returns an image of
the same shape.
"""

from __future__ import annotations

import tensorflow as tf

from landmarks_tf.data import opencv, transforms
from landmarks_tf.data.augment import noise
from landmarks_tf.data.augment.crops import random_resized_crop
from landmarks_tf.data.augment.randomness import between, own_seed, whole_between

# The draws, each used once; 0 is that of mirroring, 2 to 5 and 20 to 39 those of the crops.
_CHOICE = 1
# Brightness, contrast, saturation, hue; or whether to shift, whether to add noise, and the shift.
_JITTER = slice(6, 10)
_ORDER = slice(10, 14)
_AFFINE = slice(14, 19)
_ZOOM_ALONG_Y = 19


def mild_jitter(image: tf.Tensor, draws: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
    """Ours: brightness, contrast and saturation by factors of 0.75 to 1.25."""
    factors = between(draws[_JITTER], 0.75, 1.25)
    image = transforms.brightness(image, factors[0])
    image = transforms.contrast(image, factors[1])
    return transforms.saturation(image, factors[2])


# s1 -----------------------------------------------------------------------------------------------


def s1(image: tf.Tensor, draws: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
    """HSV value -60..+61 (the odd end is the program's) with 0.8, noise with 0.5."""
    image = _shift(image, draws, transforms.value_shift, 0.8, -60, 61)
    return _noise_in_half(image, draws, seed)


def s1_opencv(image: tf.Tensor, draws: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
    """`s1` with OpenCV's 8-bit HSV, whose rounding moves a colour by up to 6 levels by itself.

    Where no shift is drawn the picture is not put through HSV at all.
    """
    image = _shift(image, draws, opencv.value_shift, 0.8, -60, 61)
    return _noise_in_half(image, draws, seed)


def s1_validation(image: tf.Tensor, draws: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
    """What S1's program puts its validation pictures through."""
    return _shift(image, draws, transforms.value_shift, 0.75, -40, 41)


def _shift(image, draws, value_shift, share: float, low: int, high: int) -> tf.Tensor:
    shift = tf.cast(whole_between(draws[_JITTER][2], low, high), tf.float32)
    drawn = draws[_JITTER][0] < share
    return tf.cond(drawn, lambda: value_shift(image, shift), lambda: image)


def _noise_in_half(image: tf.Tensor, draws: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
    def noisy() -> tf.Tensor:
        return image + noise.gaussian(tf.shape(image), own_seed(seed, 1), sigma=5.0)

    return tf.cond(draws[_JITTER][1] < 0.5, noisy, lambda: image)


# s2 -----------------------------------------------------------------------------------------------


def s2(image: tf.Tensor, draws: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
    """Exactly one of crop, colour jitter and affine, torchvision's."""
    branches = [
        lambda: random_resized_crop(image, draws),
        lambda: _torchvision_jitter(image, draws),
        lambda: _torchvision_affine(image, draws),
    ]
    return tf.switch_case(whole_between(draws[_CHOICE], 0, 2), branches)


def _torchvision_jitter(image: tf.Tensor, draws: tf.Tensor) -> tf.Tensor:
    """ColorJitter(0.2, 0.2, 0.2, 0.2): the four changes in random order."""
    factors = between(draws[_JITTER][:3], 0.8, 1.2)
    turn = between(draws[_JITTER][3], -0.2, 0.2)
    for which in tf.unstack(tf.argsort(draws[_ORDER])):
        steps = [
            lambda now=image: transforms.brightness(now, factors[0]),
            lambda now=image: transforms.contrast(now, factors[1]),
            lambda now=image: transforms.saturation(now, factors[2]),
            lambda now=image: transforms.hue(now, turn),
        ]
        image = tf.switch_case(which, steps)
    return image


def _torchvision_affine(image: tf.Tensor, draws: tf.Tensor) -> tf.Tensor:
    """RandomAffine(15, translate=(0.2, 0.2), scale=(0.8, 1.2), shear=15)."""
    height, width = tf.unstack(tf.cast(tf.shape(image)[:2], tf.float32))
    angle, shear, scale, right, down = tf.unstack(draws[_AFFINE])
    return transforms.affine(
        image,
        angle_degrees=between(angle, -15.0, 15.0),
        translation_px=(
            tf.round(between(right, -0.2, 0.2) * width),
            tf.round(between(down, -0.2, 0.2) * height),
        ),
        scale=between(scale, 0.8, 1.2),
        shear_degrees=between(shear, -15.0, 15.0),
    )


# s4 -----------------------------------------------------------------------------------------------


def s4(image: tf.Tensor, draws: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
    """What ImageDataGenerator makes of shifts, zoom, rotation, shear and brightness; no flip.

    The source names the generator and the changes, and no magnitude ("non-zero values"). Ours:
    rotation_range 15, shear_range 15, width_shift_range and height_shift_range 0.2, zoom_range 0.2
    (each axis its own), brightness_range (0.8, 1.2); the generator's own fill, the nearest pixel.
    """
    height, width = tf.unstack(tf.cast(tf.shape(image)[:2], tf.float32))
    angle, shear, zoom, right, down = tf.unstack(draws[_AFFINE])
    image = transforms.keras_affine(
        image,
        angle_degrees=between(angle, -15.0, 15.0),
        shift_px=(between(right, -0.2, 0.2) * width, between(down, -0.2, 0.2) * height),
        shear_degrees=between(shear, -15.0, 15.0),
        zoom=(between(zoom, 0.8, 1.2), between(draws[_ZOOM_ALONG_Y], 0.8, 1.2)),
    )
    return transforms.brightness(image, between(draws[_JITTER][0], 0.8, 1.2))
