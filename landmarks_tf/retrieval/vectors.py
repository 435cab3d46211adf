"""Checks that every matrix of embeddings passes before it is searched or written.

A row of NaN or a row that was never normalised does not fail in a matrix product: it comes out as
a wrong ranking. So the checks sit at the doors of this room, and each message names the first bad
row.
"""

from __future__ import annotations

import numpy as np

# A float16 row of 2,048 numbers is unit to about 5e-4; a row that was never normalised is far off.
UNIT_TOLERANCE = 1e-3
_ROWS_PER_CHECK = 16_384


class EmbeddingError(ValueError):
    """Embeddings or queries that cannot be searched: wrong shape, NaN, or rows not unit long."""


def as_matrix(array, *, name: str, dim: int | None = None) -> np.ndarray:
    """`array` as a C-contiguous (N, D) float32 or float16 matrix, without a copy where it is one.

    Args:
        array: (N, D) real numbers; float64 and bfloat16 are cast to float32. A memory-mapped
            array stays memory-mapped.
        name: what the matrix is called in messages ("the index", "queries").
        dim: the D that is expected, if one is.

    Raises:
        EmbeddingError: for another rank, no columns, numbers that are not real, or another D.
    """
    matrix = np.asarray(array) if not isinstance(array, np.ndarray) else array
    if matrix.ndim != 2:
        raise EmbeddingError(
            f"{name} must be a matrix of shape (rows, dimension), received shape {matrix.shape}"
        )
    if dim is not None and matrix.shape[1] != dim:
        raise EmbeddingError(
            f"{name} have dimension {matrix.shape[1]}, the index has dimension {dim}: "
            "both must come from the same embedder"
        )
    if matrix.shape[1] == 0:
        raise EmbeddingError(f"{name} have no columns: shape {matrix.shape}")
    if matrix.dtype not in (np.float32, np.float16):
        if matrix.dtype.kind not in "fiuV" or matrix.dtype.names:
            raise EmbeddingError(f"{name} must hold real numbers, received {matrix.dtype}")
        matrix = matrix.astype(np.float32)
    return np.ascontiguousarray(matrix) if not matrix.flags.c_contiguous else matrix


def check_unit_rows(
    matrix: np.ndarray, *, name: str, tolerance: float = UNIT_TOLERANCE, first_row: int = 0
) -> None:
    """Raises unless every row of a (N, D) matrix is finite and has length 1 +- `tolerance`.

    Args:
        matrix: (N, D) floats, read in pieces so that a memory-mapped one stays on disk.
        name: what the matrix is called in the message.
        tolerance: largest accepted |length - 1|.
        first_row: number that the message gives to row 0 (for a piece of a larger matrix).

    Raises:
        EmbeddingError: naming the first bad row and what is wrong with it.
    """
    for start in range(0, len(matrix), _ROWS_PER_CHECK):
        piece = np.asarray(matrix[start : start + _ROWS_PER_CHECK], dtype=np.float32)
        # NaN and infinity survive into the length, so one comparison finds all three faults.
        lengths = np.sqrt(np.einsum("nd,nd->n", piece, piece))
        bad = np.flatnonzero(~(np.abs(lengths - 1.0) <= tolerance))
        if not bad.size:
            continue
        row, length = int(bad[0]), float(lengths[bad[0]])
        where = f"{name}: row {first_row + start + row}"
        if not np.isfinite(piece[row]).all():
            raise EmbeddingError(
                f"{where} holds NaN or infinity; the embedder that made it has diverged or read "
                "a broken picture"
            )
        raise EmbeddingError(
            f"{where} has length {length:.6g}, expected 1 within {tolerance:g}; "
            "divide each row by its L2 norm first (an all-zero row has no direction)"
        )


def check_k(k: int, num_rows: int) -> int:
    """`k` as an int, if it is one between 1 and `num_rows`.

    Raises:
        ValueError: with the range that is possible.
    """
    if isinstance(k, bool) or not isinstance(k, int | np.integer):
        raise ValueError(f"k must be a whole number, received {k!r}")
    if not 1 <= k <= num_rows:
        raise ValueError(
            f"k must be between 1 and the number of indexed rows ({num_rows}), received {k}"
        )
    return int(k)


def check_ids(ids, num_rows: int) -> np.ndarray | None:
    """Image ids as a (N,) array of text, one for each row and none twice; None stays None.

    Args:
        ids: sequence of str or bytes (ASCII), or None.
        num_rows: N.

    Raises:
        ValueError: wrong count, an id that is empty, or an id given twice.
    """
    if ids is None:
        return None
    array = np.asarray(ids)
    if array.ndim != 1 or len(array) != num_rows:
        raise ValueError(f"expected {num_rows} ids, one for each row, received {array.shape}")
    if array.dtype.kind == "O":
        array = np.asarray([i.decode() if isinstance(i, bytes) else str(i) for i in ids])
    if array.dtype.kind == "S":
        array = np.char.decode(array, "ascii")
    if array.dtype.kind != "U":
        raise ValueError(f"ids must be text, received {array.dtype}")
    if (array == "").any():
        raise ValueError(f"the id of row {int(np.argmax(array == ''))} is empty")
    unique, counts = np.unique(array, return_counts=True)
    if len(unique) != len(array):
        twice = unique[np.argmax(counts > 1)]
        raise ValueError(f"id {twice} is given to more than one row; ids must be unique")
    return array
