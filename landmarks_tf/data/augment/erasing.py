"""Parts of a picture taken away: random erasing and cutout."""

from __future__ import annotations

from collections.abc import Callable

import tensorflow as tf

from landmarks_tf.data.augment.randomness import between, own_seed, whole_between

_TRIES = 10
_WHETHER, _TOP, _LEFT = 0, 1, 2
_AREAS, _RATIOS = slice(3, 3 + _TRIES), slice(3 + _TRIES, 3 + 2 * _TRIES)
# ImageNet's mean colour. Cutout writes zeros into a picture from which the mean was subtracted.
_MEAN_COLOUR = (124.0, 116.0, 104.0)


def random_erasing(share: float) -> Callable:
    """Noise in a box of 2-40 % of the area, in `share` of the pictures.

    Zhong et al., "Random Erasing Data Augmentation" (arXiv 1708.04896), algorithm 1: s_l = 0.02,
    s_h = 0.4, the box' ratio of height to width uniform in 0.3 to 1 / 0.3, each value of the box
    random in 0..255. The paper tries until a box fits; here a picture in which none of ten does is
    left as it is, which happens to very long ones alone.
    """

    def erase(image: tf.Tensor, draws: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
        box, fits = _erased_box(tf.shape(image)[:2], draws)

        def erased() -> tf.Tensor:
            noise = tf.random.stateless_uniform(
                tf.shape(image), own_seed(seed, 2), maxval=256, dtype=tf.int32, alg="philox"
            )
            return tf.where(_inside(image, box), tf.cast(noise, tf.float32), image)

        return tf.cond((draws[_WHETHER] < share) & fits, erased, lambda: image)

    return erase


def cutout(side_share: float) -> Callable:
    """A square of `side_share` of the shorter side, anywhere, takes ImageNet's mean colour.

    DeVries and Taylor, "Improved Regularization of Convolutional Neural Networks with Cutout"
    (arXiv 1708.04552): the square's centre is any pixel of the picture, so that part of it may lie
    outside; it is applied to every picture. The paper's side is 16 of 32 px on CIFAR-10.
    """

    def cut(image: tf.Tensor, draws: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
        whole = tf.shape(image)[:2]
        side = tf.cast(tf.round(side_share * tf.cast(tf.reduce_min(whole), tf.float32)), tf.int32)
        top = whole_between(draws[_TOP], 0, whole[0] - 1) - side // 2
        left = whole_between(draws[_LEFT], 0, whole[1] - 1) - side // 2
        return tf.where(_inside(image, (top, left, side, side)), _MEAN_COLOUR, image)

    return cut


def _erased_box(whole: tf.Tensor, draws: tf.Tensor) -> tuple[tuple, tf.Tensor]:
    """The first of ten boxes that fits into the picture, and whether any does."""
    height, width = tf.unstack(tf.cast(whole, tf.float32))
    area = between(draws[_AREAS], 0.02, 0.4) * height * width
    ratio = between(draws[_RATIOS], 0.3, 1 / 0.3)
    tried = tf.cast(tf.round(tf.stack([tf.sqrt(area * ratio), tf.sqrt(area / ratio)], 1)), tf.int32)
    fits = tf.reduce_all((tried > 0) & (tried <= whole), axis=1)
    size = tf.minimum(tried[tf.argmax(fits)], whole)
    top = whole_between(draws[_TOP], 0, whole[0] - size[0])
    left = whole_between(draws[_LEFT], 0, whole[1] - size[1])
    return (top, left, size[0], size[1]), tf.reduce_any(fits)


def _inside(image: tf.Tensor, box: tuple) -> tf.Tensor:
    """(h, w, 1) bool: which pixels lie in (top, left, height, width)."""
    top, left, height, width = box
    shape = tf.shape(image)
    rows, columns = tf.range(shape[0])[:, tf.newaxis], tf.range(shape[1])[tf.newaxis]
    inside = (rows >= top) & (rows < top + height) & (columns >= left) & (columns < left + width)
    return inside[..., tf.newaxis]
