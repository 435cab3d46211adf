"""Embeddings of a whole split: pictures in, unit rows and their ids out, in order.

Memory stays flat whatever the number of pictures: rows go to disk batch by batch. A run that was
killed goes on from the last rows that were safe. What lies on the disk is described in
`landmarks_tf.retrieval.embedding_files`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np

from landmarks_tf.retrieval.embedding_files import (
    DTYPES,
    FORMAT_VERSION,
    Embeddings,
    PartialFile,
    load_embeddings,
    mark_path,
    npy_path,
    shard_path,
)
from landmarks_tf.retrieval.files import ids_digest, read_json, write_json
from landmarks_tf.retrieval.vectors import EmbeddingError, as_matrix, check_ids, check_unit_rows


def embed_dataset(
    predict: Callable,
    batches_from: Callable[[int], Iterable],
    *,
    ids,
    dim: int,
    path: str | Path,
    fingerprint: str,
    dtype: str = "float32",
    progress: bool = True,
) -> Embeddings:
    """Streams batches through an embedder into `path`; continues what an earlier run began.

    Args:
        predict: images of one batch -> (B, D) unit rows (a Keras model, a traced function).
        batches_from: row number -> the batches from that row on, each the images or a tuple that
            begins with them. It is asked for row 0, or for a row at which a batch of an earlier
            run ended. All batches together hold exactly len(ids) images, in the order of `ids`.
        ids: (N,) image ids, none twice.
        dim: D.
        path: where to write, ending in .npy; the folder is made.
        fingerprint: names what the rows depend on (a digest of the weights, the image size ...).
            Rows of another fingerprint, other ids or another dim are never continued or reused.
        dtype: what the rows are kept as, one of `embedding_files.DTYPES`.
        progress: show a progress bar with images/s.

    Returns:
        The finished embeddings; at once, if `path` already holds these.

    Raises:
        EmbeddingError: a batch of another shape, with NaN, or with rows that are not unit long.
        ValueError: too few or too many images, ids that do not fit, a path not ending in .npy, an
            unknown dtype.
        OSError: the disk is full or the folder cannot be written; nothing finished is lost.
    """
    path = npy_path(path)
    if not len(ids):
        raise ValueError(f"there are no images to embed for {path}: the list of ids is empty")
    ids = check_ids(ids, len(ids))
    _embed(predict, batches_from, ids, path, _key(ids, dim, dtype, fingerprint), progress)
    return load_embeddings(path)


@dataclass(frozen=True)
class Shard:
    """A run of rows in a file of its own.

    Attributes:
        path: the file.
        first, end: its rows of the whole, the end excluded.
    """

    path: Path
    first: int
    end: int


def plan_shards(path: str | Path, num_rows: int, count: int, *, rows_per_batch: int) -> list[Shard]:
    """Shards of about equal size, each of whole batches (the last batch of the last may be less).

    So a row meets the same others in its batch whoever embeds its shard, and comes out the same to
    the bit.

    Args:
        path: NAME.npy of the whole.
        num_rows: N.
        count: of shards.
        rows_per_batch: rows of every batch but the last.

    Raises:
        ValueError: fewer than one shard, or more than there are batches.
    """
    batches = -(-num_rows // rows_per_batch)
    if not 1 <= count <= batches:
        raise ValueError(
            f"the number of shards must be between 1 and that of batches ({batches}: {num_rows} "
            f"rows, {rows_per_batch} a batch), received {count}"
        )
    starts = [min(num_rows, batches * i // count * rows_per_batch) for i in range(count + 1)]
    path = npy_path(path)
    return [
        Shard(shard_path(path, number, count), first, end)
        for number, (first, end) in enumerate(pairwise(starts))
    ]


def finish_shards(
    path: str | Path, shards: list[Shard], *, ids, dim: int, fingerprint: str, dtype: str
) -> None:
    """Writes the mark over shards that are all there; the arguments are those of the whole.

    Raises:
        FileNotFoundError: one was never finished.
        ValueError: one was made of other rows, by another model or in another dtype.
    """
    path, ids = npy_path(path), check_ids(ids, len(ids))
    for shard in shards:
        expected = _key(ids[shard.first : shard.end], dim, dtype, fingerprint)
        found = read_json(mark_path(shard.path), what="embeddings")
        if found != expected:
            differing = ", ".join(k for k in expected if found.get(k) != expected[k])
            raise ValueError(f"{shard.path} is of another set ({differing}): embed again")
    names = [shard.path.name for shard in shards]
    write_json(mark_path(path), {**_key(ids, dim, dtype, fingerprint), "shards": names})


def embed_shards(
    predict: Callable,
    batches_between: Callable[[int, int], Iterable],
    *,
    shards: list[Shard],
    ids,
    dim: int,
    path: str | Path,
    fingerprint: str,
    dtype: str = "float32",
    progress: bool = True,
) -> None:
    """As `embed_dataset`, into shards; those that are finished are left as they are.

    Args:
        batches_between: (first row, end) -> the batches of these rows.
        shards: from `plan_shards`, of the same `path`.

    Raises:
        As `embed_dataset`.
    """
    path, ids = npy_path(path), check_ids(ids, len(ids))
    key = {**_key(ids, dim, dtype, fingerprint), "shards": [shard.path.name for shard in shards]}
    if mark_path(path).exists() and not _is_finished(path, key):
        mark_path(path).unlink()  # its shards are about to become others
    for shard in shards:
        embed_shard(
            predict,
            batches_between,
            shard=shard,
            ids=ids,
            dim=dim,
            fingerprint=fingerprint,
            dtype=dtype,
            progress=progress,
        )
    finish_shards(path, shards, ids=ids, dim=dim, fingerprint=fingerprint, dtype=dtype)


def embed_shard(
    predict: Callable,
    batches_between: Callable[[int, int], Iterable],
    *,
    shard: Shard,
    ids,
    dim: int,
    fingerprint: str,
    dtype: str = "float32",
    progress: bool = True,
) -> None:
    """One shard of `embed_shards`, whose arguments these are; `ids` are those of the whole."""
    own = np.asarray(ids)[shard.first : shard.end]
    _embed(
        predict,
        lambda row: batches_between(shard.first + row, shard.end),
        own,
        shard.path,
        _key(own, dim, dtype, fingerprint),
        progress,
    )


def _key(ids: np.ndarray, dim: int, dtype: str, fingerprint: str) -> dict:
    if dtype not in DTYPES:
        raise ValueError(f"dtype must be one of {', '.join(DTYPES)}, received {dtype!r}")
    return {
        "format_version": FORMAT_VERSION,
        "num_rows": len(ids),
        "dim": int(dim),
        "dtype": dtype,
        "ids_sha256": ids_digest(ids),
        "fingerprint": fingerprint,
    }


def _is_finished(path: Path, key: dict) -> bool:
    return mark_path(path).exists() and read_json(mark_path(path), what="embeddings") == key


def _embed(predict, batches_from, ids: np.ndarray, path: Path, key: dict, progress: bool) -> None:
    if _is_finished(path, key):
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    with PartialFile(path, key) as partial:
        _fill(partial, predict, batches_from, ids, progress)
    partial.finish(ids)


def _fill(partial: PartialFile, predict, batches_from, ids: np.ndarray, progress: bool) -> None:
    from tqdm import tqdm

    total = len(ids)
    if partial.rows == total:
        return
    with tqdm(
        total=total,
        initial=partial.rows,
        desc=f"embed {partial.path.stem}",
        unit=" images",
        disable=not progress,
    ) as bar:
        for batch in batches_from(partial.rows):
            images = batch[0] if isinstance(batch, tuple | list) else batch
            rows = _checked(np.asarray(predict(images)), len(images), partial, ids)
            partial.append(rows)
            bar.update(len(rows))
    if partial.rows != total:
        raise ValueError(
            f"the batches hold {partial.rows} images, expected {total}, one for each id"
        )


def _checked(
    rows: np.ndarray, batch_size: int, partial: PartialFile, ids: np.ndarray
) -> np.ndarray:
    dim, first = partial.key["dim"], partial.rows
    if rows.shape != (batch_size, dim):
        raise EmbeddingError(
            f"the embedder made {rows.shape} of a batch of {batch_size} images, expected "
            f"({batch_size}, {dim})"
        )
    if first + len(rows) > len(ids):
        raise ValueError(
            f"the batches hold more images than there are ids ({len(ids)}): a plan that repeats "
            "or pads cannot be embedded"
        )
    rows = as_matrix(rows, name="embeddings").astype(np.float32, copy=False)
    try:
        check_unit_rows(rows, name="embeddings", first_row=first)
    except EmbeddingError as error:
        raise EmbeddingError(f"{error} (in the batch from {ids[first]} on)") from None
    return rows
