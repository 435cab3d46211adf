"""Learning rates as functions of the optimizer's step."""

from __future__ import annotations

import math
from collections.abc import Sequence

import keras
from keras import ops

SCHEDULES = ("constant", "cosine", "halving", "step", "linear", "polynomial")


@keras.saving.register_keras_serializable(package="landmarks_tf")
class StepDecay(keras.optimizers.schedules.LearningRateSchedule):
    """A rate multiplied by `factor` at each milestone, as PyTorch's MultiStepLR.

    The step with a milestone's number is the first at the lower rate (Keras'
    `PiecewiseConstantDecay` still takes it at the higher).

    Args:
        learning_rate: the rate before the first milestone.
        milestones: rising steps.
        factor: in (0, 1).
    """

    def __init__(self, learning_rate: float, milestones: Sequence[int], factor: float):
        self.learning_rate, self.factor = float(learning_rate), float(factor)
        self.milestones = [int(step) for step in milestones]

    def __call__(self, step):
        step = ops.cast(step, "int32")
        passed = ops.sum(ops.cast(step >= ops.convert_to_tensor(self.milestones), "int32"))
        # One product a rate, in float64: a running product would round at each milestone.
        rates = [self.learning_rate * self.factor**n for n in range(len(self.milestones) + 1)]
        return ops.take(ops.convert_to_tensor(rates, dtype="float32"), passed)

    def get_config(self):
        return {
            "learning_rate": self.learning_rate,
            "milestones": self.milestones,
            "factor": self.factor,
        }


@keras.saving.register_keras_serializable(package="landmarks_tf")
class WarmUp(keras.optimizers.schedules.LearningRateSchedule):
    """A linear rise from 0 to `learning_rate`, and another schedule after it.

    Args:
        learning_rate: where the rise ends.
        warmup_steps: its length; step `warmup_steps` is the first of the schedule after it.
        after: a rate, or a schedule.
        from_zero: whether `after` counts its steps from the end of the rise, or from the first
            step of the training.
    """

    def __init__(self, learning_rate: float, warmup_steps: int, after, from_zero: bool):
        self.learning_rate, self.warmup_steps = float(learning_rate), int(warmup_steps)
        self.after, self.from_zero = after, bool(from_zero)

    def __call__(self, step):
        step = ops.cast(step, "float32")
        rise = self.learning_rate * step / self.warmup_steps
        after = self.after
        if callable(after):
            after = after(ops.maximum(step - self.warmup_steps, 0.0) if self.from_zero else step)
        return ops.where(step < self.warmup_steps, rise, after)

    def get_config(self):
        after = self.after
        if callable(after):
            after = keras.optimizers.schedules.serialize(after)
        return {
            "learning_rate": self.learning_rate,
            "warmup_steps": self.warmup_steps,
            "after": after,
            "from_zero": self.from_zero,
        }

    @classmethod
    def from_config(cls, config):
        after = config["after"]
        if isinstance(after, dict):
            after = keras.optimizers.schedules.deserialize(after)
        return cls(**{**config, "after": after})


