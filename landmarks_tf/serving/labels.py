"""Which landmark an index image shows, from GLDv2's own files."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote


def read_labels(image_to_landmark: str | Path, categories: str | Path | None = None) -> dict:
    """Image id -> name of its landmark.

    Args:
        image_to_landmark: `index_image_to_landmark.csv`, or any CSV with id and landmark_id.
        categories: `index_label_to_category.csv` (landmark_id, category); without it, and for a
            landmark that it lacks, the name is the landmark's number.

    Raises:
        OSError: a file that is not there.
        ValueError: a file without these columns, or ids that are not in UTF-8.
    """
    names = {}
    if categories is not None:
        # The published table holds names in stray encodings; a name is only for reading.
        for row in _rows(Path(categories), ("landmark_id", "category"), errors="replace"):
            names[row["landmark_id"]] = landmark_name(row["category"])
    return {
        row["id"]: names.get(row["landmark_id"], row["landmark_id"])
        for row in _rows(Path(image_to_landmark), ("id", "landmark_id"))
    }


def landmark_name(category: str) -> str:
    """A Wikimedia Commons category as a name: ".../Category:Pont_d%27Avignon" -> "Pont d'Avignon".

    Only what stands before "Category:" goes; commas and colons belong to the name (S2's label file
    was cut at them).
    """
    _, _, name = category.rpartition("/wiki/Category:")
    return unquote(name or category).replace("_", " ").strip()


def _rows(path: Path, columns: tuple[str, ...], errors: str = "strict") -> Iterator[dict[str, str]]:
    with path.open(newline="", encoding="utf-8-sig", errors=errors) as stream:
        try:
            reader = csv.DictReader(stream)
            if missing := set(columns) - set(reader.fieldnames or ()):
                raise ValueError(
                    f"{path}: expected the columns {', '.join(columns)}; "
                    f"{', '.join(sorted(missing))} not found in {reader.fieldnames}"
                )
            for row in reader:
                if any(not row[column] for column in columns):
                    raise ValueError(f"{path}, line {reader.line_num}: a value is missing: {row}")
                yield row
        except UnicodeDecodeError as error:
            raise ValueError(f"{path} is not UTF-8 text: {error}") from None
