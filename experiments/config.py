"""An experiment is a frozen value; a variant is a base with a field replaced."""

from __future__ import annotations

from dataclasses import dataclass, field

from experiments.sections import Data, Evaluation, Export, Loss, Model, Train

__all__ = [
    "Data",
    "Evaluation",
    "Experiment",
    "Export",
    "Loss",
    "Model",
    "Published",
    "Stage",
    "Train",
]


@dataclass(frozen=True)
class Published:
    """A number from the source, shown apart from ours. `value` in the unit of `metric`."""

    metric: str
    value: float
    where: str


@dataclass(frozen=True)
class Stage:
    """One stage of a training: the recipe with fields replaced (experiments.training_stages).

    Attributes:
        name: one word, part of a folder's name.
        settings: (dotted field, value) pairs that this stage has of its own; the rest is the
            recipe's.
        data: what the source trains this stage on, in words; "" where it is what the whole training
            has. Ours are those of `data.train_set` or of `--stage-data`.
    """

    name: str
    settings: tuple[tuple[str, object], ...] = ()
    data: str = ""


@dataclass(frozen=True)
class Experiment:
    """One recipe.

    Attributes:
        name: what `--exp` takes.
        summary: one sentence for `--list`.
        source: paper and section, with what our recipe does differently.
        stages: of the training, in order, each from the weights of the one before; empty for a
            training in one piece.
        demo: (dotted field, value) pairs that make the demo size of this recipe; a stage's field is
            stages.NUMBER.section.field.
    """

    name: str
    summary: str
    source: str
    data: Data = field(default_factory=Data)
    model: Model = field(default_factory=Model)
    loss: Loss = field(default_factory=Loss)
    train: Train = field(default_factory=Train)
    evaluation: Evaluation = field(default_factory=Evaluation)
    export: Export = field(default_factory=Export)
    published: tuple[Published, ...] = ()
    stages: tuple[Stage, ...] = ()
    demo: tuple[tuple[str, object], ...] = ()
