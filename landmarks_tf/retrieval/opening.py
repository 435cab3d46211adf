"""Opening a saved index of whatever kind, with what is installed here."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from landmarks_tf.retrieval.exact import ExactIndex
from landmarks_tf.retrieval.exact_folder import load_exact
from landmarks_tf.retrieval.files import read_npy
from landmarks_tf.retrieval.index_changes import read_changes
from landmarks_tf.retrieval.index_folder import VECTORS, kind_of, read_ids, read_manifest
from landmarks_tf.retrieval.row_changes import live_rows
from landmarks_tf.retrieval.scann_index import ScannIndex
from landmarks_tf.retrieval.scann_search import import_scann

if TYPE_CHECKING:
    from landmarks_tf.retrieval.sharded_index import ShardedIndex


def open_index(
    path: str | Path,
    *,
    check: bool = True,
    fingerprint: str | None = None,
    report: Callable[[str], None] = print,
) -> ScannIndex | ExactIndex | ShardedIndex:
    """A saved index, searched with ScaNN where it works here, and exactly where it does not.

    Args and errors are those of `ScannIndex.load`, ImportError apart: without ScaNN (no wheel for
    this system, another TensorFlow) `report` gets one line, and the rows are searched exactly.
    """
    path = Path(path)
    options = {"check": check, "fingerprint": fingerprint, "report": report}
    kind = kind_of(path)
    if kind == "sharded":
        from landmarks_tf.retrieval.sharded_index import ShardedIndex  # opens its parts with this

        return ShardedIndex.load(path, **options)
    if kind == "exact":
        return load_exact(path, **options)
    try:
        import_scann()
    except ImportError as error:
        report(f"{error}; {path} is searched exactly, with the same results or better, slower")
        return _searched_exactly(path, check, fingerprint)
    return ScannIndex.load(path, **options)


def _searched_exactly(path: Path, check: bool, fingerprint: str | None) -> ExactIndex:
    manifest = read_manifest(path, fingerprint=fingerprint, digests=check)
    vectors = read_npy(path / VECTORS, what="rows of the index", mmap=True)
    ids = read_ids(path, manifest)
    if changes := read_changes(path, manifest, ids):
        vectors, ids = live_rows(vectors, ids, changes)
    return ExactIndex(vectors, ids)
