"""Cosines and distances between all rows of a batch, whose gradients stay finite."""

from __future__ import annotations

import keras
from keras import ops

DISTANCES = ("squared", "euclidean", "cosine")

_SMALLEST_SQUARED_LENGTH = 1e-24
# Two rows nearer than a millionth count as one: the root has no gradient there.
_SMALLEST_SQUARED_DISTANCE = 1e-12


def cosine_similarities(embeddings):
    """(B, D) rows of any length -> (B, B) cosines; a row of zeros has cosine 0 with every row.

    Raises:
        ValueError: embeddings that are not (B, D) float32.
    """
    rows = _unit_rows(checked_rows(embeddings))
    return ops.matmul(rows, ops.transpose(rows))


def distances(embeddings, name: str):
    """Distances between all rows of a batch.

    Differences of nearby rows are taken from their products, in O(B * B) memory: squares are right
    to about 1e-7 of the rows' own squared lengths, so that two rows of length 1 whose distance is
    below 1e-3 have few digits of it.

    Args:
        embeddings: (B, D) float32.
        name: "squared" (of the Euclidean distance, 0..4 between unit rows), "euclidean" (0..2; its
            gradient at distance 0, where there is none, is 0) or "cosine" (1 minus the cosine,
            0..2 for rows of any length).

    Returns:
        (B, B), never negative, exactly 0 on the diagonal ("cosine": up to rounding).

    Raises:
        ValueError: another name, or embeddings that are not (B, D) float32.
    """
    check_distance(name)
    if name == "cosine":
        return ops.maximum(1.0 - cosine_similarities(embeddings), 0.0)
    rows = checked_rows(embeddings)
    products = ops.matmul(rows, ops.transpose(rows))
    # The lengths come from the same products, so that a row's distance to itself is exactly 0.
    lengths = ops.diagonal(products)
    squared = ops.maximum(lengths[:, None] + lengths[None, :] - 2.0 * products, 0.0)
    if name == "squared":
        return squared
    apart = squared > _SMALLEST_SQUARED_DISTANCE
    return ops.where(apart, ops.sqrt(ops.where(apart, squared, 1.0)), 0.0)


def check_distance(name: str) -> None:
    """Refuse a distance that does not exist."""
    if name not in DISTANCES:
        raise ValueError(f"Expected a distance among {', '.join(DISTANCES)}. Received: {name!r}.")


def checked_rows(embeddings):
    """Embeddings as a tensor; refuses what is not (B, D) float32."""
    embeddings = ops.convert_to_tensor(embeddings)
    dtype = keras.backend.standardize_dtype(embeddings.dtype)
    if dtype != "float32" or len(embeddings.shape) != 2:
        raise ValueError(
            f"A loss over a batch needs float32 embeddings of shape (B, D); half precision cannot "
            f"tell near ones apart. Received: {dtype} of shape {tuple(embeddings.shape)}."
        )
    return embeddings


def _unit_rows(x):
    """Rows of length 1; a row of zeros stays zero, and so does its gradient."""
    squared = ops.sum(ops.square(x), axis=-1, keepdims=True)
    alive = squared > _SMALLEST_SQUARED_LENGTH
    return ops.where(alive, x * ops.rsqrt(ops.where(alive, squared, 1.0)), 0.0)
