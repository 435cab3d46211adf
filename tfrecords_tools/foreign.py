"""Records that others wrote, as a source of a conversion.

They are read twice: once from end to end, for what each record says and where it lies, with every
checksum compared; and once record by record, in the order in which they are written anew.
"""

from __future__ import annotations

import csv
import dataclasses
import hashlib
import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from landmarks_tf.records import (
    DamagedRecordError,
    RecordsError,
    read_frame,
    read_frames,
    replacing,
)
from tfrecords_tools.dialects import DialectError, find_dialect, image_id, read_record
from tfrecords_tools.images import BadImageError
from tfrecords_tools.progress import ProgressBar, progress_bar
from tfrecords_tools.raw import Listing
from tfrecords_tools.tables import some_ids

_NO_LABEL = -1
_ROW = np.dtype(
    [("file", "<i4"), ("offset", "<i8"), ("label", "<i8"), ("clean", "i1"), ("id", "S16")]
)
# Beside the records of these dialects lie files that are none.
_OTHER_SUFFIXES = {".json", ".csv", ".txt", ".npy", ".md", ".pbtxt", ".index", ".done"}


@dataclasses.dataclass(frozen=True, eq=False)
class RecordImages:
    """The images of one shard, by their place in the records of others."""

    paths: tuple[str, ...]
    rows: np.ndarray
    dialect: str

    def __post_init__(self) -> None:
        places = {image_id: row for row, image_id in enumerate(self.rows["id"].tolist())}
        object.__setattr__(self, "_places", places)

    def image_bytes(self, image_id: bytes) -> bytes:
        row = self.rows[self._places[bytes(image_id)]]
        try:
            record = read_frame(self.paths[row["file"]], int(row["offset"]))
            return read_record(record, self.dialect).image
        except (DamagedRecordError, DialectError) as error:
            raise BadImageError(f"damaged record: {error}") from None

    def check_still_there(self) -> None:
        for path in self.paths:
            if not Path(path).exists():
                raise OSError(f"the records {path} went away during the conversion")


class ForeignRecords:
    """TFRecord files of one split.

    Args:
        paths: files, and folders of files; in this order, and by name within a folder.
        split: "train" (all records must have a label), "index" or "test" (labels are left out).
        dialect: a name of `dialects.DIALECTS`, or "auto".
        validation: like `paths`: records that are split "validation".
        state: where to keep what was scanned, so that it is not scanned again; None: nowhere.
        progress: whether to draw a progress bar (only where standard error is a terminal).

    Attributes:
        dialect: the one found.
        is_validation: (N,) bool, or None without `validation`.

    Raises:
        RecordsError: no files, another dialect, a damaged file, a record of train without a label,
            an id that is there twice.
        OSError: a file cannot be read.
    """

    def __init__(
        self,
        paths: Sequence[str | os.PathLike],
        split: str,
        dialect: str = "auto",
        *,
        validation: Sequence[str | os.PathLike] = (),
        state: Path | None = None,
        progress: bool = False,
    ):
        first, second = record_files(paths), record_files(validation) if validation else []
        self.split = split
        self.paths = tuple(map(str, (*first, *second)))
        self.dialect = _first_dialect(self.paths) if dialect == "auto" else dialect
        maps = {path.parent: _label_map(path.parent) for path in (*first, *second)}
        with progress_bar(
            progress,
            total=sum(Path(path).stat().st_size for path in self.paths),
            unit="B",
            unit_scale=True,
            desc="reading",
        ) as bar:
            parts = [
                _relabeled(self._scan(number, path, state, bar), maps[Path(path).parent], path)
                for number, path in enumerate(self.paths)
            ]
        self.rows = np.concatenate(parts)
        in_validation = np.repeat(
            [number >= len(first) for number in range(len(parts))], list(map(len, parts))
        )
        self.is_validation = in_validation if second else None
        self._order = np.argsort(self.rows["id"])
        self._check()

    def files(self) -> np.ndarray:
        """(N,) S16, the ids of all records, sorted."""
        return self.rows["id"][self._order]

    def csv_path(self, name: str) -> None:
        """Records come without CSVs."""

    def listing(self, files: np.ndarray, clean: bool | None = None) -> Listing:
        """All records, or the clean ones, as `RawFolder.listing` gives images.

        Raises:
            RecordsError: `clean` where the records do not tell which are.
        """
        rows = self.rows
        if clean and (rows["clean"] < 0).any():
            raise RecordsError(
                f"records of dialect {self.dialect} do not say which images are clean: leave the "
                "subset out, or say full"
            )
        if clean:
            rows = rows[rows["clean"] == 1]
        sizes = "".join(f"{path.name} {path.stat().st_size}\n" for path in map(Path, self.paths))
        return Listing(
            rows["id"],
            rows["label"] if self.split == "train" else None,
            {"records": hashlib.sha256(sizes.encode("utf-8", "surrogateescape")).hexdigest()},
            {"records": len(self.rows)},
            self.rows["id"],
        )

    def part(self, ids: np.ndarray) -> RecordImages:
        """The images of `ids` alone."""
        places = np.searchsorted(self.rows["id"], ids, sorter=self._order)
        return RecordImages(self.paths, self.rows[self._order[places]], self.dialect)

    def place(self, image_id: bytes) -> str:
        """Where the record of an image is, for people."""
        row = self.rows[self._order[np.searchsorted(self.rows["id"], image_id, sorter=self._order)]]
        return f"{self.paths[row['file']]}, byte {row['offset']}"

    def _scan(self, number: int, path: str, state: Path | None, bar: ProgressBar) -> np.ndarray:
        status = Path(path).stat()
        key = f"{Path(path).resolve()}\n{status.st_size}\n{status.st_mtime_ns}\n{self.dialect}"
        name = hashlib.sha256(key.encode("utf-8", "surrogateescape")).hexdigest()[:32]
        kept = None if state is None else state / f"scan-{name}.npy"
        if kept is not None and kept.is_file():
            rows = np.load(kept, allow_pickle=False)
            bar.update(status.st_size)
        else:
            rows = _scan_file(path, self.dialect, self.split == "train", bar)
            if kept is not None:
                kept.parent.mkdir(parents=True, exist_ok=True)
                with replacing(kept) as temporary, temporary.open("wb") as stream:
                    np.save(stream, rows, allow_pickle=False)
        rows["file"] = number
        return rows

    def _check(self) -> None:
        if not len(self.rows):
            raise RecordsError(f"the {len(self.paths)} file(s) hold no records")
        ids = self.files()
        twice = np.unique(ids[1:][ids[1:] == ids[:-1]])
        if len(twice):
            raise RecordsError(
                f"{len(twice)} image id(s) are there more than once: {some_ids(twice)}; give the "
                "files of one split only, each once"
            )


