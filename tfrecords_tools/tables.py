"""GLDv2's CSVs, read strictly and with little memory.

Only the columns that matter are looked at; their values are checked one by one, because a wrong
label is worse than no data set.
"""

from __future__ import annotations

import array
import csv
import io
import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np

MAX_ID_CHARACTERS = 16
_ID = re.compile(r"[A-Za-z0-9_-]{3,16}")
_LANDMARK_ID = re.compile(r"[0-9]{1,9}")
_UTF8_MARK = b"\xef\xbb\xbf"


class RawFolderError(ValueError):
    """The folder is not laid out as GLDv2, or one of its CSVs is not what it should be."""


def read_ids(path: Path) -> np.ndarray:
    """index.csv or test.csv: ids, (N,) S16.

    Raises:
        RawFolderError: a column is missing, a value is not what it should be, an id is there twice.
    """
    ids = _Ids(path)
    for line, (image_id,) in read_rows(path, ["id"]):
        ids.append(image_id, line)
    return ids.array()


def read_attribution(path: Path) -> np.ndarray:
    """train_attribution.csv: ids, (N,) S16; titles and authors may stand in odd rows.

    Raises:
        RawFolderError: as `read_ids`.
    """
    ids = _Ids(path)
    for line, (image_id,) in read_rows(path, ["id"], strict=False):
        ids.append(image_id, line)
    return ids.array()


def read_train(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """train.csv: ids (N,) S16 and landmark ids (N,) int64.

    Raises:
        RawFolderError: as `read_ids`.
    """
    ids, landmarks = _Ids(path), array.array("q")
    for line, (image_id, landmark) in read_rows(path, ["id", "landmark_id"]):
        ids.append(image_id, line)
        landmarks.append(_landmark_id(landmark, path, line))
    return ids.array(), np.array(landmarks, np.int64)


def read_clean(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """train_clean.csv as one row an image: ids (N,) S16 and landmark ids (N,) int64.

    Raises:
        RawFolderError: as `read_ids`; a landmark with two rows.
    """
    ids, landmarks, seen = _Ids(path), array.array("q"), set()
    for line, (landmark, images) in read_rows(path, ["landmark_id", "images"]):
        number = _landmark_id(landmark, path, line)
        if number in seen:
            raise RawFolderError(
                f"{path}, line {line}: landmark_id {number} has a row already; all images of a "
                "class stand in one row"
            )
        seen.add(number)
        for image_id in images.split():
            ids.append(image_id, line)
            landmarks.append(number)
    return ids.array(), np.array(landmarks, np.int64)


def read_categories(path: Path) -> tuple[np.ndarray, list[str]]:
    """*_label_to_category.csv: landmark ids (C,) int64 and the category of each.

    A category is given as latin-1 text, one character a byte of the file: the published tables are
    not all UTF-8, and equal bytes are equal categories. Rows may be odd, see `read_rows`.

    Raises:
        RawFolderError: as `read_ids`; a landmark with two rows.
    """
    landmarks, categories = array.array("q"), []
    for line, (landmark, category) in read_rows(path, ["landmark_id", "category"], strict=False):
        landmarks.append(_landmark_id(landmark, path, line))
        categories.append(category)
    numbers = np.array(landmarks, np.int64)
    unique, counts = np.unique(numbers, return_counts=True)
    if len(unique) != len(numbers):
        raise RawFolderError(
            f"{path} has {int((counts > 1).sum())} landmark_id(s) with more than one row, such as "
            f"{unique[counts > 1][0]}; each class has one category"
        )
    return numbers, categories


def column_names(path: Path) -> list[str]:
    """The header of a CSV; empty for an empty file."""
    with path.open("rb") as stream:
        line = stream.readline(2**16).removeprefix(_UTF8_MARK).decode("latin-1")
    return next(csv.reader([line]), [])


def some_ids(ids: np.ndarray) -> str:
    """The first three of (N,) ids, for a message."""
    names = ", ".join(image_id.decode() for image_id in ids[:3])
    return names + (", ..." if len(ids) > 3 else "")


def read_rows(
    path: Path, columns: list[str], *, strict: bool = True
) -> Iterator[tuple[int, list[str]]]:
    """(line number, values of `columns`) of each row of a CSV.

    Read as latin-1, so that any byte passes in the columns that are not asked for; strictly
    otherwise: a row with a field too many would put a piece of an URL where the label belongs.

    Args:
        path: the CSV.
        columns: names of the columns that are asked for.
        strict: False, for tables of names and authors: what is too much in a row belongs to its
            last field (a comma without quotes), a row that is too short is passed over.

    Raises:
        RawFolderError: a column is missing; when strict: a row has more or fewer fields than the
            header, a quote is not closed.
    """
    csv.field_size_limit(2**31 - 1)  # the images of one class stand in one field
    with path.open("rb") as binary:
        if binary.read(len(_UTF8_MARK)) != _UTF8_MARK:
            binary.seek(0)
        reader = csv.reader(io.TextIOWrapper(binary, "latin-1", newline=""), strict=strict)
        try:
            header = next(reader, [])
            missing = [column for column in columns if column not in header]
            if missing:
                raise RawFolderError(
                    f"{path} has no column {', '.join(missing)}: expected the columns "
                    f"{', '.join(columns)}, found {', '.join(map(repr, header)) or 'none'}"
                )
            places = [header.index(column) for column in columns]
            for row in reader:
                if len(row) > len(header) and not strict:
                    row[len(header) - 1 :] = [",".join(row[len(header) - 1 :])]
                if len(row) == len(header):
                    yield reader.line_num, [row[place] for place in places]
                elif row and strict:
                    raise RawFolderError(
                        f"{path}, line {reader.line_num}: {len(row)} fields, the header has "
                        f"{len(header)} ({', '.join(header)})"
                    )
        except csv.Error as error:
            raise RawFolderError(f"{path}, line {reader.line_num}: {error}") from None


class _Ids:
    """A growing column of checked ids, 16 bytes each."""

    def __init__(self, path: Path):
        self._path = path
        self._bytes = bytearray()

    def append(self, text: str, line: int) -> None:
        if not _ID.fullmatch(text):
            raise RawFolderError(
                f"{self._path}, line {line}: an image id is 3 to {MAX_ID_CHARACTERS} ASCII letters "
                f"and digits (16 hexadecimal ones in GLDv2), found {text[:40]!r}"
            )
        self._bytes += text.encode().ljust(MAX_ID_CHARACTERS, b"\0")

    def array(self) -> np.ndarray:
        """(N,) S16; RawFolderError when an id is there twice."""
        ids = np.frombuffer(bytes(self._bytes), f"S{MAX_ID_CHARACTERS}")
        unique, counts = np.unique(ids, return_counts=True)
        if len(unique) != len(ids):
            twice = unique[counts > 1]
            raise RawFolderError(
                f"{self._path} names {len(twice)} image id(s) more than once: {some_ids(twice)}; "
                "each image may be listed once"
            )
        return ids


def _landmark_id(text: str, path: Path, line: int) -> int:
    if not _LANDMARK_ID.fullmatch(text):
        raise RawFolderError(
            f"{path}, line {line}: landmark_id is a whole number from 0 to 999999999, "
            f"found {text[:40]!r}"
        )
    return int(text)
