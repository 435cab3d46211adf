"""tf.train.Example as bytes, without TensorFlow: the part of protocol buffers that it needs.

Workers that write or scan records start in a tenth of a second this way, and in a tenth of the
memory. Source: the encoding as protobuf.dev/programming-guides/encoding describes it, and
tensorflow/core/example/{example,feature}.proto for the field numbers.
"""

from __future__ import annotations

import functools
import struct

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_LENGTH_DELIMITED_1, _LENGTH_DELIMITED_2 = b"\x0a", b"\x12"  # tags of fields 1 and 2
_INT64_LIST = b"\x1a"  # tag of Feature.int64_list, field 3
_SHORT, _LARGE = 128, 4096  # bytes of a value
_FEATURE_KINDS = {1: "bytes", 2: "float", 3: "int64"}


class NotAnExampleError(ValueError):
    """Bytes that are no tf.train.Example."""


def encode_features(features: dict[str, bytes | int]) -> bytes:
    """One tf.train.Example of scalar features, as `SerializeToString(deterministic=True)` gives it.

    Args:
        features: key -> bytes (a bytes_list of one) or a whole number of at most 63 bits from 0 up
            (an int64_list of one).

    Raises:
        ValueError: a number below 0 or above 2^63 - 1.
    """
    return b"".join(encode_parts(features))


def encode_parts(features: dict[str, bytes | int]) -> list[bytes]:
    """As `encode_features`, in pieces: end to end they are its bytes.

    Large values are pieces of their own, not copied, so that a picture goes from the file that
    was read to the file that is written as it lies in memory.
    """
    parts, small = [], [b""]
    total = 0
    for key in sorted(features):
        value = features[key]
        if isinstance(value, int):
            if not 0 <= value < 2**63:
                raise ValueError(f"{key} must be from 0 to 2^63 - 1, got {value}")
            value = varint(value)  # a packed list of one
            kind = _INT64_LIST
        else:
            kind = _LENGTH_DELIMITED_1
        size = len(value)
        head = _short_head(key, kind, size) if size < _SHORT else _head(key, kind, size)
        total += len(head) + size
        small.append(head)
        if size < _LARGE:
            small.append(value)
        else:
            parts += (b"".join(small), value)
            small = []
    parts.append(b"".join(small))
    parts[0] = _LENGTH_DELIMITED_1 + varint(total) + parts[0]
    return parts


def _head(key: str, kind: bytes, size: int) -> bytes:
    """What stands before a value of `size` bytes: its entry among the features, the key, the
    Feature in the entry, the list in the Feature, the value in the list."""
    name = key.encode()
    inner = _LENGTH_DELIMITED_1 + varint(size)
    middle = kind + varint(len(inner) + size) + inner
    outer = _LENGTH_DELIMITED_2 + varint(len(middle) + size) + middle
    outer = _LENGTH_DELIMITED_1 + varint(len(name)) + name + outer
    return _LENGTH_DELIMITED_1 + varint(len(outer) + size) + outer


# All but one of a record's features are short, and each of a few lengths.
_short_head = functools.lru_cache(4096)(_head)


def decode_features(serialized: bytes) -> dict[str, list[bytes] | list[int] | list[float]]:
    """The features of one serialised tf.train.Example.

    Returns:
        key -> its values; a list of bytes, whole numbers or floats. A feature of no kind is an
        empty list.

    Raises:
        NotAnExampleError: the bytes are no tf.train.Example.
    """
    try:
        features: dict[str, list] = {}
        for field, value in _fields(memoryview(serialized)):
            if field == 1:
                for inner, entry in _fields(_message(value)):
                    if inner == 1:
                        key, values = _entry(_message(entry))
                        features[key] = values
        return features
    except (IndexError, struct.error, UnicodeDecodeError) as error:
        raise NotAnExampleError(f"not a tf.train.Example: {error}") from None


def varint(value: int) -> bytes:
    """`value`, 0 or more, in groups of 7 bits, the lowest first."""
    if value < 0x4000:
        return _SHORT_VARINTS[value]
    if value < 0x200000:  # the sizes of pictures
        return bytes((value & 0x7F | 0x80, value >> 7 & 0x7F | 0x80, value >> 14))
    groups = bytearray()
    while value >= 0x80:
        groups.append(value & 0x7F | 0x80)
        value >>= 7
    groups.append(value)
    return bytes(groups)


# Lengths, mostly: of 45 numbers in a record 40 are among these.
_SHORT_VARINTS = [
    bytes((n,)) if n < 0x80 else bytes((n & 0x7F | 0x80, n >> 7)) for n in range(0x4000)
]


def _entry(entry: memoryview) -> tuple[str, list]:
    key, values = "", []
    for field, value in _fields(entry):
        if field == 1:
            key = bytes(_message(value)).decode()
        elif field == 2:
            for kind, part in _fields(_message(value)):
                if kind in _FEATURE_KINDS:
                    values = _values(_FEATURE_KINDS[kind], _message(part))
    return key, values


def _values(kind: str, part: memoryview) -> list:
    values: list = []
    for field, value in _fields(part):
        if field != 1:
            continue
        if kind == "bytes":
            values.append(bytes(_message(value)))
        elif kind == "int64":
            values += [value] if isinstance(value, int) else _packed_varints(value)
        else:
            data = bytes(_message(value))  # packed, or the four bytes of a single one
            values += struct.unpack(f"<{len(data) // 4}f", data)
    return [_signed(value) for value in values] if kind == "int64" else values


def _fields(data: memoryview):
    """(field number, whole number or memoryview) of each field of a message."""
    place, end = 0, len(data)
    while place < end:
        tag, place = _read_varint(data, place)
        field, kind = tag >> 3, tag & 7
        if kind == _VARINT:
            value, place = _read_varint(data, place)
            yield field, value
            continue
        if kind == _BYTES:
            size, place = _read_varint(data, place)
        elif kind in (_FIXED32, _FIXED64):
            size = 4 if kind == _FIXED32 else 8
        else:
            raise NotAnExampleError(f"not a tf.train.Example: wire type {kind}")
        if field == 0 or place + size > end:
            raise NotAnExampleError("not a tf.train.Example: a field reaches past the end")
        yield field, data[place : place + size]
        place += size


def _message(value: int | memoryview) -> memoryview:
    if isinstance(value, int):
        raise NotAnExampleError("not a tf.train.Example: a number where a message belongs")
    return value


def _read_varint(data: memoryview, place: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[place]
        place += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value & 0xFFFFFFFFFFFFFFFF, place
        shift += 7
        if shift > 63:
            raise NotAnExampleError("not a tf.train.Example: a number of more than ten bytes")


def _packed_varints(data: memoryview) -> list[int]:
    values, place = [], 0
    while place < len(data):
        value, place = _read_varint(data, place)
        values.append(value)
    return values


def _signed(value: int) -> int:
    return value - 2**64 if value >= 2**63 else value
