"""Margin schedules of recipes: from settings to the loss, and from the loss to the network."""

from __future__ import annotations

import keras
import numpy as np

from experiments.config import Loss
from landmarks_tf.losses import MarginSchedule

SETTINGS = ("margin_schedule", "margin_values", "margin_steps")


def scheduled_margin(settings: Loss, margin) -> dict[str, MarginSchedule]:
    """{"margin": the schedule}, or {} for a recipe without one.

    Args:
        settings: the recipe's loss.
        margin: (N,) margins by class size, which the schedule's values are factors of, or None.

    Raises:
        ValueError: settings of a schedule without one, or a schedule without them, or beside a
            fixed margin.
    """
    given = [name for name in SETTINGS[1:] if getattr(settings, name) is not None]
    if settings.margin_schedule is None:
        if given:
            raise ValueError(
                f"loss.{given[0]} belongs to a margin schedule: set loss.margin_schedule to step "
                f"or linear."
            )
        return {}
    if settings.margin is not None:
        raise ValueError(
            f"With loss.margin_schedule={settings.margin_schedule} the margins are "
            f"loss.margin_values. Received also: loss.margin={settings.margin}."
        )
    if len(given) < 2:
        raise ValueError(
            f"loss.margin_schedule={settings.margin_schedule} needs loss.margin_values and "
            f"loss.margin_steps, one step for each value, 0 first. Received: "
            f"loss.margin_values={settings.margin_values}, "
            f"loss.margin_steps={settings.margin_steps}."
        )
    schedule = MarginSchedule(
        settings.margin_values,
        settings.margin_steps,
        settings.margin_schedule,
        None if margin is None else np.asarray(margin),
    )
    return {"margin": schedule}


def check_margin_steps(settings: Loss, steps: int) -> None:
    """Refuse a schedule whose last margin no step of the training would have.

    Raises:
        ValueError: the last of `loss.margin_steps` is not below `steps`.
    """
    if settings.margin_schedule is not None and settings.margin_steps[-1] >= steps:
        raise ValueError(
            f"The margin reaches its last value within the training, whose steps are 0 to "
            f"{steps - 1}. Received: loss.margin_steps={tuple(settings.margin_steps)}."
        )


def follow_steps(loss, trainer: keras.Model) -> None:
    """Let the margin schedule of a loss, where there is one, read the network's step count."""
    for part in loss.values() if isinstance(loss, dict) else [loss]:
        # A loss that weighs the classes holds the one with the margin.
        margin = getattr(getattr(part, "loss", part), "margin", None)
        if isinstance(margin, MarginSchedule):
            margin.follow(trainer.get_layer("training_steps"))
