"""Files of Revisited Oxford and Paris: ground truth as .json, .mat or .pkl, and rankings."""

from __future__ import annotations

import io
import json
import pickle
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from landmarks_tf.metrics.revisited import RevisitedTruth

# All that an array in a pickle needs, under the names of old and new NumPy. Nothing here runs code
# of the file's choosing.
_HARMLESS = {
    "numpy.ndarray",
    "numpy.dtype",
    *(
        f"numpy.{core}.{name}"
        for core in ("core", "_core")
        for name in ("multiarray._reconstruct", "multiarray.scalar", "numeric._frombuffer")
    ),
    "_codecs.encode",
    "__builtin__.bytes",  # how an empty array is stored for Python 2
}


class RevisitedFormatError(ValueError):
    """A ground truth or ranking file breaks its format; the message names the file."""


def read_revisited_truth(path: str | Path) -> RevisitedTruth:
    """Reads `gnd_roxford5k` or `gnd_rparis6k`, by its ending.

    .json and .pkl count places from 0, .mat from 1; places in the result count from 0. A .pkl may
    hold dictionaries, lists, numbers, text and arrays: whatever else it names is not loaded, since
    a pickle could run any program.

    Raises:
        RevisitedFormatError: another ending, a file that does not parse, lacks imlist, qimlist or
            gnd, or contradicts itself (`RevisitedTruth`).
        OSError: the file cannot be read.
    """
    path = Path(path)
    readers = {".json": _json, ".mat": _matlab, ".pkl": _pickle}
    if path.suffix not in readers:
        raise RevisitedFormatError(
            f"{path}: expected the ground truth as {', '.join(readers)}, received "
            f"{path.suffix or 'no ending'!r}."
        )
    content = path.read_bytes()
    first = 1 if path.suffix == ".mat" else 0
    try:
        return _truth(readers[path.suffix](content), first)
    except (ValueError, TypeError) as error:
        raise RevisitedFormatError(f"{path}: {error}") from None


def read_rankings(path: str | Path, truth: RevisitedTruth) -> np.ndarray:
    """(Q, M) integers from a .npy file, best first.

    A file of the shape (M, Q), as the evaluation code of the authors has it, is turned.

    Raises:
        RevisitedFormatError: no .npy array of integers of either shape.
        OSError: the file cannot be read.
    """
    try:
        rankings = np.load(path, allow_pickle=False)
    except (ValueError, EOFError) as error:
        raise RevisitedFormatError(f"{path} is not a whole .npy file: {error}") from None
    queries, index = len(truth.query_names), len(truth.index_names)
    shape = getattr(rankings, "shape", ())
    if len(shape) == 2 and shape[1] == queries and shape[0] >= index:
        return rankings.T
    if len(shape) != 2 or shape[0] != queries or shape[1] < index:
        raise RevisitedFormatError(
            f"{path}: expected rankings of {queries} queries and {index} index pictures, "
            f"({queries}, {index}) or turned, received the shape {shape}."
        )
    return rankings


def _json(content: bytes) -> object:
    try:
        return json.loads(content)
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        raise ValueError(f"is no JSON: {error}") from None


def _matlab(content: bytes) -> object:
    from scipy.io import loadmat

    try:
        return loadmat(io.BytesIO(content), simplify_cells=True)
    # SciPy names a damaged file by whatever its bytes lead to.
    except Exception as error:
        raise ValueError(f"is no MATLAB file that SciPy reads: {error}") from None


class _ArraysOnly(pickle.Unpickler):
    def find_class(self, module: str, name: str):
        if f"{module}.{name}" not in _HARMLESS:
            raise pickle.UnpicklingError(
                f"asks for {module}.{name}, and a ground truth needs arrays and plain values alone"
            )
        # NumPy warns of its old module names.
        return super().find_class(module.replace("numpy.core", "numpy._core"), name)


def _pickle(content: bytes) -> object:
    try:
        # The published files were written by Python 2.
        return _ArraysOnly(io.BytesIO(content), encoding="latin1").load()
    # A damaged pickle raises whatever its accidental opcodes lead to.
    except Exception as error:
        raise ValueError(f"is not unpickled: {error}. Prefer the .mat or a .json file") from None


def _truth(value: object, first: int) -> RevisitedTruth:
    missing = [
        key
        for key in ("imlist", "qimlist", "gnd")
        if not isinstance(value, Mapping) or key not in value
    ]
    if missing:
        raise ValueError(f"expected imlist, qimlist and gnd, found no {' and no '.join(missing)}.")
    rows = [value["gnd"]] if isinstance(value["gnd"], Mapping) else list(value["gnd"])
    index, queries = (_names(value[key], key) for key in ("imlist", "qimlist"))
    for query, row in enumerate(rows):
        lacking = {"bbx", "easy", "hard", "junk"} - set(row if isinstance(row, Mapping) else ())
        if lacking:
            raise ValueError(f"entry {query} of gnd lacks {', '.join(sorted(lacking))}.")
    groups = [
        tuple(_places(row[group], query, first) for query, row in enumerate(rows))
        for group in ("easy", "hard", "junk")
    ]
    boxes = np.array([_box(row["bbx"], query) for query, row in enumerate(rows)])
    return RevisitedTruth(index, queries, boxes.reshape(len(rows), 4), *groups)


def _names(value: Sequence, key: str) -> tuple[str, ...]:
    names = [value] if isinstance(value, str) else list(value)
    if not names or not all(isinstance(name, str) for name in names):
        raise ValueError(f"expected {key} to be a list of picture names.")
    return tuple(map(str, names))


def _places(value: object, query: int, first: int) -> np.ndarray:
    places = np.asarray(value).reshape(-1)
    if not places.size:
        return np.zeros(0, np.int64)
    if places.dtype.kind not in "iuf" or not (np.mod(places, 1) == 0).all():
        raise ValueError(f"entry {query} of gnd: expected whole numbers as places.")
    return places.astype(np.int64) - first


def _box(value: object, query: int) -> np.ndarray:
    box = np.asarray(value, np.float64).reshape(-1)
    if box.shape != (4,):
        raise ValueError(f"entry {query} of gnd: expected bbx to be x1, y1, x2, y2.")
    return box
