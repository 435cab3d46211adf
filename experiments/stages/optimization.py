"""A recipe's optimizer and its learning rate."""

from __future__ import annotations

from experiments.config import Experiment


def learning_rate_of(recipe: Experiment, steps: int):
    """The rate of a training of `steps` steps: a float or a Keras schedule.

    Raises:
        ValueError: a schedule that does not exist, or numbers that do not fit it or the steps.
    """
    from landmarks_tf.training.schedules import learning_rate_schedule

    train = recipe.train
    return learning_rate_schedule(
        train.schedule,
        learning_rate=train.learning_rate,
        total_steps=steps,
        floor=train.floor,
        halve_every=train.halve_every,
        milestones=train.milestones,
        factor=train.factor,
        power=train.power,
        warmup_steps=train.warmup_steps,
    )


def optimizer_of(recipe: Experiment, steps: int):
    """The optimizer of a training of `steps` steps.

    Raises:
        ValueError: an optimizer that does not exist, or settings that do not fit.
    """
    from landmarks_tf.training.optimizers import create_optimizer

    train = recipe.train
    return create_optimizer(
        train.optimizer,
        learning_rate_of(recipe, steps),
        weight_decay=train.weight_decay,
        epsilon=train.epsilon,
        clip_global_norm=train.clip_global_norm,
        ema_momentum=train.ema_momentum,
        lazy_weight=_lazy_weight(recipe),
    )


def _lazy_weight(recipe: Experiment) -> str | None:
    """The weight of which a step touches the sampled rows alone, where the recipe asks for it."""
    if not recipe.train.lazy_centers:
        return None
    rate = recipe.loss.sample_rate
    if rate is None or rate >= 1:
        raise ValueError(
            f"train.lazy_centers=true leaves class centres out of a step that were not sampled: "
            f"set loss.sample_rate below 1, say 0.1. Received: loss.sample_rate={rate}."
        )
    if recipe.train.ema_momentum is not None:
        raise ValueError(
            f"train.lazy_centers=true leaves most class centres out of a step; averages change "
            f"all of them in every step. Use one of the two. Received also: "
            f"train.ema_momentum={recipe.train.ema_momentum}."
        )
    return "cosines/centers"
