"""The stages of a training as recipes of their own: what a stage may replace, and which is last.

Each stage is the whole recipe with the stage's fields in place; what another stage replaces it does
not see. It starts from the weights that the stage before ended with, with a fresh optimizer and
fresh schedules, whose steps count from its own first. The network that is evaluated, indexed and
exported is the last stage's.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from experiments.config import Experiment
from experiments.recipe import SECTIONS
from experiments.settings import with_value

# What is one for the whole training: the network that is carried on, the records that were made
# once, the devices, and how the end is judged.
_NOT_A_STAGES = {
    "model.backbone": "a stage goes on with the backbone of the one before",
    "model.weights": "a stage starts from the weights of the one before",
    "model.preprocessing": "the weights that are carried on expect it",
    "data.validation_fraction": "the records are made once",
    "data.validation_split": "the records are made once",
    "data.split_seed": "the records are made once",
    "data.expected_classes": "it describes the source's data",
    "train.strategy": "the devices are chosen once",
    "train.shard_centers": "the devices are chosen once",
    "train.deterministic": "it holds for the whole process",
    "train.overfit": "it is a check in place of the training",
}
_JUDGED_ONCE = ("evaluation", "export")


@dataclass(frozen=True)
class StageRecipe:
    """One stage, as its own recipe.

    Attributes:
        number: 1 for the first.
        name: what `config.Stage` calls it; "" for a training in one piece.
        recipe: the recipe with the stage's fields in place, without stages.
        own: the fields that the stage replaces.
        data: what the source trains the stage on, in words; "" where it does not say.
    """

    number: int
    name: str
    recipe: Experiment
    own: frozenset[str]
    data: str = ""

    @property
    def title(self) -> str:
        """For messages: 'stage 2 (high)'."""
        return f"stage {self.number} ({self.name})"

    @property
    def folder(self) -> str:
        """Name of its folder: '2-high'."""
        return f"{self.number}-{self.name}"


def stage_recipes(experiment: Experiment) -> list[StageRecipe]:
    """The stages in order; a training in one piece is a single one.

    Raises:
        UnknownSettingError: a stage replaces a field that does not exist.
        ValueError: a stage replaces what is one for the whole training, or names that are no words
            or not different.
    """
    if not experiment.stages:
        return [StageRecipe(1, "", experiment, frozenset())]
    names = [stage.name for stage in experiment.stages]
    for name in names:
        if not re.fullmatch(r"[a-z][a-z0-9_]*", name) or names.count(name) > 1:
            raise ValueError(
                f"Stages have different names of one word each, in small letters. Received: "
                f"{', '.join(map(repr, names))}."
            )
    found = []
    for number, stage in enumerate(experiment.stages, start=1):
        recipe = replace(experiment, stages=())
        for setting, value in stage.settings:
            _check_a_stages(stage.name, setting)
            recipe = with_value(recipe, setting, value)
        own = frozenset(setting for setting, _ in stage.settings)
        found.append(StageRecipe(number, stage.name, recipe, own, stage.data))
    return found


def last_recipe(experiment: Experiment) -> Experiment:
    """The recipe of the network that a training ends with: its last stage's."""
    return stage_recipes(experiment)[-1].recipe


def _check_a_stages(name: str, setting: str) -> None:
    section = setting.split(".")[0]
    reason = _NOT_A_STAGES.get(setting)
    if section in _JUDGED_ONCE:
        reason = "the network is judged at the end, once"
    if reason is not None and section in SECTIONS:
        raise ValueError(
            f"{setting} is one for the whole training ({reason}). Received: it is set in the stage "
            f"{name!r}. Set it in the recipe."
        )
