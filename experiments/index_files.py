"""Embeddings and ids as the index commands take them: this project's files, or anyone's."""

from __future__ import annotations

import csv
import sys
import zipfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from landmarks_tf.retrieval.embedding_files import load_embeddings, mark_path, shard_paths
from landmarks_tf.retrieval.files import read_npy
from landmarks_tf.retrieval.vectors import as_matrix

if TYPE_CHECKING:
    from landmarks_tf.retrieval.reranking.whitening import Whitening

QUERIES_AT_ONCE = 4_096


@dataclass(frozen=True)
class Rows:
    """What a file of embeddings holds.

    Attributes:
        vectors: (N, D) rows, memory-mapped where the file allows it.
        ids: (N,) text, or None.
        fingerprint: what made them; "" where the file does not say.
    """

    vectors: np.ndarray
    ids: np.ndarray | None
    fingerprint: str = ""


def read_rows(
    path: Path,
    ids: Path | None = None,
    *,
    normalize: bool = False,
    whitening: Whitening | None = None,
) -> Rows:
    """Embeddings from a file.

    Args:
        path: NAME.npy as `embed_dataset` leaves it, with its ids; any other .npy of a matrix; or
            an .npz with an array `embeddings`, and perhaps one `ids`.
        ids: a file of ids (see `read_ids_file`), which goes before those of the embeddings.
        normalize: divide each row by its L2 norm; rows of other lengths are refused later on.
        whitening: applied to the unit rows.

    Raises:
        FileNotFoundError, ValueError: for what is missing or is no matrix.
    """
    if path.suffix == ".npz":
        rows = _read_npz(path)
    elif path.suffix == ".npy" and mark_path(path).exists():
        stored = load_embeddings(path)
        rows = Rows(stored.vectors, stored.ids, stored.fingerprint)
    else:
        rows = Rows(read_npy(path, what="embeddings", mmap=True), None)
    vectors = as_matrix(rows.vectors, name=str(path))
    vectors = prepared(vectors, path, normalize=normalize, whitening=whitening)
    return Rows(vectors, rows.ids if ids is None else read_ids_file(ids), rows.fingerprint)


def _read_npz(path: Path) -> Rows:
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
            if "embeddings" not in arrays:
                raise ValueError(
                    f"{path} has no array named embeddings, only {', '.join(arrays.files)}"
                )
            return Rows(arrays["embeddings"], arrays.get("ids"))
    except FileNotFoundError:
        raise FileNotFoundError(f"embeddings: {path} is missing") from None
    except (OSError, EOFError, TypeError, zipfile.BadZipFile) as error:
        raise ValueError(f"{path} is not a whole .npz file: {error}") from None


def files_of(path: Path) -> list[Path]:
    """The files that `read_rows` reads: shards of embeddings one by one, else `path` itself."""
    is_marked = path.suffix == ".npy" and mark_path(path).exists()
    return shard_paths(path) if is_marked else [path]


def prepared(
    vectors: np.ndarray, path: Path, *, normalize: bool, whitening: Whitening | None
) -> np.ndarray:
    """Rows of a file as they are indexed and searched; arguments and errors as of `read_rows`."""
    if normalize:
        vectors = unit_rows(vectors, path)
    return vectors if whitening is None else whitening.apply(vectors, name=str(path))


def unit_rows(vectors: np.ndarray, path: Path) -> np.ndarray:
    """(N, D) float32 rows of length 1 from rows of any length; `path` names them in messages.

    Raises:
        ValueError: a row is zero, NaN or infinite.
    """
    vectors = vectors.astype(np.float32)
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    if bad := np.flatnonzero(~(np.isfinite(lengths) & (lengths > 0)).ravel()).tolist():
        raise ValueError(f"{path}: row {bad[0]} has no direction: it is zero, NaN or infinite")
    return vectors / lengths


def read_ids_file(path: Path) -> np.ndarray:
    """Ids from a .npy, or from a text file with one on each line.

    Raises:
        FileNotFoundError, ValueError: for what is missing or holds none.
    """
    if path.suffix == ".npy":
        return read_npy(path, what="ids")
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        raise FileNotFoundError(f"ids: {path} is missing") from None
    except UnicodeDecodeError as error:
        raise ValueError(f"ids: {path} is not text: {error}") from None
    ids = [line.strip() for line in lines if line.strip()]
    if not ids:
        raise ValueError(f"ids: {path} holds none")
    return np.array(ids)


def neighbours_of(k: int, num_rows: int) -> int:
    """k, or all rows where there are fewer, which it tells."""
    if num_rows < k:
        print(f"the index has {num_rows} rows, so {num_rows} neighbours are given", file=sys.stderr)
    return min(k, num_rows)


def write_rankings(
    path: Path,
    query_ids: np.ndarray | None,
    index_ids: np.ndarray | None,
    blocks: Iterable[tuple[int, np.ndarray]],
) -> None:
    """A CSV `id,images`, a line for each query; it is there when it is whole.

    Args:
        path: the file.
        query_ids, index_ids: text; row numbers are written where there are none.
        blocks: (number of the first query, rows (B, k)) in the order of the queries.
    """
    temporary = path.with_name(f".{path.name}.tmp")
    try:
        with temporary.open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(("id", "images"))
            for start, rows in blocks:
                names = rows.astype(str) if index_ids is None else index_ids[rows]
                for place, found in enumerate(names, start):
                    query = place if query_ids is None else query_ids[place]
                    writer.writerow((query, " ".join(found.tolist())))
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
