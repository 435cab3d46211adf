"""A policy applied: to a whole picture, or in two parts around what a decoder leaves out."""

from __future__ import annotations

import functools

import tensorflow as tf

from landmarks_tf.data import image_ops, jpeg, transforms
from landmarks_tf.data.augment.policies import Stages, stages
from landmarks_tf.data.augment.randomness import draw

# Seeds of the policies after the first of a "+"; the first has the sample's own.
_LATER = 1000


def prepare(
    image: tf.Tensor, seed: tf.Tensor, *, policy: str, mode: str, image_size: int
) -> tf.Tensor:
    """`image_ops.prepare` with a random augmentation: (S, S, 3) uint8.

    Args:
        image: (H, W, 3) uint8.
        seed: (2,) int64, the run's seed and the number of the sample in the run.
        policy: one of `POLICIES`, or several joined by "+"; "none" gives exactly what
            `image_ops.prepare` gives.
        mode: one of `image_ops.MODES`.
        image_size: S, in pixels.

    Raises:
        ValueError: an unknown policy or mode, an argument that a policy does not take, an image
            size that is no positive whole number, or an image that is not (H, W, 3).
    """
    image = tf.convert_to_tensor(image)
    box = _box(_seeded(policy, seed), tf.shape(image)[:2])
    if box is not None:
        image = transforms.crop(image, box)
    return finish(image, seed, policy=policy, mode=mode, image_size=image_size)


def decode(
    encoded: tf.Tensor,
    seed: tf.Tensor,
    *,
    policy: str,
    mode: str,
    image_size: int,
    how: str = "whole",
) -> tf.Tensor:
    """The part of a picture that the policy keeps, (h, w, 3) uint8; `finish` makes it a square.

    Args:
        encoded: () string, an image file's bytes.
        seed, policy, mode, image_size: as for `prepare`.
        how: one of `jpeg.DECODES`: "whole" decodes every pixel; the others are faster, and `jpeg`
            says what they change.

    Raises:
        ValueError: as `prepare`, or an unknown way to decode.
        tf.errors.InvalidArgumentError: the bytes are no picture, or are cut short.
    """
    jpeg.check(how)
    image_ops.check(mode, image_size)
    parts = _seeded(policy, seed)
    if how == "whole":
        image = image_ops.decode(encoded)
        box = _box(parts, tf.shape(image)[:2])
        return image if box is None else transforms.crop(image, box)
    least = None
    if how == "scaled":
        least = functools.partial(image_ops.scaled_size, mode=mode, image_size=image_size)
    return jpeg.decode_part(encoded, functools.partial(_box, parts), least=least)


def finish(
    image: tf.Tensor, seed: tf.Tensor, *, policy: str, mode: str, image_size: int
) -> tf.Tensor:
    """What follows a policy's crop: resizing, retouches and bars; (S, S, 3) uint8.

    Args:
        image: (h, w, 3) uint8, what the policy keeps of a picture.
        seed, policy, mode, image_size: as for `prepare`.
    """
    image = image_ops.to_uint8(image_ops.resize(image, mode=mode, image_size=image_size))
    shape = image.shape
    for part, own, draws in _seeded(policy, seed):
        if part.moves is not None:
            image = part.moves(image, draws)
        if part.retouch is not None:
            image = image_ops.to_uint8(part.retouch(tf.cast(image, tf.float32), draws, own))
        image = tf.ensure_shape(image, shape)
    return image_ops.pad_to_square(image, image_size)


def _seeded(policy: str, seed: tf.Tensor) -> list[tuple[Stages, tf.Tensor, tf.Tensor]]:
    """The parts of a policy, each with a seed of its own and the draws from it."""
    seed = tf.convert_to_tensor(seed)
    seeded = []
    for number, part in enumerate(stages(policy)):
        own = seed
        if number:
            own = tf.random.experimental.stateless_fold_in(seed, _LATER + number, alg="philox")
        seeded.append((part, own, draw(own)))
    return seeded


def _box(parts, height_width: tf.Tensor):
    """(top, left, height, width) of what the policy cuts out of a picture; None for all of it."""
    for part, _, draws in parts:
        if part.box is not None:
            return part.box(height_width, draws)
    return None
