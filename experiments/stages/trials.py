"""Short trials in place of a training: which learning rate, and can the network learn at all.

They use the recipe's first stage, network, data and loss, write one report into the run's folder,
and leave its training alone.
"""

from __future__ import annotations

import math
import sys
from dataclasses import asdict, replace

import numpy as np

from experiments.config import Experiment
from experiments.stages.context import Context
from experiments.stages.planned import PlannedStage, plan_stages
from experiments.stages.train import _training_data, compiled_network
from experiments.workdir import write_json

RANGE_TEST_STEPS = 200
OVERFIT_STEPS = 300


def find_rate(context: Context, steps: int = RANGE_TEST_STEPS) -> str:
    """Run a learning-rate range test; write lr_finder.json and .png; return what to tell people."""
    from landmarks_tf.data.dataset import clear_errors
    from landmarks_tf.plots.learning_rate import range_test_figure
    from landmarks_tf.plots.style import figure_png
    from landmarks_tf.training.distribution import fit_scope
    from landmarks_tf.training.learning_rate_finder import find_learning_rate

    stage, strategy = _first_stage(context)
    stage = replace(stage, recipe=_without_margin(stage.recipe))
    network, _ = compiled_network(stage, strategy)
    _say(f"Learning-rate range test of {steps} steps", stage)
    with clear_errors(stage.index), fit_scope(strategy):
        found = find_learning_rate(
            network.trainer, _data(replace(stage, steps=steps)), steps=steps
        ).as_dict()
    path = context.workdir.root / "lr_finder.json"
    write_json(path, found | {"recipe_learning_rate": stage.recipe.train.learning_rate})
    picture = path.with_suffix(".png")
    picture.write_bytes(figure_png(range_test_figure(found)))
    where = f"See {picture}; the values are in {path}."
    own = f"The recipe has train.learning_rate={stage.recipe.train.learning_rate:g}."
    if found["suggested"] is None:
        return (
            f"No learning rate between {found['learning_rates'][0]:g} and "
            f"{found['learning_rates'][-1]:g} made the loss fall clearly. {own} Check with "
            f"`--set train.overfit=true` whether the network can learn at all. {where}"
        )
    limit = found["diverges_at"]
    high = f", from {limit:.2g} on it is too high" if limit is not None else ""
    return (
        f"Suggested: train.learning_rate={found['suggested']:.2g}, where the loss falls fastest; "
        f"it is lowest at {found['best_at']:.2g}{high}. {own} {where}"
    )


def overfit(context: Context, steps: int = OVERFIT_STEPS) -> tuple[bool, str]:
    """Train on one batch until its loss is near zero; write overfit.json.

    Returns:
        Whether it passed, and what to tell people.
    """
    from landmarks_tf.data.dataset import clear_errors
    from landmarks_tf.training.distribution import fit_scope
    from landmarks_tf.training.overfit import overfit_one_batch

    stage, strategy = _first_stage(context)
    stage = replace(stage, recipe=_without_hindrances(stage.recipe))
    network, _ = compiled_network(stage, strategy)
    with clear_errors(stage.index):
        images, targets = next(_data(stage).take(1).as_numpy_iterator())
    labels = targets["main"] if isinstance(targets, dict) else targets
    _say(f"One batch, up to {steps} times, no augmentation, dropout or label smoothing", stage)
    with fit_scope(strategy):
        report = overfit_one_batch(
            network.trainer,
            images,
            targets,
            embedder=network.embedder,
            labels=None if stage.recipe.model.head == "reconstruction" else labels,
            steps=steps,
            lowest_loss=_lowest_loss(stage.recipe),
        )
    path = context.workdir.root / "overfit.json"
    found = asdict(report)
    found["losses"] = [loss if math.isfinite(loss) else None for loss in report.losses]
    for name in ("first_loss", "last_loss"):
        found[name] = found[name] if math.isfinite(found[name]) else None
    write_json(path, found)
    told = "" if report.recognised is None else f", {report.recognised:.0%} of the pictures right"
    summary = (
        f"loss {report.first_loss:.4g} -> {report.last_loss:.4g} in {report.steps} steps{told}"
    )
    if report.passed:
        return True, (
            f"PASS: {summary}. The network can learn this batch by heart. (So it would with wrong "
            f"labels.) Details: {path}"
        )
    problems = "\n".join(f"  - {problem}" for problem in report.problems)
    return False, f"FAIL: {summary}.\n{problems}\nDetails: {path}"


def _first_stage(context: Context):
    from experiments.stages.devices import strategy_of

    strategy = strategy_of(context.experiment)
    return plan_stages(context, strategy.num_replicas_in_sync)[0], strategy


def _data(stage: PlannedStage):
    recipe = stage.recipe
    return _training_data(recipe, stage.index, stage.batches, 0, stage.steps, stage.classes)


def _without_hindrances(recipe: Experiment) -> Experiment:
    """What keeps the loss of one batch up is switched off, and the rate stays where it is."""
    constant = {"schedule": "constant", "floor": 0.0, "warmup_steps": 0, "ema_momentum": None}
    constant |= {"milestones": (), "factor": None, "power": None}
    return replace(
        recipe,
        data=replace(recipe.data, augment="none", mixup=0.0, cutmix=0.0),
        model=replace(recipe.model, dropout=0.0),
        loss=replace(recipe.loss, label_smoothing=None),
        train=replace(recipe.train, **constant),
    )


def _without_margin(recipe: Experiment) -> Experiment:
    """ArcFace and CosFace without their margin, for the range test.

    With it a network that collapses has a lower loss than one that knows nothing (9 classes, margin
    0.35, scale 30: about 5 with all cosines near 1, 12.4 with all at 0), and the rate at which it
    collapses would look like the one at which it learns. Without it both have log(C).
    """
    if recipe.loss.name not in ("arcface", "cosface"):
        return recipe
    scheduled = {"margin_schedule": None, "margin_values": None, "margin_steps": None}
    by_size = dict.fromkeys(("dynamic_margin", "margin_low", "margin_high", "margin_power"))
    return replace(recipe, loss=replace(recipe.loss, margin=0.0, **scheduled, **by_size))


def _lowest_loss(recipe: Experiment) -> float:
    """Where the loss of a perfectly learnt batch ends: above 0 for one of them."""
    if recipe.loss.name == "supervised_contrastive":
        # Each of the K - 1 pictures of the same class takes its share of the probability.
        return float(np.log(max(1, recipe.data.images_per_class - 1)))
    return 0.0


def _say(what: str, stage: PlannedStage) -> None:
    print(
        f"{what}: {stage.recipe.model.backbone} at {stage.recipe.data.image_size} px, "
        f"{stage.batches.batch_size} pictures a step.",
        file=sys.stderr,
    )