def learning_rate_schedule(
    name: str,
    *,
    learning_rate: float,
    total_steps: int,
    floor: float = 0.0,
    halve_every: int = 25_000,
    milestones: Sequence[int] = (),
    factor: float | None = None,
    power: float | None = None,
    warmup_steps: int = 0,
):
    """The learning rate of a recipe.

    - "constant".
    - "cosine": from `learning_rate` down to `floor` over `total_steps`, stepped per batch, as
      PyTorch's CosineAnnealingLR (S2, reproduction.md section 1.9).
    - "halving": halved every `halve_every` steps without end (S1, section 2.7).
    - "step": multiplied by `factor` at each of `milestones`.
    - "linear": down to `floor` on a straight line.
    - "polynomial": floor + (learning_rate - floor) * (1 - step / total_steps) ** power.

    A warm-up in front is part of `total_steps`: what falls over the training falls over the steps
    after it; `milestones` and `halve_every` count from the first step of all.

    Args:
        name: one of `SCHEDULES`.
        learning_rate: the peak, positive.
        total_steps: optimizer steps of the whole training.
        floor: where "cosine", "linear" and "polynomial" end, within [0, learning_rate].
        halve_every: steps between halvings, at least 1.
        milestones: of "step": rising steps after the warm-up and before the end.
        factor: of "step", in (0, 1); None for 0.1.
        power: of "polynomial", positive; None for 2.
        warmup_steps: steps of a linear rise from 0.

    Returns:
        A float for "constant" without a warm-up, else a
        `keras.optimizers.schedules.LearningRateSchedule`.

    Raises:
        ValueError: an unknown name, numbers out of range, or one that the schedule does not read.
    """
    _check_rate_and_length(learning_rate, total_steps, floor, warmup_steps)
    if halve_every < 1:
        raise ValueError(f"halve_every must be at least 1. Received: halve_every={halve_every}.")
    _check_read(name, milestones=tuple(milestones) or None, factor=factor, power=power)
    after_warmup = total_steps - warmup_steps
    schedules = keras.optimizers.schedules
    if name == "cosine":
        # Keras' own warm-up, whose numbers recipes were trained with.
        return schedules.CosineDecay(
            initial_learning_rate=0.0 if warmup_steps else learning_rate,
            decay_steps=after_warmup,
            alpha=floor / learning_rate,
            warmup_target=learning_rate if warmup_steps else None,
            warmup_steps=warmup_steps,
        )
    if name == "constant":
        schedule, from_zero = float(learning_rate), True
    elif name == "halving":
        _check_after_warmup("halve_every", halve_every, warmup_steps)
        schedule, from_zero = (
            schedules.ExponentialDecay(
                learning_rate, decay_steps=halve_every, decay_rate=0.5, staircase=True
            ),
            False,
        )
    elif name == "step":
        _check_milestones(milestones, total_steps)
        _check_after_warmup("milestones", milestones[0], warmup_steps)
        schedule, from_zero = StepDecay(learning_rate, milestones, _factor(factor)), False
    elif name in ("linear", "polynomial"):
        schedule, from_zero = (
            schedules.PolynomialDecay(
                learning_rate,
                decay_steps=after_warmup,
                end_learning_rate=floor,
                power=1.0 if name == "linear" else _power(power),
            ),
            True,
        )
    else:
        raise ValueError(f"Expected a schedule among {', '.join(SCHEDULES)}. Received: {name!r}.")
    return WarmUp(learning_rate, warmup_steps, schedule, from_zero) if warmup_steps else schedule


def _check_rate_and_length(learning_rate, total_steps, floor, warmup_steps) -> None:
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


_READ_BY = {"milestones": "step", "factor": "step", "power": "polynomial"}


def _check_read(name: str, **given) -> None:
    for setting, value in given.items():
        if value is not None and name in SCHEDULES and name != _READ_BY[setting]:
            raise ValueError(
                f"{setting} belongs to the {_READ_BY[setting]} schedule. Received: "
                f"{setting}={value} with the {name} schedule."
            )


def _check_milestones(milestones: Sequence[int], total_steps: int) -> None:
    milestones = list(milestones)
    rising = milestones == sorted(set(milestones))
    if not milestones or not rising or milestones[0] < 1 or milestones[-1] >= total_steps:
        raise ValueError(
            f"milestones are rising steps within 1..{total_steps - 1}, the training has "
            f"{total_steps} steps. Received: milestones={tuple(milestones)}."
        )


def _check_after_warmup(setting: str, first: int, warmup_steps: int) -> None:
    if first < warmup_steps:
        raise ValueError(
            f"The rate cannot fall before the warm-up of {warmup_steps} steps is over. Received: "
            f"{setting}={first}."
        )


def _factor(factor: float | None) -> float:
    factor = 0.1 if factor is None else factor
    if not 0 < factor < 1:
        raise ValueError(f"factor must lie in (0, 1). Received: factor={factor}.")
    return factor


def _power(power: float | None) -> float:
    power = 2.0 if power is None else power
    if not 0 < power < math.inf:
        raise ValueError(f"power must be positive. Received: power={power}.")
    return power
