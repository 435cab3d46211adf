"""Learning rates as functions of the optimizer's step."""

from __future__ import annotations

import math

import keras

SCHEDULES = ("constant", "cosine", "halving")


def learning_rate_schedule(
    name: str,
    *,
    learning_rate: float,
    total_steps: int,
    floor: float = 0.0,
    halve_every: int = 25_000,
    warmup_steps: int = 0,
):
    """The learning rate of a recipe.

    - "constant".
    - "cosine": from `learning_rate` down to `floor` over `total_steps`, stepped per batch, as
      PyTorch's CosineAnnealingLR (S2, reproduction.md section 1.9).
    - "halving": halved every `halve_every` steps without end (S1, section 2.7).

    Args:
        name: one of `SCHEDULES`.
        learning_rate: the peak, positive.
        total_steps: optimizer steps of the whole training.
        floor: where the cosine ends, within [0, learning_rate].
        halve_every: steps between halvings, at least 1.
        warmup_steps: steps of a linear rise from 0 before a cosine; part of `total_steps`.

    Returns:
        A float for "constant", else a `keras.optimizers.schedules.LearningRateSchedule`.

    Raises:
        ValueError: an unknown name, or numbers out of range.
    """
    if not 0 < learning_rate < math.inf or not 0 <= floor <= learning_rate:
        raise ValueError(
            f"Expected learning_rate > 0 and 0 <= floor <= learning_rate. "
            f"Received: learning_rate={learning_rate}, floor={floor}."
        )
    if total_steps < 1 or not 0 <= warmup_steps < total_steps:
        raise ValueError(
            f"Expected at least one step and a warm-up shorter than the training. "
            f"Received: total_steps={total_steps}, warmup_steps={warmup_steps}."
        )
    if halve_every < 1:
        raise ValueError(f"halve_every must be at least 1. Received: halve_every={halve_every}.")
    if warmup_steps and name != "cosine":
        raise ValueError(f"A warm-up belongs to the cosine schedule. Received: {name!r}.")
    if name == "constant":
        return float(learning_rate)
    if name == "cosine":
        return keras.optimizers.schedules.CosineDecay(
            initial_learning_rate=0.0 if warmup_steps else learning_rate,
            decay_steps=total_steps - warmup_steps,
            alpha=floor / learning_rate,
            warmup_target=learning_rate if warmup_steps else None,
            warmup_steps=warmup_steps,
        )
    if name == "halving":
        return keras.optimizers.schedules.ExponentialDecay(
            learning_rate, decay_steps=halve_every, decay_rate=0.5, staircase=True
        )
    raise ValueError(f"Expected a schedule among {', '.join(SCHEDULES)}. Received: {name!r}.")
