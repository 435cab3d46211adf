"""Embeddings on disk: one .npy of unit rows and its ids, or several of them as shards.

    NAME.ids.npy, NAME.npy, NAME.json                    one file, the .json its mark, written last
    NAME-00000-of-00008.npy (+ .ids.npy, .json) ...      shards, each a whole one of these
    NAME.json                                            the mark over all shards, written last

A .npy has no bfloat16: such rows are there as uint16, the upper halves of float32, and the mark
says so. While a file is made there is `NAME.npy.partial` with a note beside it of how many rows
are safe.
"""

from __future__ import annotations

import os
import re
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from landmarks_tf.retrieval.files import ids_digest, read_json, read_npy, write_json, write_npy

DTYPES = ("float32", "float16", "bfloat16")
FORMAT_VERSION = 1
_SECONDS_BETWEEN_NOTES = 10.0
_ROWS_AT_ONCE = 65_536


@dataclass(frozen=True)
class Embeddings:
    """Finished embeddings.

    Attributes:
        vectors: (N, D) unit rows, float32, or float16 where they are kept so; memory-mapped if they
            lie in one file of that type.
        ids: (N,) text, the image id of each row.
        fingerprint: what made them, as given to `embed_dataset`.
    """

    vectors: np.ndarray
    ids: np.ndarray
    fingerprint: str


def load_embeddings(path: str | Path, *, fingerprint: str | None = None) -> Embeddings:
    """Opens finished embeddings, whether they lie in one file or in shards.

    One file of float32 or float16 is memory-mapped. Shards are read into one matrix; to stay
    within less memory, open them one by one (`shard_paths`). bfloat16 becomes float32, and its
    rows, which rounding has left a little off, are made unit long again.

    Args:
        path: NAME.npy, also where there are only its shards.
        fingerprint: what must have made them; None accepts any.

    Raises:
        FileNotFoundError: if they were never finished.
        ValueError: if the parts do not belong together or the fingerprint is another.
    """
    path = npy_path(path)
    mark = read_json(mark_path(path), what="embeddings")
    _check_fingerprint(path, mark, fingerprint)
    if "shards" in mark:
        return _load_shards(path, mark)
    vectors = read_npy(path, what="embeddings", mmap=True)
    ids = read_npy(ids_path(path), what="ids of the embeddings")
    expected = (mark.get("num_rows"), mark.get("dim"))
    kept_as = mark.get("dtype")
    on_disk = "uint16" if kept_as == "bfloat16" else kept_as
    if vectors.shape != expected or str(vectors.dtype) != on_disk:
        raise ValueError(
            f"{path} holds {vectors.shape} {vectors.dtype}, {mark_path(path).name} speaks of "
            f"{expected} {on_disk}: delete them and embed again"
        )
    _check_ids_belong(path, ids, len(vectors), mark)
    if kept_as == "bfloat16":
        vectors = from_bfloat16(vectors)
    return Embeddings(vectors, ids, mark.get("fingerprint", ""))


def shard_paths(path: str | Path) -> list[Path]:
    """The files of finished embeddings, in order: the shards, or the one file itself."""
    path = npy_path(path)
    mark = read_json(mark_path(path), what="embeddings")
    return [path.with_name(name) for name in mark.get("shards", [path.name])]


