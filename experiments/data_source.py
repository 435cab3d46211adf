"""What `--data` points at, and which size of a recipe fits it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from landmarks_tf.records import Manifest, list_splits

# Below this a published recipe (299 px, classes of 150 pictures) has nothing to learn from.
_SMALLEST_FULL_SIZE = 100_000
_SPLITS = ("train", "index", "test")


@dataclass(frozen=True)
class DataSource:
    """A data set and where it lies.

    Attributes:
        kind: "demo" (rendered), "raw" (GLDv2's folders and CSVs) or "records".
        folder: None for the demo.
        train_images: rows of train.csv or of the training records; 0 for the demo.
    """

    kind: str
    folder: Path | None
    train_images: int

    def default_size(self) -> tuple[str, str]:
        """("demo" or "full", why)."""
        if self.kind == "demo":
            return "demo", "the built-in demo data set"
        count = f"{self.train_images:,} training pictures"
        if self.train_images < _SMALLEST_FULL_SIZE:
            return "demo", f"{count}, fewer than {_SMALLEST_FULL_SIZE:,}; --size full overrides"
        return "full", f"{count}; --size demo overrides"


def find_data(folder: Path | None) -> DataSource:
    """Tell what a folder holds.

    Raises:
        ValueError: it holds no data set; the message says what was looked for.
    """
    if folder is None:
        return DataSource("demo", None, 0)
    if not folder.is_dir():
        raise ValueError(f"--data {folder} is no folder. Name a folder of GLDv2 or of records.")
    complete = list_splits(folder)
    if complete:
        missing = [split for split in _SPLITS if split not in complete]
        if missing:
            raise ValueError(
                f"--data {folder} is a folder of records without a complete "
                f"{' or '.join(missing)} split (complete: {', '.join(complete)}). Run "
                f"`python -m tfrecords_tools convert --split {missing[0]}` into it first."
            )
        return DataSource("records", folder, Manifest.load(folder, "train").num_records)
    table = folder / "train.csv"
    if not table.is_file():
        raise ValueError(
            f"--data {folder} is no data set. Expected either a raw folder as GLDv2 publishes "
            f"itself (train.csv, train/a/b/c/<id>.jpg, ...) or a folder of records "
            f"(train.manifest.json, train-00000-of-...). Found: {_some_names(folder)}. "
            f"Own pictures, a folder a class, first go through `python -m tfrecords_tools arrange`."
        )
    with table.open("rb") as stream:
        rows = sum(1 for line in stream if line.strip())
    return DataSource("raw", folder, max(0, rows - 1))


def _some_names(folder: Path) -> str:
    names = sorted(entry.name for entry in folder.iterdir())
    return (", ".join(names[:5]) + (", ..." if len(names) > 5 else "")) or "nothing"
