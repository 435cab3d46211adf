"""What was added to and removed from an index since it was built, in memory and on disk.

ScaNN 1.4.2 can change an index itself, but deleting from one with SOAR ends the process with
SIGSEGV, and its ids are a pickle. So the built index is never touched: added rows lie beside it and
are searched exactly, removed ones are left out of every answer, and a rebuild takes both in.

    index/changes/000003.rows.npy       (A, D) float32 rows added since the build
    index/changes/000003.ids.npy        (A,) their ids
    index/changes/000003.removed.npy    (R,) rows of the built index that are gone, rising

Each change writes all three anew under the next number, then the manifest that names them: a
process that dies in between leaves files that no manifest names, and the index as it was.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from landmarks_tf.retrieval.files import read_json, read_npy, write_npy
from landmarks_tf.retrieval.index_folder import (
    CHANGES,
    MANIFEST,
    IndexFolderError,
    write_changed_manifest,
)
from landmarks_tf.retrieval.vectors import check_ids, check_unit_rows

_PARTS = ("rows", "ids", "removed")


@dataclass(frozen=True)
class Changes:
    """Rows that an index gained and lost since it was built.

    Attributes:
        rows: (A, D) float32 unit rows.
        ids: (A,) their ids; none is that of a row of the built index that is still there.
        removed: (R,) int64 numbers of rows of the built index, rising.
        number: counts the changes; 0 of an index as it was built.
    """

    rows: np.ndarray
    ids: np.ndarray
    removed: np.ndarray
    number: int

    @classmethod
    def none(cls, dim: int) -> Changes:
        """Those of an index as it was built."""
        return cls(np.empty((0, dim), np.float32), np.empty(0, "U1"), np.empty(0, np.int64), 0)

    def __len__(self) -> int:
        return len(self.rows) + len(self.removed)


def read_changes(folder: Path, manifest: dict, base_ids: np.ndarray | None) -> Changes:
    """The changes that a manifest names.

    Raises:
        IndexFolderError: if they do not fit the index.
    """
    number = manifest.get("changes", 0)
    if not number:
        return Changes.none(manifest["dim"])
    arrays = (read_npy(folder / _name(number, part), what="changed rows") for part in _PARTS)
    changes = Changes(*arrays, number)
    fault = _fault(changes, manifest, base_ids)
    if fault:
        raise IndexFolderError(f"{folder / CHANGES}: {fault}; build the index again")
    return changes


def _fault(changes: Changes, manifest: dict, base_ids: np.ndarray | None) -> str | None:
    """What is wrong with changes that were read, if anything."""
    rows, ids, removed, dim = changes.rows, changes.ids, changes.removed, manifest["dim"]
    if rows.shape != (len(ids), dim) or rows.dtype != np.float32:
        return f"{len(ids)} added rows of {dim} expected, found {rows.shape} {rows.dtype}"
    if base_ids is None:
        return "rows were changed, but the index has no ids"
    if removed.ndim != 1 or removed.dtype != np.int64 or (np.diff(removed) <= 0).any():
        return "the removed rows are not a rising list of row numbers"
    if len(removed) and not 0 <= removed[0] <= removed[-1] < manifest["num_rows"]:
        return f"removed rows must lie between 0 and {manifest['num_rows'] - 1}"
    try:
        check_unit_rows(rows, name="the added rows")
        check_ids(np.concatenate([np.delete(base_ids, removed), ids]), _live(changes, base_ids))
    except ValueError as error:
        return str(error)
    return None


def _live(changes: Changes, base_ids: np.ndarray) -> int:
    return len(base_ids) - len(changes.removed) + len(changes.rows)


def write_changes(folder: Path, changes: Changes, manifest: dict) -> dict:
    """Makes `changes` those of the index, if it still is as `manifest` says.

    Args:
        folder: the index.
        changes: all of them since the build, numbered one more than in `manifest`.
        manifest: of the state that `changes` goes out from.

    Returns:
        The new manifest.

    Raises:
        IndexFolderError: if another process changed or rebuilt the index in the meantime.
    """
    with alone(folder):
        check_unchanged(folder, manifest)
        (folder / CHANGES).mkdir(exist_ok=True)
        names = [_name(changes.number, part) for part in _PARTS]
        for name, array in zip(names, (changes.rows, changes.ids, changes.removed), strict=True):
            write_npy(folder / name, array)
        changed = write_changed_manifest(folder, manifest, names, changes.number)
        # Who read the manifest before may still open what it names.
        kept = {*names, *(_name(changes.number - 1, part) for part in _PARTS)}
        for path in (folder / CHANGES).iterdir():
            if path.relative_to(folder).as_posix() not in kept:
                path.unlink(missing_ok=True)
    return changed


def check_unchanged(folder: Path, manifest: dict) -> None:
    """Raises IndexFolderError unless the index on disk is the one that was opened."""
    if read_json(folder / MANIFEST, what="index") != manifest:
        raise IndexFolderError(
            f"{folder} was changed by another process since it was opened: open it again, then "
            "repeat the change"
        )


@contextlib.contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Keeps other processes from changing `folder` meanwhile; a lock dies with its process."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def _name(number: int, part: str) -> str:
    return f"{CHANGES}/{number:06d}.{part}.npy"
