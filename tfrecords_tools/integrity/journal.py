"""What was already proven to decode: the memory of a check of 4.1 million images.

Only good images are noted, with the size and the time of their file; what was bad is looked at
again in the next run, and so is a file that changed. The journal is only ever appended to, one line
a batch: its CRC-32 and the batch in base64. A line that a kill or a full disk cut short does not
match its checksum and is passed over, so that nothing is believed that was not wholly written.
"""

from __future__ import annotations

import base64
import binascii
import os
import zlib
from pathlib import Path

import numpy as np

DTYPE = np.dtype([("id", "S16"), ("size", "<i8"), ("mtime_ns", "<i8"), ("traits", "<u4")])
# The number goes up when a check proves more than before.
_HEADER = "good images, format 1\n"


class Journal:
    """The journal of one split.

    Args:
        path: the file; its folder is made when the first batch is noted. None keeps no journal.
        again: forget what is noted and start anew.

    Raises (all methods):
        ValueError: the file is no journal, or of another version.
        OSError: the file cannot be read or written.
    """

    def __init__(self, path: Path | None, *, again: bool = False):
        self._path = path
        self._stream = None
        if path is not None and again:
            path.unlink(missing_ok=True)
        self._rows = _load(path) if path is not None else np.empty(0, DTYPE)

    def __len__(self) -> int:
        return len(self._rows)

    def known(self, image_id: bytes, status: os.stat_result) -> int | None:
        """Traits (bits) of an image noted as good with this size and time, else None."""
        at = int(np.searchsorted(self._rows["id"], image_id))
        if at == len(self._rows):
            return None
        row = self._rows[at]
        same = (
            row["id"] == image_id
            and row["size"] == status.st_size
            and row["mtime_ns"] == status.st_mtime_ns
        )
        return int(row["traits"]) if same else None

    def note(self, rows: list[tuple[bytes, int, int, int]]) -> None:
        """Notes good images: (id, size in bytes, time of change in ns, traits as bits) each."""
        if self._path is None or not rows:
            return
        if self._stream is None:
            self._stream = self._open()
        data = np.array(rows, DTYPE).tobytes()
        line = f"{zlib.crc32(data):08x} {base64.b64encode(data).decode('ascii')}\n"
        self._stream.write(line.encode("ascii"))
        self._stream.flush()

    def close(self) -> None:
        """Closes the file; what was noted stays."""
        if self._stream is not None:
            self._stream.close()
            self._stream = None

    def _open(self):
        self._path.parent.mkdir(parents=True, exist_ok=True)
        size = self._path.stat().st_size if self._path.exists() else 0
        stream = self._path.open("ab" if size >= len(_HEADER) else "wb")
        if size < len(_HEADER):
            stream.write(_HEADER.encode("ascii"))
        elif not _ends_with_newline(self._path):
            stream.write(b"\n")  # of a line that was cut short
        return stream


def _load(path: Path) -> np.ndarray:
    """The last note of each image, sorted by id."""
    try:
        stream = path.open("rb")
    except (FileNotFoundError, NotADirectoryError):
        return np.empty(0, DTYPE)
    with stream:
        header = stream.readline(len(_HEADER)).decode("latin-1")
        if not _HEADER.startswith(header):  # a header that was cut short is no harm
            raise ValueError(
                f"{path} is no journal of this version of check (its first line is not "
                f"{_HEADER.strip()!r}): remove it, or name another --journal"
            )
        parts = [part for part in map(_batch, stream) if part is not None]
    rows = np.concatenate([*parts, np.empty(0, DTYPE)])
    order = np.argsort(rows["id"], kind="stable")
    rows = rows[order]
    last = np.ones(len(rows), bool)
    last[:-1] = rows["id"][1:] != rows["id"][:-1]
    return rows[last]


def _batch(line: bytes) -> np.ndarray | None:
    checksum, _, text = line.rstrip(b"\n").partition(b" ")
    try:
        data = base64.b64decode(text, validate=True)
        if int(checksum, 16) != zlib.crc32(data) or len(data) % DTYPE.itemsize:
            return None
    except (ValueError, binascii.Error):
        return None
    return np.frombuffer(data, DTYPE)


def _ends_with_newline(path: Path) -> bool:
    with path.open("rb") as stream:
        stream.seek(-1, os.SEEK_END)
        return stream.read(1) == b"\n"
