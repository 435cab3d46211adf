"""What every stage is given."""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

from experiments.config import Experiment
from experiments.data_source import DataSource
from experiments.recipe import fingerprint
from experiments.tasks import Task, tasks_of
from experiments.training_sets import TrainingSet, training_set
from experiments.training_stages import StageRecipe, last_recipe, stage_recipes
from experiments.workdir import Workdir
from landmarks_tf.records import Manifest, RecordIndex, list_splits


@dataclass(frozen=True)
class Context:
    """One run.

    Attributes:
        experiment: the recipe at the size that is run.
        size: "demo" or "full".
        source: the data.
        workdir: where everything is written.
        log_to: a tracker that training reports to (`landmarks_tf.training.trackers`), or None.
        profile: whether training writes a profile of some steps.
        stage_data: the data of stages that have their own, by the stage's name.
        head_records: the folder of records whose classes the trained network's head knows, once
            training is over; None for the run's own.
    """

    experiment: Experiment
    size: str
    source: DataSource
    workdir: Workdir
    log_to: str | None = None
    profile: bool = False
    stage_data: Mapping[str, DataSource] = field(default_factory=dict)
    head_records: Path | None = None

    @property
    def records(self) -> Path:
        """The folder of records: the user's own, or the one the prepare stage makes."""
        return self.source.folder if self.source.kind == "records" else self.workdir.records

    @property
    def metadata(self) -> Path:
        """Copies of the CSVs that evaluation needs."""
        return self.records / "metadata"

    def after_training(self) -> Context:
        """The run as what comes after training sees it: with the recipe of the last stage."""
        last = stage_recipes(self.experiment)[-1]
        head = self.training_set(last).records or self.head_records
        return replace(self, experiment=last_recipe(self.experiment), head_records=head)

    def training_set(self, stage: StageRecipe) -> TrainingSet:
        """What one of the stages trains on."""
        return training_set(
            stage,
            self.experiment,
            source=self.source,
            workdir=self.workdir,
            stage_data=self.stage_data,
        )

    def training_sets(self) -> list[tuple[StageRecipe, TrainingSet]]:
        """Every stage with what it trains on."""
        return [(stage, self.training_set(stage)) for stage in stage_recipes(self.experiment)]

    @property
    def makes_records(self) -> bool:
        """Whether the prepare stage has pictures to convert."""
        made = [pictures.raw for _, pictures in self.training_sets() if pictures.raw is not None]
        return self.source.kind != "records" or bool(made)

    def on(self, records: Path) -> Context:
        """The run as it would be on another folder of records."""
        return replace(self, source=DataSource("records", records, 0))

    def index_of(self, split: str) -> RecordIndex:
        return RecordIndex.open(self.records, split)

    def has_split(self, split: str) -> bool:
        return split in list_splits(self.records)

    @property
    def tasks(self) -> dict[str, Task]:
        """What the records can be judged by."""
        return tasks_of(DataSource("records", self.records, 0))

    @property
    def searched_split(self) -> str:
        """What queries are searched in: the index, or the training pictures where there is none."""
        return "index" if self.has_split("index") else "train"

    def left_out(self, split: str) -> list[str]:
        """Ids of the pictures that could not be converted: of them nothing is known."""
        path = self.records / f"{split}.skipped.csv"
        if not path.is_file():
            return []
        with path.open(newline="", encoding="utf-8") as stream:
            return [row["id"] for row in csv.DictReader(stream)]

    @cached_property
    def num_classes(self) -> int:
        return Manifest.load(self.records, "train").num_classes

    def embeddings_path(self, split: str, *, trained: bool = True) -> Path:
        name = split if trained else f"{split}-untrained"
        return self.workdir.embeddings / f"{name}.npy"

    def fingerprint_of(self, split: str, *, trained: bool) -> str:
        """Names all that the embeddings of a split depend on."""
        manifest = Manifest.load(self.records, split)
        network = _digest(self.workdir.embedder) if trained else "untrained"
        parts = [fingerprint(self.experiment), network, manifest.index_sha256]
        return hashlib.sha256("/".join(parts).encode()).hexdigest()[:16]


def _digest(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
