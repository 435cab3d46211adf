"""Mixup and CutMix: pictures of a batch mixed with one another, and their labels with them.

Mixup: Zhang et al., "mixup: Beyond Empirical Risk Minimization" (arXiv 1710.09412): x = l x_i +
(1 - l) x_j, l from Beta(a, a). CutMix: Yun et al. (arXiv 1905.04899): a box of the other picture
is pasted in, (1 - l) of the area, its middle anywhere, cut off at the border; l becomes the area
that is left. As in both papers' programs l, the box and the pairs (a permutation of the batch) are
drawn once a batch. Here they are functions of (seed, step) alone.

A mixed label is a row (class, other class, l): the loss is l times that of the one and 1 - l times
that of the other (`landmarks_tf.losses.MixedLoss`).
"""

from __future__ import annotations

import tensorflow as tf

# Keeps this seed's numbers apart from those of the samples (`augment`).
_STREAM = 0x6D69782E


def mix_batches(
    dataset: tf.data.Dataset,
    *,
    mixup: float = 0.0,
    cutmix: float = 0.0,
    seed: int = 0,
    start_step: int = 0,
) -> tf.data.Dataset:
    """Mixes each batch within itself; with both, either is as likely at each step.

    Args:
        dataset: (images (B, S, S, 3) uint8, labels (B,)), as `make_dataset` gives it.
        mixup: a of Beta(a, a) for mixup; 0 for none. The paper has 0.1 to 0.4 on ImageNet.
        cutmix: the same for CutMix; 0 for none. The paper has 1.
        seed: of the draws.
        start_step: the number of the dataset's first batch in the run.

    Returns:
        (images (B, S, S, 3) uint8, targets (B, 3) float32: class, other class, share of the
        first). A class id below 2**24 is itself in float32.

    Raises:
        ValueError: a below 0, or none above it.
    """
    for name, value in (("mixup", mixup), ("cutmix", cutmix)):
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 1e6:
            raise ValueError(f"{name} must be a number of 0 or more, got {value!r}")
    if not (mixup or cutmix):
        raise ValueError("mixup and cutmix are both 0: there is nothing to mix")

    def mixed(step, batch):
        images, labels = batch
        own = tf.stack([tf.constant(seed, tf.int64), step])
        own = tf.random.experimental.stateless_fold_in(own, _STREAM, alg="philox")
        return mix(images, labels, own, mixup=float(mixup), cutmix=float(cutmix))

    numbered = dataset.enumerate(start_step).map(
        mixed, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True
    )
    return numbered.prefetch(1)


def mix(
    images: tf.Tensor, labels: tf.Tensor, seed: tf.Tensor, *, mixup: float, cutmix: float
) -> tuple[tf.Tensor, tf.Tensor]:
    """One batch mixed within itself; see `mix_batches`.

    Args:
        images: (B, S, S, 3) uint8.
        labels: (B,) class ids.
        seed: (2,) int64.
        mixup: a, 0 for none.
        cutmix: a, 0 for none.
    """
    draws = tf.random.stateless_uniform((3,), _fold(seed, 1), alg="philox")
    order = tf.argsort(
        tf.random.stateless_uniform(tf.shape(labels), _fold(seed, 2), alg="philox"), stable=True
    )
    others = tf.gather(images, order)

    def by_mixup():
        return _blend(images, others, _beta(mixup, seed))

    def by_cutmix():
        return _paste(images, others, _beta(cutmix, seed), draws)

    if mixup and cutmix:
        mixed, share = tf.cond(draws[0] < 0.5, by_mixup, by_cutmix)
    else:
        mixed, share = by_mixup() if mixup else by_cutmix()
    first = tf.cast(labels, tf.float32)
    targets = tf.stack([first, tf.gather(first, order), tf.fill(tf.shape(labels), share)], 1)
    return tf.ensure_shape(mixed, images.shape), targets


def _fold(seed: tf.Tensor, purpose: int) -> tf.Tensor:
    return tf.random.experimental.stateless_fold_in(seed, purpose, alg="philox")


def _beta(a: float, seed: tf.Tensor) -> tf.Tensor:
    """() float32 from Beta(a, a): one of two Gamma(a) numbers' part of both."""
    # By their logarithms, for with a small a both may be too small for any float: Gamma(a) is
    # Gamma(a + 1) times U ** (1 / a) (Marsaglia and Tsang, 2000, section 6).
    larger = tf.random.stateless_gamma((2,), _fold(seed, 3), alpha=a + 1.0, dtype=tf.float64)
    uniform = tf.random.stateless_uniform((2,), _fold(seed, 4), dtype=tf.float64, alg="philox")
    both = tf.math.log(larger) + tf.math.log(1.0 - uniform) / a
    return tf.cast(tf.sigmoid(both[0] - both[1]), tf.float32)


def _blend(images, others, share):
    mixed = tf.cast(others, tf.float32)
    mixed = mixed + share * (tf.cast(images, tf.float32) - mixed)
    return tf.cast(tf.round(mixed), images.dtype), share


def _paste(images, others, share, draws):
    shape = tf.shape(images)
    height, width = shape[1], shape[2]
    part = tf.sqrt(1.0 - share)
    top, bottom = _cut(height, part, draws[1])
    left, right = _cut(width, part, draws[2])
    rows, columns = tf.range(height), tf.range(width)
    inside = (
        ((rows >= top) & (rows < bottom))[:, tf.newaxis] & (columns >= left) & (columns < right)
    )
    pasted = tf.cast((bottom - top) * (right - left), tf.float32)
    share = 1.0 - pasted / tf.cast(height * width, tf.float32)
    return tf.where(inside[..., tf.newaxis], others, images), share


def _cut(side: tf.Tensor, part: tf.Tensor, draw: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Where `part` of a side around a middle anywhere begins and ends, cut off at the borders."""
    whole = tf.cast(side, tf.float32)
    length = tf.cast(whole * part, tf.int32)
    middle = tf.minimum(tf.cast(whole * draw, tf.int32), side - 1)
    return tf.maximum(middle - length // 2, 0), tf.minimum(middle + length // 2, side)
