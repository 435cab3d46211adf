"""TFRecord files read without TensorFlow, every checksum compared."""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from pathlib import Path

from landmarks_tf.records.manifest import RecordsError
from landmarks_tf.records.shards import FRAME_OVERHEAD, masked_crc32c

_HEAD = struct.Struct("<QI")
_CHECKSUM = struct.Struct("<I")
_MAX_RECORD_BYTES = 2**31  # a tf.train.Example cannot be larger
_GZIP = b"\x1f\x8b"


class DamagedRecordError(RecordsError):
    """A file of records is cut short, or a checksum does not match; the message says where."""


def read_frames(path: str | os.PathLike) -> Iterator[tuple[int, bytes]]:
    """(offset of its frame, record) of every record of a TFRecord file, in order.

    Raises:
        DamagedRecordError: the file is cut short, a checksum does not match, or it is no TFRecord
            file (compressed ones are told as such).
        OSError: the file cannot be read.
    """
    offset = number = 0
    with Path(path).open("rb", buffering=2**20) as stream:
        while head := stream.read(_HEAD.size):
            where = f"{path}, record {number} at byte {offset}"
            length = _length(head, where)
            body = stream.read(length + _CHECKSUM.size)
            yield offset, _checked(body, length, where)
            offset += length + FRAME_OVERHEAD
            number += 1


def read_frame(path: str | os.PathLike, offset: int) -> bytes:
    """The record whose frame begins at byte `offset` of a TFRecord file.

    Raises:
        DamagedRecordError, OSError: as `read_frames`.
    """
    where = f"{path}, record at byte {offset}"
    descriptor = os.open(path, os.O_RDONLY)
    try:
        length = _length(os.pread(descriptor, _HEAD.size, offset), where)
        place = offset + _HEAD.size
        return _checked(_read_whole(descriptor, length + _CHECKSUM.size, place), length, where)
    finally:
        os.close(descriptor)


def _length(head: bytes, where: str) -> int:
    if len(head) < _HEAD.size:
        raise DamagedRecordError(f"{where}: the file ends inside it: it was cut short")
    length, checksum = _HEAD.unpack(head)
    if checksum != masked_crc32c(head[:8]) or length > _MAX_RECORD_BYTES:
        why = (
            "the file is compressed (gzip): decompress it first"
            if head.startswith(_GZIP)
            else "the checksum of its length does not match: damaged, or no TFRecord file"
        )
        raise DamagedRecordError(f"{where}: {why}")
    return length


def _checked(body: bytes, length: int, where: str) -> bytes:
    if len(body) < length + _CHECKSUM.size:
        raise DamagedRecordError(f"{where}: the file ends inside it: it was cut short")
    record = body[:length]
    if _CHECKSUM.unpack(body[length:])[0] != masked_crc32c(record):
        raise DamagedRecordError(f"{where}: its checksum does not match: damaged")
    return record


def _read_whole(descriptor: int, size: int, place: int) -> bytes:
    """`os.pread` may give less than it is asked for."""
    data = os.pread(descriptor, size, place)
    while len(data) < size:
        more = os.pread(descriptor, size - len(data), place + len(data))
        if not more:
            break
        data += more
    return data
