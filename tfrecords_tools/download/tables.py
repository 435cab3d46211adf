"""Is a fetched CSV the one that was asked for, and whole? No checksum of it is published."""

from __future__ import annotations

import csv
import io
from pathlib import Path

from tfrecords_tools.download.published import PublishedTable

_MARK = b"\xef\xbb\xbf"
_LONGEST_HEADER = 2**16
_PIECE = 2**20


class TableError(ValueError):
    """A file is not the CSV that it should be."""


def check_table(path: Path, table: PublishedTable) -> None:
    """Looks at the header of a CSV, and through it for bytes that are no text.

    Raises:
        TableError: the header lacks a published column (an error page has none of them), there is
            no row, or there are zero bytes, as a power cut may leave them.
        OSError: the file cannot be read.
    """
    with path.open("rb") as stream:
        first = stream.readline(_LONGEST_HEADER).removeprefix(_MARK)
        rows = stream.tell()
        pieces = iter(lambda: stream.read(_PIECE), b"")
        is_text = not any(b"\0" in piece for piece in pieces)
        size = stream.tell()
    header = next(csv.reader(io.StringIO(first.decode("latin-1"))), [])
    missing = [column for column in table.columns if column not in header]
    if missing:
        found = ", ".join(map(repr, header))[:200] or "nothing"
        raise TableError(
            f"{table.name} has no column {', '.join(missing)}: expected the columns "
            f"{', '.join(table.columns)}, found {found}"
        )
    if size == rows:
        raise TableError(f"{table.name} has a header and no rows")
    if not is_text:
        raise TableError(f"{table.name} holds zero bytes, which are no text")
