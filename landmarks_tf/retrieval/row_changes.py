"""Rows in, rows out: what becomes of an index' changes when ids are added, updated or removed.

Pure functions: they check everything and change nothing, so that a refused change leaves no trace.
"""

from __future__ import annotations

import numpy as np

from landmarks_tf.retrieval.index_changes import Changes
from landmarks_tf.retrieval.vectors import as_matrix, check_ids, check_unit_rows

_NAMED = 3  # ids that a message names


def with_added(changes: Changes, built_ids: np.ndarray, dim: int, embeddings, ids) -> Changes:
    """`changes` and these rows too.

    Args:
        changes: of the index until now.
        built_ids: (N,) ids of the rows as built.
        dim: D.
        embeddings: (A, D) unit rows.
        ids: (A,) ids that the index does not have; an id that was removed may come again.

    Raises:
        EmbeddingError, ValueError: for rows or ids that do not fit.
    """
    rows, ids = _checked(embeddings, ids, dim)
    if not len(rows):
        return changes
    there = np.isin(ids, np.delete(built_ids, changes.removed)) | np.isin(ids, changes.ids)
    if there.any():
        raise ValueError(
            f"{_some(ids[there])} in the index already: update instead of adding, or leave out"
        )
    return Changes(
        np.concatenate([changes.rows, rows]),
        np.concatenate([changes.ids, ids]),
        changes.removed,
        changes.number + 1,
    )


def with_removed(changes: Changes, built_ids: np.ndarray, dim: int, ids) -> Changes:
    """`changes` and these ids gone; arguments as for `with_added`.

    Raises:
        ValueError: for ids that the index does not have or that come twice, or if none would be
            left.
    """
    ids = _as_text(ids)
    if not len(ids):
        return changes
    gone = np.isin(built_ids, ids)
    gone[changes.removed] = False  # removed before: if it came again, then as an added row
    lost = np.isin(changes.ids, ids)
    if gone.sum() + lost.sum() < len(ids):
        there = np.isin(ids, built_ids[gone]) | np.isin(ids, changes.ids[lost])
        raise ValueError(f"{_some(ids[~there])} not in the index, so nothing was removed")
    removed = np.union1d(changes.removed, np.flatnonzero(gone)).astype(np.int64)
    if len(removed) == len(built_ids) and lost.all():
        raise ValueError("no row would be left: delete the index' folder instead")
    return Changes(changes.rows[~lost], changes.ids[~lost], removed, changes.number + 1)


def with_updated(changes: Changes, built_ids: np.ndarray, dim: int, embeddings, ids) -> Changes:
    """`changes` and new rows for ids that are there; arguments and errors as for both others."""
    rows, ids = _checked(embeddings, ids, dim)
    if not len(rows):
        return changes
    # Never left empty: what goes comes back.
    there = np.isin(ids, np.delete(built_ids, changes.removed)) | np.isin(ids, changes.ids)
    if not there.all():
        raise ValueError(f"{_some(ids[~there])} not in the index: add instead of updating")
    gone = np.union1d(changes.removed, np.flatnonzero(np.isin(built_ids, ids))).astype(np.int64)
    kept = ~np.isin(changes.ids, ids)
    return Changes(
        np.concatenate([changes.rows[kept], rows]),
        np.concatenate([changes.ids[kept], ids]),
        gone,
        changes.number + 1,
    )


def live_rows(
    vectors: np.ndarray, built_ids: np.ndarray, changes: Changes
) -> tuple[np.ndarray, np.ndarray]:
    """(len, D) float32 rows that are there, and their ids: the built ones, then the added."""
    left = np.ones(len(vectors), bool)
    left[changes.removed] = False
    return (
        np.concatenate([vectors[left], changes.rows]),
        np.concatenate([built_ids[left], changes.ids]),
    )


def _checked(embeddings, ids, dim: int) -> tuple[np.ndarray, np.ndarray]:
    rows = as_matrix(embeddings, name="the rows", dim=dim).astype(np.float32, copy=False)
    check_unit_rows(rows, name="the rows")
    if ids is None:
        raise ValueError("rows of a changing index need ids: it finds them by these again")
    ids = _as_text(ids)
    return rows, check_ids(ids, len(rows))


def _as_text(ids) -> np.ndarray:
    """Checked ids; an empty list has no type to check."""
    return check_ids(ids, len(ids)) if len(ids) else np.empty(0, "U1")


def _some(ids: np.ndarray) -> str:
    """The first ids for a message, with their verb."""
    named = ", ".join(ids[:_NAMED].tolist())
    if len(ids) > _NAMED:
        named += f" and {len(ids) - _NAMED} more"
    return f"{named} {'is' if len(ids) == 1 else 'are'}"
