"""TFRecord shards: their names, the size of a frame, and a writer that never leaves half a shard.

A TFRecord frame is: length (8 bytes, little endian), masked CRC-32C of the length (4 bytes), the
record, masked CRC-32C of the record (4 bytes).
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import os
import re
import struct
from collections.abc import Iterator
from pathlib import Path

import google_crc32c

from landmarks_tf.records.files import replacing

FRAME_OVERHEAD = 16  # length, CRC of the length, CRC of the record
_GATHERED_BYTES = 2**18  # this much goes to the system at once
_GATHERED_PIECES = 1000  # Linux takes 1,024
_SHARD_NAME = re.compile(r"(?P<split>.+)-(?P<shard>\d{5,})-of-(?P<shards>\d{5,})")


def shard_name(split: str, shard: int, num_shards: int) -> str:
    """DELF's name of a shard: `shard_name("train", 3, 128)` is `"train-00003-of-00128"`.

    Raises:
        ValueError: `shard` is not within 0..num_shards-1.
    """
    if not 0 <= shard < num_shards:
        raise ValueError(
            f"shard {shard} of {num_shards} does not exist: shards are numbered 0 to num_shards - 1"
        )
    return f"{split}-{shard:05d}-of-{num_shards:05d}"


def split_of_shard(name: str) -> str | None:
    """The split a file name belongs to, or None when it is not the name of a shard."""
    found = _SHARD_NAME.fullmatch(name)
    return found["split"] if found else None


def frame_size(record_bytes: int) -> int:
    """Bytes that a record of `record_bytes` bytes takes in a shard."""
    return record_bytes + FRAME_OVERHEAD


def masked_crc32c(*parts: bytes) -> int:
    """The checksum that TFRecord stores: CRC-32C, rotated right by 15 bits, plus a constant.

    The rotation is there because a checksum of data that holds its own checksum tells little.

    Args:
        parts: the data, in one piece or several.
    """
    crc = 0
    for part in parts:
        crc = google_crc32c.extend(crc, part)
    return ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF


class ShardWriter:
    """Writes one shard, which appears under its name only when the `with` block ends well.

    Until then the bytes are in a hidden temporary file of the same folder; an exception inside the
    block removes it, and a shard of that name which was there before stays as it was.

        with ShardWriter("records/train-00000-of-00008") as writer:
            offset = writer.write(serialized)

    Args:
        path: where the shard goes; the folder must exist.

    Attributes:
        num_bytes, num_records: written so far.

    Raises (all methods):
        OSError: the disk is full, the folder is not writable, or any other failure to write; the
            message names the shard.
    """

    def __init__(self, path: str | os.PathLike):
        self.path = Path(path)
        self.num_bytes = 0
        self.num_records = 0
        self._sha256 = hashlib.sha256()
        self._stack = contextlib.ExitStack()
        self._stream: io.FileIO | None = None
        self._gathered: list[bytes] = []
        self._gathered_bytes = 0
        self._temporary: Path | None = None

    def __enter__(self) -> ShardWriter:
        with self._clear_errors():
            self._temporary = self._stack.enter_context(replacing(self.path))
            try:
                self._stream = self._temporary.open("wb", buffering=0)
            except BaseException as error:
                self._stack.__exit__(type(error), error, error.__traceback__)
                raise
        return self

    @property
    def sha256(self) -> str:
        """SHA-256 of all that was written so far, as 64 hexadecimal digits."""
        return self._sha256.hexdigest()

    def write(self, *parts: bytes) -> int:
        """Appends one record, `serialized` or in pieces; they are not copied.

        Returns:
            The byte offset of its frame in the shard.
        """
        if self._stream is None:
            raise ValueError("a ShardWriter writes only inside its `with` block")
        offset, size = self.num_bytes, sum(map(len, parts))
        length = struct.pack("<Q", size)
        head = length + struct.pack("<I", masked_crc32c(length))
        for part in (head, *parts, struct.pack("<I", masked_crc32c(*parts))):
            self._sha256.update(part)
            self._gathered.append(part)
        self.num_bytes += frame_size(size)
        self.num_records += 1
        self._gathered_bytes += frame_size(size)
        if self._gathered_bytes >= _GATHERED_BYTES or len(self._gathered) >= _GATHERED_PIECES:
            try:
                self._flush(self._stream)
            except OSError as error:
                raise self._named(error) from error
        return offset

    def _flush(self, stream: io.FileIO) -> None:
        """Gives what was gathered to the system, from where it lies."""
        pieces, size = self._gathered, self._gathered_bytes
        self._gathered, self._gathered_bytes = [], 0
        for first in range(0, len(pieces), _GATHERED_PIECES):
            some = pieces[first : first + _GATHERED_PIECES]
            written = os.writev(stream.fileno(), some)
            if written == size:
                return
            rest = memoryview(b"".join(some))[written:]  # the disk is full, or nearly
            while rest:
                rest = rest[stream.write(rest) :]

    def __exit__(self, kind, error, traceback) -> None:
        stream, self._stream = self._stream, None
        if error is not None:
            with contextlib.suppress(Exception):  # the first error is the one to report
                stream.close()
            self._stack.__exit__(kind, error, traceback)
            return
        with self._clear_errors():
            try:
                with stream:
                    self._flush(stream)
                self._check_size()
            except BaseException as failure:
                self._stack.__exit__(type(failure), failure, failure.__traceback__)
                raise
            self._stack.close()

    def _check_size(self) -> None:
        written = self._temporary.stat().st_size
        if written != self.num_bytes:
            raise OSError(f"{written} bytes reached the disk of {self.num_bytes} written")

    @contextlib.contextmanager
    def _clear_errors(self) -> Iterator[None]:
        """Makes every failure an OSError that names the shard."""
        try:
            yield
        except OSError as error:
            raise self._named(error) from error

    def _named(self, error: OSError) -> OSError:
        return OSError(f"cannot write the shard {self.path}: {error.strerror or error}")
