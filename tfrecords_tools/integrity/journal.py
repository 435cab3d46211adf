"""What was already proven to decode: the memory of a check of 4.1 million images.

Only good images are noted, with a stamp of their file; what was bad is looked at again in the next
run, and so is a file that changed. The journal is only ever appended to, one line a batch: its
CRC-32 and the batch in base64. A line that a kill or a full disk cut short does not match its
checksum and is passed over, so that nothing is believed that was not wholly written.

Its first line names the folder of the images by its inode: that of another folder is refused.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import os
import struct
import zlib
from pathlib import Path

import numpy as np

DTYPE = np.dtype([("id", "S16"), ("stamp", "<u8"), ("traits", "<u4")])
JOURNALS = ".check"  # where journals lie, in the GLDv2 folder
# The number goes up when a check proves more than before.
_FORMAT = "good images, format 2"
_LONGEST_HEADER = 80
_STATUS = struct.Struct("<QQqq")


def journal_path(folder: Path, split: str) -> Path:
    """Where the journal of a split lies in a folder of journals."""
    return folder / f"{split}.journal"


def stamp_of(status: os.stat_result) -> int:
    """A number, 1 to 2^64 - 1, that is another one as soon as a file is: by its inode, its size,
    and the times at which its content and anything about it were last changed.

    The last of these no program can set: a file whose old time was put back, as `tar` and `cp -p`
    do, is told from the one before.
    """
    data = _STATUS.pack(status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)
    return int.from_bytes(hashlib.blake2b(data, digest_size=8).digest(), "little") or 1


class Journal:
    """The journal of one split.

    Args:
        path: the file; its folder is made when the first batch is noted. None keeps no journal.
        images: the folder of the images; None where the journal belongs to none.
        again: forget what is noted and start anew.

    Raises (all methods):
        ValueError: the file is no journal, of another version, or that of another folder.
        OSError: the file cannot be read or written.
    """

    def __init__(self, path: Path | None, images: Path | None = None, *, again: bool = False):
        self._path = path
        self._stream = None
        self._header = _FORMAT + ("\n" if images is None else f", of folder {_inode(images)}\n")
        if path is not None and again:
            path.unlink(missing_ok=True)
        rows = _load(path, self._header, images) if path is not None else np.empty(0, DTYPE)
        # Each for itself: what is searched in should lie together.
        self._ids, self._stamps, self._traits = (np.array(rows[name]) for name in DTYPE.names)

    def __len__(self) -> int:
        return len(self._ids)

    def known(self, image_id: bytes, status: os.stat_result) -> int | None:
        """Traits (bits) of an image noted as good whose file is the same as then, else None."""
        at = int(np.searchsorted(self._ids, image_id))
        if at == len(self._ids) or self._ids[at] != image_id:
            return None
        return int(self._traits[at]) if self._stamps[at] == stamp_of(status) else None

    def stamps(self, ids: np.ndarray) -> np.ndarray:
        """(N,) uint64 for (N,) S16 `ids`: what `stamp_of` gave of the file of each image when it
        was proven to decode; 0 for those that are not noted."""
        if not len(self):
            return np.zeros(len(ids), np.uint64)
        found = np.empty(len(ids), np.uint64)
        # Ascending questions find their answers where the last one was found: in memory that is
        # near. In parts, as each takes a few more arrays.
        order = np.argsort(ids)
        for rows in np.array_split(order, max(1, len(order) // 100_000)):
            places = np.minimum(np.searchsorted(self._ids, ids[rows]), len(self) - 1)
            found[rows] = np.where(self._ids[places] == ids[rows], self._stamps[places], 0)
        return found

    def note(self, rows: list[tuple[bytes, int, int]]) -> None:
        """Notes good images: (id, `stamp_of` its file, traits as bits) each."""
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
        stream = self._path.open("ab" if size >= len(self._header) else "wb")
        if size < len(self._header):
            stream.write(self._header.encode("ascii"))
        elif not _ends_with_newline(self._path):
            stream.write(b"\n")  # of a line that was cut short
        return stream


def _inode(folder: Path) -> int:
    return folder.stat().st_ino


def _load(path: Path, expected: str, images: Path | None) -> np.ndarray:
    """The last note of each image, sorted by id."""
    try:
        stream = path.open("rb")
    except (FileNotFoundError, NotADirectoryError):
        return np.empty(0, DTYPE)
    with stream:
        header = stream.readline(_LONGEST_HEADER).decode("latin-1")
        if not expected.startswith(header):  # a header that was cut short is no harm
            if images is not None and header.startswith(f"{_FORMAT}, of folder "):
                raise ValueError(
                    f"{path} is the journal of another folder than {images}, or that one was made "
                    "anew since: check that folder (--again forgets the journal, --journal names "
                    "another)"
                )
            raise ValueError(
                f"{path} is no journal of this version of check (its first line is not "
                f"{expected.strip()!r}): remove it, or name another --journal"
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