def to_bfloat16(rows: np.ndarray) -> np.ndarray:
    """(B, D) float32, finite -> their bfloat16 as uint16, rounded to nearest, ties to even."""
    bits = np.ascontiguousarray(rows, np.float32).view(np.uint32)
    return ((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16).astype(np.uint16)


def from_bfloat16(stored: np.ndarray) -> np.ndarray:
    """(N, D) uint16 of bfloat16 unit rows -> float32, each row divided by its length."""
    rows = np.empty(stored.shape, np.float32)
    for start in range(0, len(stored), _ROWS_AT_ONCE):
        part = rows[start : start + _ROWS_AT_ONCE]
        bits = part.view(np.uint32)
        np.left_shift(stored[start : start + _ROWS_AT_ONCE], 16, out=bits, dtype=np.uint32)
        part /= np.linalg.norm(part, axis=1, keepdims=True)
    return rows


class PartialFile:
    """A file of embeddings that is not finished: rows are appended, and a note is kept.

    Plain unbuffered writes: on a full disk a memory map would end the process and a buffer would
    fail again on closing; this is one OSError, and the rows written before it stay.

    Args:
        path: NAME.npy.
        key: what the rows depend on; its "num_rows", "dim" and "dtype" say what is written.
    """

    def __init__(self, path: Path, key: dict):
        self.path = path
        self.key = key
        self.rows = 0
        self._type = {"float32": "<f4", "float16": "<f2", "bfloat16": "<u2"}[key["dtype"]]
        self._data = path.with_name(f"{path.name}.partial")
        self._note = path.with_name(f"{path.name}.partial.json")
        self._noted_at = time.monotonic()

    def __enter__(self) -> PartialFile:
        note = None
        if self._note.exists() and self._data.exists():
            note = read_json(self._note, what="unfinished embeddings")
        self._file = self._data.open("r+b" if note else "w+b", buffering=0)
        if note and {k: note.get(k) for k in self.key} == self.key and self._seek(note["rows"]):
            self.rows = note["rows"]
        else:
            self._write_header()
        return self

    def __exit__(self, *_) -> None:
        # Also on the way out of an error or Ctrl-C: what was written is kept for the next run.
        try:
            self.save_note()
        finally:
            self._file.close()

    def append(self, rows: np.ndarray) -> None:
        """Writes (B, D) float32 rows at the end."""
        kept = to_bfloat16(rows) if self.key["dtype"] == "bfloat16" else rows
        left = memoryview(kept.astype(self._type, copy=False).tobytes())
        while left:  # an unbuffered write may take a part only, as on a disk that is nearly full
            left = left[self._file.write(left) :]
        self.rows += len(rows)
        if time.monotonic() - self._noted_at > _SECONDS_BETWEEN_NOTES:
            self.save_note()

    def finish(self, ids: np.ndarray) -> None:
        """Renames everything into place, the mark last."""
        mark_path(self.path).unlink(missing_ok=True)
        write_npy(ids_path(self.path), ids)
        self._data.replace(self.path)
        write_json(mark_path(self.path), self.key)
        self._note.unlink(missing_ok=True)

    def save_note(self) -> None:
        """Makes what was written safe, and says so."""
        os.fsync(self._file.fileno())
        write_json(self._note, {**self.key, "rows": self.rows})
        self._noted_at = time.monotonic()

    def _write_header(self) -> None:
        self._file.seek(0)
        self._file.truncate()
        shape = (self.key["num_rows"], self.key["dim"])
        header = {"descr": self._type, "fortran_order": False, "shape": shape}
        np.lib.format.write_array_header_2_0(self._file, header)

    def _seek(self, rows: int) -> bool:
        """Stands behind `rows` rows, if the file has that many."""
        np.lib.format.read_magic(self._file)
        np.lib.format.read_array_header_2_0(self._file)
        row_bytes = self.key["dim"] * np.dtype(self._type).itemsize
        end = self._file.tell() + rows * row_bytes
        if self._data.stat().st_size < end:
            return False
        self._file.seek(end)
        self._file.truncate()
        return True


def npy_path(path: str | Path) -> Path:
    """`path`, if it ends in .npy."""
    path = Path(path)
    if path.suffix != ".npy":
        raise ValueError(f"embeddings are kept in a .npy file, received {path}")
    return path


def ids_path(path: Path) -> Path:
    """Where the ids of NAME.npy lie."""
    return path.with_suffix(".ids.npy")


def mark_path(path: Path) -> Path:
    """The mark that NAME.npy, or its shards, are finished."""
    return path.with_suffix(".json")


def shard_path(path: Path, number: int, count: int) -> Path:
    """Shard `number`, from 0, of `count` of NAME.npy."""
    return path.with_name(f"{path.stem}-{number:05d}-of-{count:05d}.npy")


def _load_shards(path: Path, mark: dict) -> Embeddings:
    names = mark["shards"]
    if not all(re.fullmatch(r"[^/\\]+-\d{5}-of-\d{5}\.npy", str(name)) for name in names):
        raise ValueError(f"{mark_path(path)} names no shards: {names}; embed again")
    vectors, ids, first = None, [], 0
    for name in names:
        part = load_embeddings(path.with_name(name))
        if part.fingerprint != mark["fingerprint"]:
            raise ValueError(
                f"{path.with_name(name)} was made by another model than {mark_path(path).name} "
                f"says ({part.fingerprint!r}, expected {mark['fingerprint']!r}): embed again"
            )
        if vectors is None:
            vectors = np.empty((mark["num_rows"], mark["dim"]), part.vectors.dtype)
        if part.vectors.shape[1] != mark["dim"] or first + len(part.ids) > len(vectors):
            raise ValueError(f"{path.with_name(name)} does not belong to {path}: embed again")
        vectors[first : first + len(part.ids)] = part.vectors
        ids.append(part.ids)
        first += len(part.ids)
    if first != mark["num_rows"]:
        raise ValueError(
            f"the shards of {path} hold {first} rows, expected {mark['num_rows']}: embed again"
        )
    joined = np.concatenate(ids)
    _check_ids_belong(path, joined, first, mark)
    return Embeddings(vectors, joined, mark["fingerprint"])


def _check_ids_belong(path: Path, ids: np.ndarray, num_rows: int, mark: dict) -> None:
    if len(ids) != num_rows or ids_digest(ids) != mark.get("ids_sha256"):
        raise ValueError(f"{ids_path(path)} does not belong to {path}: delete both and embed again")


def _check_fingerprint(path: Path, mark: dict, fingerprint: str | None) -> None:
    if fingerprint is not None and fingerprint != mark.get("fingerprint"):
        raise ValueError(
            f"{path} was made by another model: expected fingerprint {fingerprint!r}, found "
            f"{mark.get('fingerprint')!r}; embed again"
        )
