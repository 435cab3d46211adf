"""Embeddings of a whole split: pictures in, one .npy of unit rows and its ids out, in order.

Three files, written in this order, each whole or absent: `NAME.ids.npy`, `NAME.npy` and
`NAME.json`, the mark that the other two are finished. While it runs there is `NAME.npy.partial`
with a note beside it of how many rows are safe; a run that was killed goes on from there.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from landmarks_tf.retrieval.files import ids_digest, read_json, read_npy, write_json, write_npy
from landmarks_tf.retrieval.vectors import EmbeddingError, as_matrix, check_ids, check_unit_rows

_FORMAT_VERSION = 1
_SECONDS_BETWEEN_NOTES = 10.0


@dataclass(frozen=True)
class Embeddings:
    """A finished file of embeddings.

    Attributes:
        vectors: (N, D) float32 unit rows, memory-mapped.
        ids: (N,) text, the image id of each row.
        fingerprint: what made them, as given to `embed_dataset`.
    """

    vectors: np.ndarray
    ids: np.ndarray
    fingerprint: str


def embed_dataset(
    predict: Callable,
    batches_from: Callable[[int], Iterable],
    *,
    ids,
    dim: int,
    path: str | Path,
    fingerprint: str,
    progress: bool = True,
) -> Embeddings:
    """Streams batches through an embedder into `path`; continues what an earlier run began.

    Memory stays flat: rows go to disk batch by batch.

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
        progress: show a progress bar with images/s.

    Returns:
        The finished embeddings; at once, if `path` already holds these.

    Raises:
        EmbeddingError: a batch of another shape, with NaN, or with rows that are not unit long.
        ValueError: too few or too many images, ids that do not fit, a path not ending in .npy.
        OSError: the disk is full or the folder cannot be written; nothing finished is lost.
    """
    path = _npy_path(path)
    if not len(ids):
        raise ValueError(f"there are no images to embed for {path}: the list of ids is empty")
    ids = check_ids(ids, len(ids))
    key = {
        "format_version": _FORMAT_VERSION,
        "num_rows": len(ids),
        "dim": int(dim),
        "dtype": "float32",
        "ids_sha256": ids_digest(ids),
        "fingerprint": fingerprint,
    }
    if _is_finished(path, key):
        return load_embeddings(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    with _Partial(path, key) as partial:
        _fill(partial, predict, batches_from, ids, progress)
    partial.finish(ids)
    return load_embeddings(path)


def load_embeddings(path: str | Path, *, fingerprint: str | None = None) -> Embeddings:
    """Opens what `embed_dataset` finished, memory-mapped.

    Args:
        path: the .npy file.
        fingerprint: what must have made it; None accepts any.

    Raises:
        FileNotFoundError: if it was never finished.
        ValueError: if its parts do not belong together or the fingerprint is another.
    """
    path = _npy_path(path)
    mark = read_json(_mark(path), what="embeddings")
    vectors = read_npy(path, what="embeddings", mmap=True)
    ids = read_npy(_ids(path), what="ids of the embeddings")
    expected = (mark.get("num_rows"), mark.get("dim"))
    if vectors.shape != expected or str(vectors.dtype) != mark.get("dtype"):
        raise ValueError(
            f"{path} holds {vectors.shape} {vectors.dtype}, {_mark(path).name} speaks of "
            f"{expected} {mark.get('dtype')}: delete them and embed again"
        )
    if len(ids) != len(vectors) or ids_digest(ids) != mark.get("ids_sha256"):
        raise ValueError(f"{_ids(path)} does not belong to {path}: delete both and embed again")
    if fingerprint is not None and fingerprint != mark.get("fingerprint"):
        raise ValueError(
            f"{path} was made by another model: expected fingerprint {fingerprint!r}, found "
            f"{mark.get('fingerprint')!r}; embed again"
        )
    return Embeddings(vectors, ids, mark.get("fingerprint", ""))


class _Partial:
    """The unfinished file.

    Plain unbuffered writes: on a full disk a memory map would end the process and a buffer would
    fail again on closing; this is one OSError, and the rows written before it stay.
    """

    def __init__(self, path: Path, key: dict):
        self.path = path
        self.key = key
        self.rows = 0
        self._data = path.with_name(f"{path.name}.partial")
        self._note = path.with_name(f"{path.name}.partial.json")
        self._noted_at = time.monotonic()

    def __enter__(self) -> _Partial:
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
            self._save_note()
        finally:
            self._file.close()

    def append(self, rows: np.ndarray) -> None:
        """Writes (B, D) float32 rows at the end."""
        left = memoryview(rows.tobytes())
        while left:  # an unbuffered write may take a part only, as on a disk that is nearly full
            left = left[self._file.write(left) :]
        self.rows += len(rows)
        if time.monotonic() - self._noted_at > _SECONDS_BETWEEN_NOTES:
            self._save_note()

    def finish(self, ids: np.ndarray) -> None:
        """Renames everything into place, the mark last."""
        _mark(self.path).unlink(missing_ok=True)
        write_npy(_ids(self.path), ids)
        self._data.replace(self.path)
        write_json(_mark(self.path), self.key)
        self._note.unlink(missing_ok=True)

    def _write_header(self) -> None:
        self._file.seek(0)
        self._file.truncate()
        shape = (self.key["num_rows"], self.key["dim"])
        header = {"descr": "<f4", "fortran_order": False, "shape": shape}
        np.lib.format.write_array_header_2_0(self._file, header)

    def _seek(self, rows: int) -> bool:
        """Stands behind `rows` rows, if the file has that many."""
        np.lib.format.read_magic(self._file)
        np.lib.format.read_array_header_2_0(self._file)
        end = self._file.tell() + rows * self.key["dim"] * 4
        if self._data.stat().st_size < end:
            return False
        self._file.seek(end)
        self._file.truncate()
        return True

    def _save_note(self) -> None:
        os.fsync(self._file.fileno())
        write_json(self._note, {**self.key, "rows": self.rows})
        self._noted_at = time.monotonic()


def _fill(partial: _Partial, predict, batches_from, ids: np.ndarray, progress: bool) -> None:
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


def _checked(rows: np.ndarray, batch_size: int, partial: _Partial, ids: np.ndarray) -> np.ndarray:
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


def _is_finished(path: Path, key: dict) -> bool:
    return _mark(path).exists() and read_json(_mark(path), what="embeddings") == key


def _npy_path(path: str | Path) -> Path:
    path = Path(path)
    if path.suffix != ".npy":
        raise ValueError(f"embeddings are kept in a .npy file, received {path}")
    return path


def _ids(path: Path) -> Path:
    return path.with_suffix(".ids.npy")


def _mark(path: Path) -> Path:
    return path.with_suffix(".json")
