"""TFRecord frames and CRC-32C by hand, from the format's description; slow and plain."""

from __future__ import annotations

import struct
from pathlib import Path


def _table() -> list[int]:
    table = []
    for byte in range(256):
        value = byte
        for _ in range(8):
            value = (value >> 1) ^ (0x82F63B78 if value & 1 else 0)  # Castagnoli, reflected
        table.append(value)
    return table


_TABLE = _table()


def crc32c(data: bytes) -> int:
    """The check value of b"123456789" is 0xE3069283 (RFC 3720's polynomial)."""
    value = 0xFFFFFFFF
    for byte in data:
        value = (value >> 8) ^ _TABLE[(value ^ byte) & 0xFF]
    return value ^ 0xFFFFFFFF


def masked(data: bytes) -> int:
    value = crc32c(data)
    return (((value >> 15) | (value << 17)) + 0xA282EAD8) & 0xFFFFFFFF


def read_frames(path: Path) -> list[tuple[int, bytes]]:
    """(offset, record) of every frame of a file; AssertionError at the first that is wrong."""
    data = Path(path).read_bytes()
    frames, offset = [], 0
    while offset < len(data):
        (length,) = struct.unpack_from("<Q", data, offset)
        (length_crc,) = struct.unpack_from("<I", data, offset + 8)
        record = data[offset + 12 : offset + 12 + length]
        (record_crc,) = struct.unpack_from("<I", data, offset + 12 + length)
        assert length_crc == masked(data[offset : offset + 8])
        assert record_crc == masked(record)
        frames.append((offset, record))
        offset += 16 + length
    assert offset == len(data)
    return frames


def frame(record: bytes) -> bytes:
    """One frame around `record`."""
    length = struct.pack("<Q", len(record))
    return length + struct.pack("<I", masked(length)) + record + struct.pack("<I", masked(record))
