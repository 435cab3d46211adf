"""What every stage is given."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from experiments.config import Experiment
from experiments.data_source import DataSource
from experiments.recipe import fingerprint
from experiments.training_stages import last_recipe
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
    """

    experiment: Experiment
    size: str
    source: DataSource
    workdir: Workdir
    log_to: str | None = None
    profile: bool = False

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
        return replace(self, experiment=last_recipe(self.experiment))

    def index_of(self, split: str) -> RecordIndex:
        return RecordIndex.open(self.records, split)

    def has_split(self, split: str) -> bool:
        return split in list_splits(self.records)

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
