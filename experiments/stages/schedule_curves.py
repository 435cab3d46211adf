"""A recipe's learning rate, margin and resolution over its training, step by step."""

from __future__ import annotations

import numpy as np

from experiments.stages.context import Context
from experiments.stages.planned import PlannedStage

_POINTS = 200
_UNITS = {
    "arcface": "radians",
    "cosface": "cosine",
    "circle": "cosine",
    "proxy_anchor": "cosine",
    "triplet": "distance",
    "contrastive": "distance",
}


def stage_schedules(context: Context) -> list:
    """`landmarks_tf.plots.schedules.StageSchedule` of each stage of the training.

    The values are those that the training's own loss and optimizer give.

    Raises:
        ValueError: a recipe that cannot be trained here, as the train stage says it.
    """
    from experiments.stages.planned import plan_stages

    return [_schedule(stage) for stage in plan_stages(context, replicas=1)]


def _schedule(stage: PlannedStage):
    from experiments.stages.networks import losses_of
    from experiments.stages.optimization import learning_rate_of
    from landmarks_tf.plots.schedules import StageSchedule

    recipe = stage.recipe
    loss = losses_of(recipe, stage.class_sizes)[0]
    at = _steps(recipe, stage.steps)
    rate = learning_rate_of(recipe, stage.steps)
    return StageSchedule(
        name=stage.title,
        steps=stage.steps,
        at=at,
        learning_rate=np.array([float(rate(int(s)) if callable(rate) else rate) for s in at]),
        margin=_margins(loss["main"] if isinstance(loss, dict) else loss, at),
        image_size=recipe.data.image_size,
        margin_unit=_UNITS.get(recipe.loss.name, ""),
    )


def _steps(recipe, steps: int) -> np.ndarray:
    """Where to look: evenly, and on both sides of each jump that the recipe names."""
    jumps = [*recipe.train.milestones, *(recipe.loss.margin_steps or ()), recipe.train.warmup_steps]
    if recipe.train.schedule == "halving":
        jumps += range(recipe.train.halve_every, steps, recipe.train.halve_every)
    evenly = np.linspace(0, steps - 1, min(steps, _POINTS)).round().astype(int)
    both = [step + side for step in jumps for side in (-1, 0)]
    return np.unique([*evenly, *(step for step in both if 0 <= step < steps)])


def _margins(loss, at: np.ndarray) -> np.ndarray | None:
    """(n, 2) least and largest margin of a class at each step; None for a loss without."""
    from landmarks_tf.losses import MarginSchedule

    while not hasattr(loss, "margin") and hasattr(loss, "loss"):
        loss = loss.loss
    margin = getattr(loss, "margin", None)
    if margin is None:
        return None
    if isinstance(margin, MarginSchedule):
        by_class = np.array([1.0]) if margin.class_margins is None else margin.class_margins
        factors = np.array([float(margin.at(int(step))) for step in at])
    else:
        by_class, factors = np.atleast_1d(np.asarray(margin, np.float64)), np.ones(len(at))
    return factors[:, None] * np.array([by_class.min(), by_class.max()], np.float64)
