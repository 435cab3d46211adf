"""RandAugment and TrivialAugment: some of fourteen changes, at one magnitude or at any.

RandAugment: Cubuk et al., arXiv 1909.13719; its changes have the ranges of AutoAugment (Cubuk et
al., arXiv 1805.09501, table 6), scaled linearly from nothing at M = 0 to the range's end at M = 10.
TrivialAugment: Mueller and Hutter, arXiv 2103.10158, table 7, the wide range ("TA (Wide)"), one of
31 strengths. Both are applied to the resized picture; what comes from outside it is black, and
positions between pixels are interpolated.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import tensorflow as tf

from landmarks_tf.data import tones, transforms
from landmarks_tf.data.augment.randomness import whole_between

MOST_CHANGES = 16
_STRENGTHS = 30  # of TrivialAugment, counted from 0


@dataclasses.dataclass(frozen=True)
class Ranges:
    """How far each kind of change goes at full strength; at none it changes nothing.

    Attributes:
        shear: how many pixels to the side a pixel further on.
        translate_share: of the side, or None.
        translate_px: pixels, where there is no share.
        rotate_degrees: either way.
        enhance: colour, contrast, brightness and sharpness: by factors of 1 -+ this.
        posterize_bits: how many of the 8 bits are dropped.
    """

    shear: float
    translate_share: float | None
    translate_px: float
    rotate_degrees: float
    enhance: float
    posterize_bits: int


# AutoAugment moves its 331 px pictures by up to 150.
RAND = Ranges(0.3, 150 / 331, 0.0, 30.0, 0.9, 4)
TRIVIAL = Ranges(0.99, None, 32.0, 135.0, 0.99, 6)


def rand_augment(num_changes: int, strength: float) -> Callable:
    """N changes, each any of the fourteen, all at `strength` = M / 10 of their range."""

    def change(image: tf.Tensor, draws: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
        for number in range(num_changes):
            image = _any_change(image, draws[2 * number], draws[2 * number + 1], strength, RAND)
        return image

    return change


def trivial_augment(image: tf.Tensor, draws: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
    """One change, any of the fourteen, at any of 31 strengths."""
    strength = tf.cast(whole_between(draws[2], 0, _STRENGTHS), tf.float32) / _STRENGTHS
    return _any_change(image, draws[0], draws[1], strength, TRIVIAL)


def _any_change(image, which, sign, strength, ranges: Ranges) -> tf.Tensor:
    strength = tf.convert_to_tensor(strength, tf.float32)
    signed = tf.where(sign < 0.5, -strength, strength)
    branches = [
        lambda change=change: tf.ensure_shape(
            change(image, strength, signed, ranges), (None, None, 3)
        )
        for change in CHANGES.values()
    ]
    return tf.switch_case(whole_between(which, 0, len(branches) - 1), branches)


def _enhancement(enhance: Callable) -> Callable:
    return lambda image, strength, signed, ranges: enhance(image, 1.0 + signed * ranges.enhance)


def _shear(along: int) -> Callable:
    def change(image, strength, signed, ranges):
        amount = signed * ranges.shear
        rows = ((1.0, amount, 0.0), (0.0, 1.0, 0.0))
        return transforms.from_where(image, rows if along == 1 else tuple(_turned(rows)))

    return change


def _translate(along: int) -> Callable:
    def change(image, strength, signed, ranges):
        side = tf.cast(tf.shape(image)[along], tf.float32)
        most = ranges.translate_px
        if ranges.translate_share is not None:
            most = ranges.translate_share * side
        rows = ((1.0, 0.0, signed * most), (0.0, 1.0, 0.0))
        return transforms.from_where(image, rows if along == 1 else tuple(_turned(rows)))

    return change


def _turned(rows):
    """A change along x as the same along y."""
    (a, b, c), (d, e, f) = rows
    return (e, d, f), (b, a, c)


def _rotate(image, strength, signed, ranges):
    return transforms.affine(
        image,
        angle_degrees=signed * ranges.rotate_degrees,
        translation_px=(0.0, 0.0),
        scale=1.0,
        shear_degrees=0.0,
    )


def _solarize(image, strength, signed, ranges):
    return tones.solarize(image, 256.0 * (1.0 - strength))


def _posterize(image, strength, signed, ranges):
    return tones.posterize(image, 8 - tf.cast(tf.round(strength * ranges.posterize_bits), tf.int32))


# name -> (image, strength 0..1, the same with a sign, ranges) -> image
CHANGES = {
    "identity": lambda image, strength, signed, ranges: image,
    "auto_contrast": lambda image, strength, signed, ranges: tones.auto_contrast(image),
    "equalize": lambda image, strength, signed, ranges: tones.equalize(image),
    "rotate": _rotate,
    "solarize": _solarize,
    "color": _enhancement(transforms.saturation),
    "posterize": _posterize,
    "contrast": _enhancement(transforms.contrast),
    "brightness": _enhancement(transforms.brightness),
    "sharpness": _enhancement(tones.sharpness),
    "shear_x": _shear(1),
    "shear_y": _shear(0),
    "translate_x": _translate(1),
    "translate_y": _translate(0),
}
