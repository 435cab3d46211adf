"""Partial FC's sample of classes (An et al., "Killing Two Birds with One Stone", CVPR 2022)."""

from __future__ import annotations

import keras
from keras import ops


def sample_size(
    num_classes: int, rate: float, batch_size: int | None, classes_per_batch: int | None = None
) -> int:
    """How many classes a step scores: `rate` of them, and room for the classes of the batch.

    Args:
        num_classes: N.
        rate: part of them, in (0, 1].
        batch_size: B; None where it is not known beforehand.
        classes_per_batch: so many different classes a batch has at most, such as P of P x K
            batches; None where only B bounds them.

    Raises:
        ValueError: a rate outside (0, 1], fewer than one class a batch, or nothing known that
            bounds the classes of a batch.
    """
    if not 0 < rate <= 1:
        raise ValueError(f"sample_rate is a part of the classes in (0, 1]. Received: {rate}.")
    if classes_per_batch is not None and classes_per_batch < 1:
        raise ValueError(
            f"A batch has at least 1 class. Received: classes_per_batch={classes_per_batch}."
        )
    bounds = [bound for bound in (batch_size, classes_per_batch) if bound is not None]
    if not bounds:
        raise ValueError(
            "Sampling classes needs batches of one known size: drop the last, shorter one. "
            "Received: a batch of unknown size."
        )
    return min(num_classes, max(round(rate * num_classes), min(bounds)))


def sample_classes(ids, num_classes: int, size: int, seed) -> tuple:
    """The classes of the batch, and as many others by chance as there is room for.

    Args:
        ids: (B,) int32 class ids in [0, N).
        num_classes: N.
        size: S, as `sample_size` gives it. Where the ids are of more classes than that, only S of
            theirs are in: look whether `classes` at `places` are the ids.
        seed: a `keras.random.SeedGenerator`, or what else `keras.random` takes.

    Returns:
        classes (S,) int32 in rising order, all different; places (B,) int32 in [0, S): `ids` among
        them.
    """
    keys = keras.random.uniform((num_classes,), seed=seed, dtype="float32")
    # Above every random key: the batch's own classes are always in.
    own = ops.full_like(ops.cast(ids, "float32"), 2.0)
    keys = ops.scatter_update(keys, ids[:, None], own)
    classes = ops.sort(ops.cast(ops.top_k(keys, size, sorted=False)[1], "int32"))
    # Past the end stands an id above all of a sample that had no room for it.
    return classes, ops.minimum(ops.cast(ops.searchsorted(classes, ids), "int32"), size - 1)
