"""What each stage of a training will do, worked out and checked before the first of them starts."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from experiments.config import Data, Experiment
from experiments.stages.class_set import CATEGORIES, ClassSet, class_keys, class_set, rows_where
from experiments.stages.context import Context
from experiments.training_sets import TrainingSet
from experiments.training_stages import StageRecipe
from landmarks_tf.records import RecordIndex


@dataclass(frozen=True, eq=False)
class PlannedStage:
    """A stage, with its data.

    Attributes:
        title: for messages; "" for a training in one piece.
        recipe: the stage's own.
        folder: holds its checkpoints and metrics.jsonl.
        data: what it trains on.
        index: the rows of it, under the records' labels.
        classes: its classes.
        judged: the same classes, for the labels of the run's own records.
        batches: its plan over the rows of `index`.
        steps: how many it takes.
    """

    title: str
    recipe: Experiment
    folder: Path
    data: TrainingSet
    index: RecordIndex
    classes: ClassSet
    judged: ClassSet
    batches: object
    steps: int

    @property
    def result(self) -> Path:
        """The trained network that the next stage starts from; there when the stage is done."""
        return self.folder / "trainer.keras"

    @property
    def class_sizes(self) -> np.ndarray:
        """(C,) training pictures of each of its classes."""
        return np.bincount(self.classes.relabel(self.index.label), minlength=len(self.classes))


def plan_stages(context: Context, replicas: int) -> list[PlannedStage]:
    """Every stage of the training, checked.

    Args:
        context: the run.
        replicas: devices that share a batch.

    Raises:
        ValueError: what a stage asks for does not fit its data, its length, its loss or the
            devices; or the last stage leaves classes out. The message names the stage.
    """
    planned = []
    for stage, data in context.training_sets():
        with named_stage(stage.title if stage.name else ""):
            planned.append(_plan(context, stage, data, replicas))
    _check_last(planned[-1])
    return planned


def _check_last(last: PlannedStage) -> None:
    if not last.classes.is_all:
        raise ValueError(
            f"The last stage trains on every class of the records, for the network is judged by "
            f"them. Received: {last.title} has data.min_images_per_class="
            f"{last.recipe.data.min_images_per_class}, which leaves {len(last.classes):,} of "
            f"{last.classes.total:,} classes. Set it in the recipe or in an earlier stage."
        )
    known = len(last.judged.kept)
    if known < last.judged.total:
        raise ValueError(
            f"The last stage trains on every class of the run's own records, for the network is "
            f"judged by them. Received: {last.title} trains on {last.data.words}, which has "
            f"{known:,} of the {last.judged.total:,} (by landmark id and metadata/{CATEGORIES}). "
            f"Give that data to an earlier stage."
        )


def check_networks(stages: Sequence[PlannedStage]) -> None:
    """Build the network of each stage once and let it go, so that a mistake shows at once.

    Raises:
        ValueError: what a stage sets does not make a network. The message names the stage.
    """
    from experiments.stages.networks import build_network

    for stage in stages:
        with named_stage(stage.title):
            build_network(stage.recipe, len(stage.classes), weights=False)


def sampling_plan(data: Data, labels: np.ndarray, seed: int):
    """The recipe's order of pictures.

    Raises:
        ValueError: an unknown sampling, numbers that contradict each other, or more classes a batch
            or pictures a class than there are.
    """
    from landmarks_tf.data import sampling, weighted

    check_sampling(data)
    if data.sampling == "class_balanced":
        return _class_balanced(data, labels, seed)
    if data.sampling == "weighted":
        weights = weighted.by_class_size(labels, data.class_power)
        return weighted.weighted(weights, batch_size=data.batch_size, seed=seed)
    return sampling.shuffled(len(labels), batch_size=data.batch_size, seed=seed)


def check_sampling(data: Data) -> None:
    """Refuse what is no order of pictures, whatever the pictures are.

    Raises:
        ValueError: an unknown sampling, or numbers that contradict each other.
    """
    groups = data.classes_per_batch * data.images_per_class
    if data.sampling == "class_balanced" and groups != data.batch_size:
        raise ValueError(
            f"A class-balanced batch holds classes_per_batch x images_per_class pictures. "
            f"Received: {data.classes_per_batch} x {data.images_per_class} = {groups}, "
            f"data.batch_size={data.batch_size}."
        )
    if data.sampling == "weighted" and data.class_power is None:
        raise ValueError(
            "data.sampling=weighted needs data.class_power: a picture of a class of n weighs "
            "n ** -class_power. 0.5 is usual; 1 makes all classes equally frequent."
        )
    if data.sampling == "shuffled" and data.class_power is not None:
        raise ValueError(
            f"data.class_power is read by data.sampling=weighted and class_balanced. Received: "
            f"data.sampling=shuffled, data.class_power={data.class_power}."
        )
    if data.sampling not in ("shuffled", "class_balanced", "weighted"):
        raise ValueError(
            f"Expected a sampling among shuffled, class_balanced, weighted. Received: "
            f"{data.sampling!r}."
        )


def _class_balanced(data: Data, labels: np.ndarray, seed: int):
    from landmarks_tf.data import sampling, weighted

    _check_largest_class(labels, data.images_per_class)
    P_and_K = {
        "classes_per_batch": data.classes_per_batch,
        "images_per_class": data.images_per_class,
    }
    if data.class_power is None:
        return sampling.class_balanced(labels, **P_and_K, seed=seed)
    weights = weighted.by_class_size(labels, data.class_power)
    return weighted.weighted_classes(labels, weights, **P_and_K, seed=seed)


def total_steps(recipe: Experiment, plan) -> int:
    """Steps of the whole training; an epoch is as many pictures as the training set has."""
    if recipe.train.steps:
        return recipe.train.steps
    return max(1, round(recipe.train.epochs * plan.num_rows / plan.batch_size))


def _plan(context: Context, stage: StageRecipe, pictures: TrainingSet, replicas) -> PlannedStage:
    from experiments.stages.devices import check_devices
    from experiments.stages.margin_schedules import check_margin_steps
    from experiments.stages.networks import losses_of
    from experiments.stages.optimization import optimizer_of
    from landmarks_tf.training.labels import check_labels

    recipe, folder = stage.recipe, context.workdir.training
    data = recipe.data
    # The recipe's own minimum was applied when the records were made.
    by_stage = "data.min_images_per_class" in stage.own
    on = context if pictures.is_own else context.on(pictures.records)
    classes = class_set(on, data.min_images_per_class if by_stage else None)
    index = classes.rows_of(on.index_of("train"))
    check_labels(index.label, classes.total, index.id)
    if not pictures.is_own:
        index = _without_held_out(context, index)
    batches = sampling_plan(data, index.label, recipe.train.seed)
    planned = PlannedStage(
        title=stage.title if stage.name else "",
        recipe=recipe,
        folder=folder / stage.folder if stage.name else folder,
        data=pictures,
        index=index,
        classes=classes,
        judged=classes if pictures.is_own else classes.seen_from(class_keys(context)),
        batches=batches,
        steps=total_steps(recipe, batches),
    )
    check_devices(recipe, replicas)
    losses_of(recipe, planned.class_sizes)
    optimizer_of(recipe, planned.steps)
    check_margin_steps(recipe.loss, planned.steps)
    return planned


def _without_held_out(context: Context, index: RecordIndex) -> RecordIndex:
    """The rows that the run does not hold out: other records may have them among the training's.

    Raises:
        ValueError: none is left.
    """
    if not context.has_split("validation"):
        return index
    left = ~np.isin(index.id, context.index_of("validation").id)
    if not left.any():
        raise ValueError(
            f"All {len(index):,} training pictures are held out by the run's own records."
        )
    return rows_where(index, left)


def _check_largest_class(labels: np.ndarray, images_per_class: int) -> None:
    largest = int(np.bincount(labels).max(initial=0)) if np.min(labels, initial=0) >= 0 else None
    if largest is not None and images_per_class > largest:
        raise ValueError(
            f"No class has data.images_per_class={images_per_class} training pictures, the largest "
            f"has {largest}: every group of a batch would hold copies. Lower it."
        )


@contextlib.contextmanager
def named_stage(title: str) -> Iterator[None]:
    """Say which stage an error is about."""
    try:
        yield
    except ValueError as error:
        if not title:
            raise
        raise ValueError(f"In {title}: {error}") from error
