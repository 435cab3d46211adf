"""The keys under which others store GLDv2 in TFRecords, and how to read them all.

Sources: DELF's build_image_dataset.py (hav4ik has the same), seungkee's notebooks of Retrieval
2020, UnED (ICCV 2023), TensorFlow Federated's gldv2 data set.
"""

from __future__ import annotations

import dataclasses
import hashlib
import re

from landmarks_tf.records import NotAnExampleError, RecordsError, decode_features

_ID = re.compile(rb"[A-Za-z0-9_-]{3,16}")


@dataclasses.dataclass(frozen=True)
class Dialect:
    """Keys of one dialect; None where it has no such thing.

    Attributes:
        image: bytes, the image file.
        label: int64, the class.
        id: bytes, an id or a path that ends in one.
        clean: int64, whether the image is in the clean set.
    """

    image: str
    label: str
    id: str | None = None
    clean: str | None = None


DIALECTS = {
    "delf": Dialect("image/encoded", "image/class/label", "image/id"),
    "seungkee": Dialect("_bits", "_class", "_id", "_isClean"),
    "uned": Dialect("image_bytes", "class_id", "key"),
    "tff": Dialect("image/encoded_jpeg", "class"),
}


class DialectError(RecordsError):
    """A record is not of the dialect that it should be of."""


@dataclasses.dataclass(frozen=True)
class ForeignRecord:
    """What a record says: `image` bytes, `label` (None: none), `id` as stored (None: none) and
    `clean` (None: not told)."""

    image: bytes
    label: int | None
    id: bytes | None
    clean: bool | None


def find_dialect(record: bytes) -> str:
    """Name of the dialect of a serialised record.

    Raises:
        DialectError: it is of none; the message names the keys it has.
    """
    features = _features(record)
    for name, dialect in DIALECTS.items():
        if dialect.image in features:
            return name
    known = ", ".join(f"{dialect.image} ({name})" for name, dialect in DIALECTS.items())
    raise DialectError(
        f"no key of an image that is known: expected one of {known}; "
        f"the record has {', '.join(map(repr, sorted(features))) or 'no keys'}"
    )


def read_record(record: bytes, name: str) -> ForeignRecord:
    """Reads a serialised record of dialect `name`.

    Raises:
        DialectError: it has no image, or a value is of another type or number than it should be.
    """
    dialect, features = DIALECTS[name], _features(record)
    image = _scalar(features, dialect.image, bytes)
    if image is None:
        raise DialectError(
            f"no key {dialect.image!r} in a record of dialect {name}: it has "
            f"{', '.join(map(repr, sorted(features))) or 'no keys'}"
        )
    clean = None if dialect.clean is None else _scalar(features, dialect.clean, int)
    return ForeignRecord(
        image=image,
        label=_scalar(features, dialect.label, int),
        id=None if dialect.id is None else _scalar(features, dialect.id, bytes),
        clean=None if clean is None else bool(clean),
    )


def image_id(stored: bytes | None, file_name: str, number: int) -> bytes:
    """The id that an image gets: at most 16 ASCII letters, digits, - and _.

    That of the record, or the file name at the end of the path that it gives, where either is one;
    else the first 16 hexadecimal digits of the SHA-256 of what it gives, or, where it gives
    nothing, of `file_name:number`, the place of the record.
    """
    if stored:
        stem = stored.rsplit(b"/", 1)[-1].split(b".", 1)[0]
        if _ID.fullmatch(stem):
            return stem
    what = stored or f"{file_name}:{number}".encode("utf-8", "surrogateescape")
    return hashlib.sha256(what).hexdigest()[:16].encode()


def _features(record: bytes) -> dict:
    try:
        return decode_features(record)
    except NotAnExampleError as error:
        raise DialectError(str(error)) from None


def _scalar(features: dict, key: str, kind: type):
    values = features.get(key)
    if not values:
        return None
    if len(values) != 1 or not isinstance(values[0], kind):
        raise DialectError(
            f"{key} holds {len(values)} value(s) of type {type(values[0]).__name__}, expected one "
            f"of type {kind.__name__}"
        )
    return values[0]