def record_files(paths: Sequence[str | os.PathLike]) -> list[Path]:
    """The files that `paths` name, a folder standing for what lies in it, by name.

    Hidden files and those with a suffix of text or metadata are none of records.

    Raises:
        RecordsError: one of them is not there, or a folder holds no files.
    """
    found: list[Path] = []
    for path in map(Path, paths):
        if path.is_file():
            found.append(path)
            continue
        if not path.is_dir():
            raise RecordsError(f"there is no file or folder {path}")
        inside = [
            entry
            for entry in sorted(path.iterdir())
            if entry.is_file()
            and not entry.name.startswith(".")
            and entry.suffix not in _OTHER_SUFFIXES
        ]
        if not inside:
            raise RecordsError(f"the folder {path} holds no files of records")
        found += inside
    return found


def _first_dialect(paths: tuple[str, ...]) -> str:
    for path in paths:
        for _, record in read_frames(path):
            try:
                return find_dialect(record)
            except DialectError as error:
                raise DialectError(f"{path}, its first record: {error}") from None
    raise RecordsError(f"the {len(paths)} file(s) hold no records")


def _scan_file(path: str, dialect: str, needs_label: bool, bar: ProgressBar) -> np.ndarray:
    rows, name, seen = [], Path(path).name, 0
    for number, (offset, record) in enumerate(read_frames(path)):
        where = f"{path}, record {number} at byte {offset}"
        try:
            content = read_record(record, dialect)
        except DialectError as error:
            raise DialectError(f"{where}: {error}") from None
        if needs_label and (content.label is None or content.label < 0):
            raise DialectError(
                f"{where}: no label, which a record of train must have; "
                "index and test are for records without"
            )
        rows.append(
            (
                0,
                offset,
                _NO_LABEL if content.label is None else content.label,
                -1 if content.clean is None else content.clean,
                image_id(content.id, name, number),
            )
        )
        bar.update(offset + len(record) - seen)
        seen = offset + len(record)
    return np.array(rows, _ROW)


def _label_map(folder: Path) -> dict[int, int] | None:
    """DELF's relabeling.csv: the published landmark id of each label; None where it is not."""
    path = folder / "relabeling.csv"
    if not path.is_file():
        return None
    try:
        with path.open(newline="", encoding="utf-8") as stream:
            return {int(row["new_label"]): int(row["old_label"]) for row in csv.DictReader(stream)}
    except (KeyError, TypeError, ValueError, csv.Error) as error:
        raise RecordsError(
            f"{path} is no label map with the columns new_label,old_label: {error}"
        ) from None


def _relabeled(rows: np.ndarray, label_map: dict[int, int] | None, path: str) -> np.ndarray:
    if label_map is None:
        return rows
    labels, which = np.unique(rows["label"], return_inverse=True)
    missing = [label for label in labels.tolist() if label >= 0 and label not in label_map]
    if missing:
        raise RecordsError(
            f"{path} has label {missing[0]}, which the relabeling.csv beside it does not know"
        )
    rows["label"] = np.array([label_map.get(label, label) for label in labels.tolist()])[which]
    return rows
