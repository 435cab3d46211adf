"""What `--data` and `--stage-data` point at, and which size of a recipe fits it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from experiments.config import Experiment
from experiments.settings import UnknownSettingError, place_of_stage
from landmarks_tf.records import Manifest, RecordIndex, list_splits, split_of_shard

# Below this a published recipe (299 px, classes of 150 pictures) has nothing to learn from.
_SMALLEST_FULL_SIZE = 100_000
# Kaggle's recognition editions have no index, and none of these: who has one has an index, too.
_TABLES_OF_AN_INDEX = (
    "index.csv",
    "index_image_to_landmark.csv",
    "index_label_to_category.csv",
    "retrieval_solution_v2.1.csv",
)


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

    def has(self, split: str) -> bool:
        """Whether there are pictures of a split: complete records, or files in its folder."""
        if self.kind == "demo":
            return True
        if self.kind == "raw":
            return any((self.folder / split).glob("?/?/?/*.jpg"))
        return split in list_splits(self.folder) and bool(
            Manifest.load(self.folder, split).num_records
        )

    def has_table(self, name: str) -> bool:
        """Whether a CSV is there: in the metadata of records, anywhere that raw folders have it."""
        if self.kind == "demo":
            return True
        places = ("metadata",) if self.kind == "records" else (".", "train", "index", "test")
        return any((self.folder / place / name).is_file() for place in places)

    def should_have_index(self) -> bool:
        """Whether the data set has an index, be its pictures here or not."""
        if self.kind == "demo" or any(map(self.has_table, _TABLES_OF_AN_INDEX)):
            return True
        if self.kind == "raw":
            return (self.folder / "index").is_dir()
        names = [entry.name for entry in self.folder.iterdir()]
        return any(split_of_shard(n) == "index" or n == ".convert-index" for n in names)

    def identity(self) -> str:
        """The folder and what is known of its training pictures: another text, other data."""
        text = f"{self.folder.resolve()} ({self.train_images:,} pictures"
        if self.kind == "records":
            text += f", index {Manifest.load(self.folder, 'train').index_sha256[:12]}"
        return text + ")"


def find_data(folder: Path | None) -> DataSource:
    """Tell what the folder of `--data` holds; None is the demo.

    Raises:
        ValueError: it holds no data set; the message says what was looked for.
    """
    if folder is None:
        return DataSource("demo", None, 0)
    return _find(folder, f"--data {folder}")


def check_can_be_evaluated(source: DataSource) -> None:
    """Tell before a training of days that what follows it has nothing to work on.

    Data sets that have no index, as Kaggle's recognition editions, are whole without one.

    Raises:
        ValueError: the data has no test pictures, or not the index that belongs to it.
    """
    needed = ("index", "test") if source.should_have_index() else ("test",)
    missing = [split for split in needed if not source.has(split)]
    if not missing:
        return
    if source.kind == "records":
        what = f"a folder of records without a complete {' or '.join(missing)} split"
        mend = f"run `python -m tfrecords_tools convert --split {missing[0]}` into it first"
    else:
        what = f"a raw folder without pictures in {' or '.join(f'{one}/' for one in missing)}"
        mend = "get them (`python -m tfrecords_tools download`)"
    raise ValueError(
        f"--data {source.folder} is {what}, so a network can be trained on it, not evaluated: "
        f"{mend}, or give --stage train."
    )


def find_stage_data(assignments: Sequence[str], experiment: Experiment) -> dict[str, DataSource]:
    """The name of a stage -> its data, for each `--stage-data STAGE=FOLDER`.

    Args:
        assignments: STAGE is a number, from 1, or a name. The folder holds records with a train
            split, or is a raw one.
        experiment: whose stages are meant.

    Raises:
        UnknownSettingError: there is no such stage.
        ValueError: no `=`, a stage twice, or a folder without training pictures.
    """
    found: dict[str, DataSource] = {}
    for assignment in assignments:
        which, equals, folder = assignment.partition("=")
        if not equals or not folder:
            raise ValueError(
                f"--stage-data takes STAGE=FOLDER, for instance 2=records. Received: "
                f"{assignment!r}."
            )
        if not experiment.stages:
            raise UnknownSettingError(
                f"{experiment.name} trains in one piece, without stages: its data is --data. "
                f"Received: --stage-data {assignment}."
            )
        name = experiment.stages[place_of_stage(experiment, which.strip())].name
        if name in found:
            raise ValueError(
                f"--stage-data names the data of stage {name!r} twice. A stage trains on one "
                f"folder: `python -m tfrecords_tools arrange` lays several out as one."
            )
        found[name] = _find(Path(folder), f"--stage-data {assignment}")
        if found[name].kind == "records" and RecordIndex.open(folder, "train").num_classes is None:
            raise ValueError(f"--stage-data {assignment}: its training pictures have no labels.")
    return found


def _find(folder: Path, asked: str) -> DataSource:
    if not folder.is_dir():
        raise ValueError(f"{asked} is no folder. Name a folder of GLDv2 or of records.")
    complete = list_splits(folder)
    if complete:
        if "train" not in complete:
            raise ValueError(
                f"{asked} is a folder of records without a complete train split (complete: "
                f"{', '.join(complete)}). Run `python -m tfrecords_tools convert --split train` "
                f"into it first."
            )
        return DataSource("records", folder, Manifest.load(folder, "train").num_records)
    table = folder / "train.csv"
    if not table.is_file():
        raise ValueError(
            f"{asked} is no data set. Expected either a raw folder as GLDv2 publishes "
            f"itself (train.csv, train/a/b/c/<id>.jpg, ...) or a folder of records "
            f"(train.manifest.json, train-00000-of-...). Found: {_some_names(folder)}. "
            f"Own pictures, a folder a class, first go through `tfrecords_tools arrange`, "
            "records of others through `convert --records`."
        )
    with table.open("rb") as stream:
        rows = sum(1 for line in stream if line.strip())
    return DataSource("raw", folder, max(0, rows - 1))


def _some_names(folder: Path) -> str:
    names = sorted(entry.name for entry in folder.iterdir())
    return (", ".join(names[:5]) + (", ..." if len(names) > 5 else "")) or "nothing"
