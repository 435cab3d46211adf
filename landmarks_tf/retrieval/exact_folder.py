"""An exact index on disk: the same kind of folder as a ScaNN index, with plain rows in it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from landmarks_tf.retrieval.exact import ExactIndex
from landmarks_tf.retrieval.files import read_npy, write_npy
from landmarks_tf.retrieval.index_folder import (
    EXACT_VECTORS,
    IDS,
    IndexFolderError,
    being_made,
    read_ids,
    read_manifest,
    write_manifest,
)


def save_exact(embeddings, ids, path: str | Path, *, fingerprint: str = "") -> None:
    """Saves rows that are to be searched exactly; the folder appears when it is whole.

    Args:
        embeddings: (N, D) unit rows, float32 or float16 (kept as they are).
        ids: (N,) image ids, or None.
        path: the folder to make; an index that is there is replaced, anything else left alone.
        fingerprint: names what made the embeddings.

    Raises:
        EmbeddingError, ValueError: for rows or ids that cannot be indexed.
        IndexFolderError: if `path` is something else.
    """
    path = Path(path)
    index = ExactIndex(embeddings, ids)  # checks both
    with being_made(path) as folder:
        write_npy(folder / EXACT_VECTORS, index.embeddings)
        if index.ids is not None:
            write_npy(folder / IDS, index.ids)
        facts = {"num_rows": len(index), "dim": index.dim, "fingerprint": fingerprint}
        write_manifest(folder, kind="exact", parameters={}, recall=1.0, **facts)


def load_exact(
    path: str | Path,
    *,
    check: bool = True,
    fingerprint: str | None = None,
    report: Callable[[str], None] = print,
) -> ExactIndex:
    """Opens what `save_exact` wrote, its rows memory-mapped.

    Args:
        path: the folder.
        check: compare digests of the files; without it only names and sizes are compared.
        fingerprint: what must have made the embeddings; None accepts any.
        report: gets one line.

    Raises:
        FileNotFoundError: if there is no finished index.
        IndexFolderError: if a file is missing, cut short or changed, the index is of another
            kind, or another model made the embeddings.
    """
    path = Path(path)
    manifest = read_manifest(path, fingerprint=fingerprint, digests=check)
    if manifest.get("kind") != "exact":
        raise IndexFolderError(f"{path} is no exact index: open it with open_index")
    vectors = read_npy(path / EXACT_VECTORS, what="rows of the index", mmap=True)
    index = ExactIndex(vectors, read_ids(path, manifest))
    report(f"exact index {path}: {len(index)} rows of {index.dim}")
    return index
