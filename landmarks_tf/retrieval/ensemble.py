"""Several models' embeddings of the same pictures as one.

Each model's unit rows are multiplied by its weight and laid one behind the other; the whole row is
divided by its length. The inner product of two such rows is the mean of the models' cosines,
weighted by the squares of the weights. With equal weights this is the plain concatenation of S3
(reproduction.md) and of the 9th place of Kaggle 2020; the winner of that year took 1, 0.8, 0.55 and
0.5 for four models (formats.md section 3.2; the organisers compare by distance and the rows' common
length changes no ranking).
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from landmarks_tf.retrieval.embed import embed_dataset
from landmarks_tf.retrieval.embedding_files import Embeddings, load_embeddings
from landmarks_tf.retrieval.vectors import check_unit_rows

_ROWS_AT_ONCE = 8_192


def concatenate_embeddings(
    parts: Sequence[tuple[str | Path, float]],
    path: str | Path,
    *,
    dtype: str = "float32",
    progress: bool = True,
) -> Embeddings:
    """Writes the weighted concatenation of finished embeddings.

    Args:
        parts: (NAME.npy, weight) of each model, two or more; weights are positive.
        path: where to write, ending in .npy and none of the parts.
        dtype: what the rows are kept as, one of `embedding_files.DTYPES`.
        progress: show a progress bar.

    Returns:
        The finished embeddings; their dimension is the sum of the parts', their fingerprint is made
        of the parts' own and the weights.

    Raises:
        FileNotFoundError: a part was never finished.
        EmbeddingError: a part whose rows are not unit long.
        ValueError: fewer than two parts, a weight that is not positive, parts of other pictures or
            in another order, a path that is one of the parts.
    """
    _check_weights(parts)
    path = Path(path)
    if path.resolve() in [Path(name).resolve() for name, _ in parts]:
        raise ValueError(f"{path} is one of the parts: name another file for the result")
    loaded = [load_embeddings(name) for name, _ in parts]
    for (name, _), one in zip(parts, loaded, strict=True):
        _check_same_pictures(parts[0][0], loaded[0].ids, name, one.ids)
    weights = [weight for _, weight in parts]
    num_rows = len(loaded[0].ids)

    def join(rows: np.ndarray) -> np.ndarray:
        return concatenate([one.vectors[rows[0] : rows[-1] + 1] for one in loaded], weights)

    def rows_from(first: int):
        for start in range(first, num_rows, _ROWS_AT_ONCE):
            yield np.arange(start, min(start + _ROWS_AT_ONCE, num_rows))

    return embed_dataset(
        join,
        rows_from,
        ids=loaded[0].ids,
        dim=sum(one.vectors.shape[1] for one in loaded),
        path=path,
        fingerprint=_fingerprint(loaded, weights),
        dtype=dtype,
        progress=progress,
    )


def concatenate(parts: Sequence[np.ndarray], weights: Sequence[float]) -> np.ndarray:
    """(N, D1), (N, D2) ... unit rows and their weights -> (N, D1 + D2 ...) float32 unit rows.

    Raises:
        EmbeddingError: rows that are not unit long.
    """
    for number, part in enumerate(parts, start=1):
        check_unit_rows(part, name=f"part {number}")
    # Weights relative to their joint length make unit rows of unit rows; what is left is rounding.
    length = math.sqrt(sum(weight**2 for weight in weights))
    rows = np.concatenate(
        [
            np.asarray(part, np.float32) * np.float32(weight / length)
            for part, weight in zip(parts, weights, strict=True)
        ],
        axis=1,
    )
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def _check_weights(parts: Sequence[tuple[str | Path, float]]) -> None:
    if len(parts) < 2:
        raise ValueError(f"an ensemble has two models or more, received {len(parts)}")
    for name, weight in parts:
        if not (math.isfinite(weight) and weight > 0):
            raise ValueError(f"the weight of {name} must be positive, received {weight}")


def _check_same_pictures(first, first_ids: np.ndarray, other, other_ids: np.ndarray) -> None:
    if len(first_ids) != len(other_ids):
        raise ValueError(
            f"{first} has {len(first_ids)} rows, {other} {len(other_ids)}: expected the same "
            "pictures in the same order"
        )
    differ = np.flatnonzero(first_ids != other_ids)
    if differ.size:
        row = int(differ[0])
        raise ValueError(
            f"row {row} is picture {first_ids[row]} in {first} and {other_ids[row]} in {other}: "
            "expected the same pictures in the same order; embed both from the same records"
        )


def _fingerprint(parts: Sequence[Embeddings], weights: Sequence[float]) -> str:
    text = "/".join(
        f"{one.fingerprint}:{weight!r}" for one, weight in zip(parts, weights, strict=True)
    )
    return hashlib.sha256(f"concatenation/{text}".encode()).hexdigest()[:16]
