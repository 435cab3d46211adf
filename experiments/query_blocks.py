"""Queries in blocks, read from their files where and when they are searched."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from experiments.index_files import QUERIES_AT_ONCE, files_of, prepared, read_ids_file, read_rows
from landmarks_tf.retrieval.files import sha256
from landmarks_tf.retrieval.vectors import as_matrix, check_unit_rows

if TYPE_CHECKING:
    from landmarks_tf.retrieval.reranking.whitening import Whitening


class Block(NamedTuple):
    """Queries that are searched at once.

    Attributes:
        file: where they are.
        first: row of the first in it.
        count: how many.
        place: number of the first among all queries.
    """

    file: Path
    first: int
    count: int
    place: int


def read_blocks(
    path: Path, ids: Path | None = None, *, normalize: bool = False, dim: int
) -> tuple[list[Block], np.ndarray | None]:
    """The blocks of a file of queries, all of which are looked at once.

    Args:
        path: a file as `read_rows` takes it; shards of embeddings are read one by one.
        ids: a file of ids, which goes before those of the embeddings.
        normalize: whether rows of any length will be made unit long.
        dim: D of the rows in the file.

    Returns:
        blocks of at most `QUERIES_AT_ONCE`, none over two files; (Q,) text, or None.

    Raises:
        ValueError, OSError: for what is missing, is no matrix, is not unit long, or ids that do
            not fit.
    """
    blocks, found_ids, place = [], [], 0
    for file in files_of(path):
        rows = read_rows(file)
        vectors = as_matrix(rows.vectors, name="queries", dim=dim)
        for first in range(0, len(vectors), QUERIES_AT_ONCE):
            count = min(QUERIES_AT_ONCE, len(vectors) - first)
            block = Block(file.resolve(), first, count, place + first)
            queries = queries_of(vectors, block, normalize=normalize)
            check_unit_rows(queries, name="queries", first_row=block.place)
            blocks.append(block)
        found_ids.append(rows.ids)
        place += len(vectors)
    query_ids = None if found_ids[0] is None else np.concatenate(found_ids)
    if ids is not None:
        query_ids = read_ids_file(ids)
    if query_ids is not None and len(query_ids) != place:
        raise ValueError(f"{len(query_ids)} ids for {place} queries")
    return blocks, query_ids


def queries_of(
    vectors: np.ndarray, block: Block, *, normalize: bool, whitening: Whitening | None = None
) -> np.ndarray:
    """(count, D) the rows of a block as they are searched, from those of its file."""
    rows = np.asarray(vectors[block.first : block.first + block.count])
    return prepared(rows, block.file, normalize=normalize, whitening=whitening)


def digest_of(blocks: Sequence[Block]) -> str:
    """SHA-256 of all bytes of the queries, and of how they are divided."""
    digests = {file: sha256(file) for file in {block.file for block in blocks}}
    parts = [(digests[block.file], *block[1:]) for block in blocks]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()
