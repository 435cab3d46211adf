"""Partial FC's sample of classes (An et al., "Killing Two Birds with One Stone", CVPR 2022)."""

from __future__ import annotations

import keras
from keras import ops


def sample_size(num_classes: int, rate: float, batch_size: int | None) -> int:
    """How many classes a step scores: `rate` of them, and room for the classes of the batch.

    Raises:
        ValueError: a rate outside (0, 1], or a batch whose size is not known beforehand.
    """
    if not 0 < rate <= 1:
        raise ValueError(f"sample_rate is a part of the classes in (0, 1]. Received: {rate}.")
    if batch_size is None:
        raise ValueError(
            "Sampling classes needs batches of one known size: drop the last, shorter one. "
            "Received: a batch of unknown size."
        )
    return min(num_classes, max(round(rate * num_classes), batch_size))


def sample_classes(ids, num_classes: int, size: int, seed) -> tuple:
    """The classes of the batch, and as many others by chance as there is room for.

    Args:
        ids: (B,) int32 class ids in [0, N).
        num_classes: N.
        size: S, as `sample_size` gives it.
        seed: a `keras.random.SeedGenerator`, or what else `keras.random` takes.

    Returns:
        classes (S,) int32 in rising order, all different; places (B,) int32: `ids` among them.
    """
    keys = keras.random.uniform((num_classes,), seed=seed, dtype="float32")
    # Above every random key: the batch's own classes are always in.
    own = ops.full_like(ops.cast(ids, "float32"), 2.0)
    keys = ops.scatter_update(keys, ids[:, None], own)
    classes = ops.sort(ops.cast(ops.top_k(keys, size, sorted=False)[1], "int32"))
    return classes, ops.cast(ops.searchsorted(classes, ids), "int32")
