"""Named training augmentations; every draw is a function of (seed, sample number).

A policy has up to two stages, put where its source puts them: a crop of the whole picture before
it is resized, and a retouch of the resized picture before the letterbox' black bars are added, so
the bars stay black. A resumed run sees the pictures that the undisturbed one would have seen,
whatever the parallelism. (S1: Wang et al., GE2E and ArcFace retrieval; S2: Samala and Jiang,
Inception recognition; S4: Patel et al., recognition by triplets.)

===========  ====================================================================================
none         the picture as evaluation and export see it
flip         half of the pictures mirrored, nothing else
flip_jitter  for networks trained from scratch: a crop of 40-100 % of the area, flip, mild jitter of
             brightness, contrast and saturation
s1           flip; shift of HSV value by -60..+61 in 4 of 5 pictures; Gaussian noise of sigma 5 in
             every other one
s2           flip, then exactly one of torchvision's RandomResizedCrop, ColorJitter(0.2, 0.2, 0.2,
             0.2), RandomAffine(15, (0.2, 0.2), (0.8, 1.2), 15), each on the resized picture
s4           that affine change and brightness together on every picture, no flip; magnitudes ours
===========  ====================================================================================
"""

from __future__ import annotations

import dataclasses
import difflib
import math
from collections.abc import Callable

import tensorflow as tf

from landmarks_tf.data import image_ops, transforms

_NUM_DRAWS = 48  # uniform numbers a picture; the policies below use fewer
_CROP_TRIES = 10  # as torchvision


def prepare(
    image: tf.Tensor, seed: tf.Tensor, *, policy: str, mode: str, image_size: int
) -> tf.Tensor:
    """`image_ops.prepare` with a random augmentation: (S, S, 3) uint8.

    Args:
        image: (H, W, 3) uint8.
        seed: (2,) int64, the run's seed and the number of the sample in the run.
        policy: one of `POLICIES`; "none" gives exactly what `image_ops.prepare` gives.
        mode: one of `image_ops.MODES`.
        image_size: S, in pixels.

    Raises:
        ValueError: an unknown policy or mode, an image size that is no positive whole number, or
            an image that is not (H, W, 3).
    """
    chosen = stages(policy)
    image = tf.convert_to_tensor(image)
    draws = tf.random.stateless_uniform((_NUM_DRAWS,), seed, alg="philox")
    if chosen.crop is not None:
        image = chosen.crop(image, draws)
    image = image_ops.to_uint8(image_ops.resize(image, mode=mode, image_size=image_size))
    if chosen.retouch is not None:
        shape = image.shape
        image = image_ops.to_uint8(chosen.retouch(tf.cast(image, tf.float32), draws, seed))
        image = tf.ensure_shape(image, shape)
    return image_ops.pad_to_square(image, image_size)


@dataclasses.dataclass(frozen=True)
class Stages:
    """The stages of a policy; None where it has none.

    Attributes:
        crop: (image (H, W, 3) uint8, draws) -> part of it.
        retouch: (image (h, w, 3) float32 0..255, draws, seed) -> image of the same shape.
    """

    crop: Callable | None = None
    retouch: Callable | None = None


def stages(policy: str) -> Stages:
    """The stages of the named policy.

    Raises:
        ValueError: there is no such policy.
    """
    if policy in _POLICIES:
        return _POLICIES[policy]
    near = difflib.get_close_matches(str(policy), POLICIES, n=1)
    hint = f"; did you mean {near[0]!r}?" if near else ""
    raise ValueError(
        f"unknown augmentation {policy!r}, expected one of {', '.join(POLICIES)}{hint}"
    )


# The draws, each used once ------------------------------------------------------------------------
_FLIP, _CHOICE, _TOP, _LEFT, _AREA, _RATIO = range(6)
_JITTER = slice(
    6, 10
)  # brightness, contrast, saturation, hue; or whether to shift and to add noise
_ORDER = slice(10, 14)
_AFFINE = slice(14, 19)
_AREAS = slice(20, 20 + _CROP_TRIES)
_RATIOS = slice(20 + _CROP_TRIES, 20 + 2 * _CROP_TRIES)


def _between(draw: tf.Tensor, low: float, high: float) -> tf.Tensor:
    return low + (high - low) * draw


def _whole_between(draw: tf.Tensor, low: tf.Tensor, high: tf.Tensor) -> tf.Tensor:
    """A whole number in low..high, both included, as int32; `draw` is below 1."""
    count = tf.cast(high - low + 1, tf.float32)
    return low + tf.minimum(tf.cast(tf.floor(draw * count), tf.int32), high - low)


def _flip(image: tf.Tensor, draws: tf.Tensor) -> tf.Tensor:
    return tf.cond(draws[_FLIP] < 0.5, lambda: tf.reverse(image, [1]), lambda: image)


# flip_jitter --------------------------------------------------------------------------------------


def _loose_crop(image: tf.Tensor, draws: tf.Tensor) -> tf.Tensor:
    """40-100 % of the area, its shape at most 4:3 off the picture's own."""
    area = _between(draws[_AREA], 0.4, 1.0)
    stretch = tf.exp(_between(draws[_RATIO], -math.log(4 / 3) / 2, math.log(4 / 3) / 2))
    side = tf.sqrt(area)
    return transforms.crop(image, _place(image, draws, side * stretch, side / stretch))


