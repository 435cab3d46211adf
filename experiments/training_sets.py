"""Which pictures a stage of a training reads: the run's own, another subset, or another folder.

What is evaluated, indexed and exported is of the run's own data whatever the stages trained on, and
no stage trains on a picture that the run holds out.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from experiments.config import Experiment
from experiments.data_source import DataSource
from experiments.training_stages import StageRecipe
from experiments.workdir import Workdir

SUBSETS = {
    "clean": "the clean pictures",
    "c2x": "all pictures of the clean classes",
    "full": "all of train.csv",
}
_OWN = "the run's own training pictures"


@dataclass(frozen=True)
class TrainingSet:
    """The training pictures of one stage.

    Attributes:
        words: what they are, for people.
        records: the folder whose train split is read; None for the run's own.
        raw: the raw folder that `records` is made from; None where nothing is to be made.
        subset: which of the raw folder's pictures, a key of `SUBSETS`; None for convert's choice.
    """

    words: str
    records: Path | None = None
    raw: Path | None = None
    subset: str | None = None

    @property
    def is_own(self) -> bool:
        """Whether they are those of the run's own data, in its own records."""
        return self.records is None


def training_set(
    stage: StageRecipe,
    experiment: Experiment,
    *,
    source: DataSource,
    workdir: Workdir,
    stage_data: Mapping[str, DataSource],
) -> TrainingSet:
    """What a stage trains on.

    Args:
        stage: one of `training_stages.stage_recipes(experiment)`.
        experiment: the run's recipe.
        source: the run's data.
        workdir: where records that are yet to be made will lie.
        stage_data: the names of stages with a folder of their own -> what it holds.

    Raises:
        ValueError: `data.train_set` is none of the subsets.
    """
    subset, given = stage.recipe.data.train_set, stage_data.get(stage.name)
    words = words_for(stage, experiment, stage_data)
    if given is not None and given.kind == "records":
        return TrainingSet(words, given.folder)
    if given is not None:
        return TrainingSet(words, workdir.stage_records / stage.folder, given.folder, subset)
    if _is_own(stage, experiment):
        return TrainingSet(words)
    asked = f"data.train_set={str(subset).lower()}"
    if source.kind == "records":
        reason = f"{asked} is for raw folders, and {source.folder} holds records"
    else:
        raw = workdir.raw if source.kind == "demo" else source.folder
        if source.kind == "demo" or _lists_clean_pictures(raw):
            chosen = subset or "clean"
            return TrainingSet(words, workdir.stage_records / chosen, raw, chosen)
        reason = f"{asked}, but {raw} has no train_clean.csv"
    return TrainingSet(f"{_OWN} ({reason}; --stage-data {stage.name}=FOLDER names others)")


def words_for(
    stage: StageRecipe, experiment: Experiment, stage_data: Mapping[str, DataSource]
) -> str:
    """What a stage is to train on, for people, where the run's data is not known yet.

    Args:
        stage, experiment, stage_data: as of `training_set`.

    Raises:
        ValueError: `data.train_set` is none of the subsets.
    """
    subset, given = stage.recipe.data.train_set, stage_data.get(stage.name)
    check_subset(subset)
    if given is not None:
        of = f"{SUBSETS[subset]} of " if subset and given.kind == "raw" else ""
        return f"{of}{given.folder} (--stage-data)"
    if _is_own(stage, experiment):
        return _OWN
    chosen = subset or "clean"
    return f"{SUBSETS[chosen]} (data.train_set={chosen})"


def _is_own(stage: StageRecipe, experiment: Experiment) -> bool:
    # Where nothing is said, the clean pictures train if they are listed.
    return (stage.recipe.data.train_set or "clean") == (experiment.data.train_set or "clean")


def check_subset(subset: str | None) -> None:
    """Refuse a `data.train_set` that there is not.

    Raises:
        ValueError: it is neither None nor one of `SUBSETS`.
    """
    if subset is not None and subset not in SUBSETS:
        raise ValueError(
            f"data.train_set is one of {', '.join(SUBSETS)}, or none. Received: {subset!r}."
        )


def _lists_clean_pictures(raw: Path) -> bool:
    """Whether a raw folder has several sets: train_clean.csv at its root or, as DELF's, below."""
    return any((raw / place / "train_clean.csv").is_file() for place in (".", "train"))