def _place(image, draws, height_share, width_share):
    """A box of these shares of height and width, at least a pixel, anywhere in the image."""
    whole = tf.shape(image)[:2]
    shares = tf.minimum(tf.stack([height_share, width_share]), 1.0)
    size = tf.maximum(tf.cast(tf.round(tf.cast(whole, tf.float32) * shares), tf.int32), 1)
    top = _whole_between(draws[_TOP], 0, whole[0] - size[0])
    left = _whole_between(draws[_LEFT], 0, whole[1] - size[1])
    return top, left, size[0], size[1]


def _flip_and_mild_jitter(image: tf.Tensor, draws: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
    factors = _between(draws[_JITTER], 0.75, 1.25)
    image = transforms.brightness(_flip(image, draws), factors[0])
    image = transforms.contrast(image, factors[1])
    return transforms.saturation(image, factors[2])


# s1 -----------------------------------------------------------------------------------------------


def _s1(image: tf.Tensor, draws: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
    image = _flip(image, draws)
    shift = tf.cast(_whole_between(draws[_JITTER][2], -60, 61), tf.float32)
    shift = tf.where(draws[_JITTER][0] < 0.8, shift, 0.0)
    image = transforms.value_shift(image, shift)

    def noisy() -> tf.Tensor:
        # A seed of its own: with the draws' seed the noise would repeat the bits of the draws.
        own = tf.random.experimental.stateless_fold_in(seed, 1, alg="philox")
        noise = tf.random.stateless_normal(tf.shape(image), own, stddev=5.0, alg="philox")
        return image + noise

    return tf.cond(draws[_JITTER][1] < 0.5, noisy, lambda: image)


# s2 -----------------------------------------------------------------------------------------------


def _s2(image: tf.Tensor, draws: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
    image = _flip(image, draws)
    branches = [
        lambda: random_resized_crop(image, draws),
        lambda: _torchvision_jitter(image, draws),
        lambda: _torchvision_affine(image, draws),
    ]
    return tf.switch_case(_whole_between(draws[_CHOICE], 0, 2), branches)


def random_resized_crop(image: tf.Tensor, draws: tf.Tensor) -> tf.Tensor:
    """RandomResizedCrop's defaults: 8-100 % of the area, 3:4 to 4:3, scaled back to the size.

    The first of ten tries that fits is taken; if none does, the largest middle part within the
    ratios, as torchvision does.
    """
    whole = tf.shape(image)[:2]
    height, width = tf.unstack(tf.cast(whole, tf.float32))
    area = _between(draws[_AREAS], 0.08, 1.0) * height * width
    ratio = tf.exp(_between(draws[_RATIOS], math.log(3 / 4), math.log(4 / 3)))
    tried = tf.cast(tf.round(tf.stack([tf.sqrt(area / ratio), tf.sqrt(area * ratio)], 1)), tf.int32)
    fits = tf.reduce_all((tried > 0) & (tried <= whole), axis=1)
    size = tried[tf.argmax(fits)]
    top = _whole_between(draws[_TOP], 0, tf.maximum(whole[0] - size[0], 0))
    left = _whole_between(draws[_LEFT], 0, tf.maximum(whole[1] - size[1], 0))
    limited = tf.stack([tf.minimum(height, width * 4 / 3), tf.minimum(width, height * 4 / 3)])
    limited = tf.cast(tf.round(limited), tf.int32)
    middle = tf.concat([(whole - limited) // 2, limited], 0)
    box = tf.where(tf.reduce_any(fits), tf.concat([[top, left], size], 0), middle)
    part = transforms.crop(image, tf.unstack(box))
    return tf.ensure_shape(
        image_ops.resample(part, tf.unstack(whole), tf.unstack(whole), antialias=True), image.shape
    )


def _torchvision_jitter(image: tf.Tensor, draws: tf.Tensor) -> tf.Tensor:
    """ColorJitter(0.2, 0.2, 0.2, 0.2): the four changes in random order."""
    factors = _between(draws[_JITTER][:3], 0.8, 1.2)
    turn = _between(draws[_JITTER][3], -0.2, 0.2)
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
        angle_degrees=_between(angle, -15.0, 15.0),
        translation_px=(
            tf.round(_between(right, -0.2, 0.2) * width),
            tf.round(_between(down, -0.2, 0.2) * height),
        ),
        scale=_between(scale, 0.8, 1.2),
        shear_degrees=_between(shear, -15.0, 15.0),
    )


# s4 -----------------------------------------------------------------------------------------------


def _s4(image: tf.Tensor, draws: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
    """Shifts, zoom, rotation, shear and brightness together; no flip (reproduction.md, 3.2).

    The source names the changes and no magnitude: those of `_torchvision_affine`, and 0.8 to 1.2
    for brightness, are ours.
    """
    image = _torchvision_affine(image, draws)
    return transforms.brightness(image, _between(draws[_JITTER][0], 0.8, 1.2))


_POLICIES = {
    "none": Stages(),
    "flip": Stages(retouch=lambda image, draws, seed: _flip(image, draws)),
    "flip_jitter": Stages(crop=_loose_crop, retouch=_flip_and_mild_jitter),
    "s1": Stages(retouch=_s1),
    "s2": Stages(retouch=_s2),
    "s4": Stages(retouch=_s4),
}
POLICIES = tuple(_POLICIES)
