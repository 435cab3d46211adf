"""`fit`: train a compiled model for a number of steps, from wherever the last run stopped."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import keras

from landmarks_tf.training.callbacks import (
    CheckpointEvery,
    MetricsLog,
    Progress,
    StepCounter,
)
from landmarks_tf.training.checkpoints import Checkpoints


@dataclass(frozen=True)
class FitPlan:
    """How long to train and how often to look up.

    Attributes:
        steps: optimizer steps of the whole training.
        batch_size: pictures a step, over all devices.
        log_every: steps between lines of metrics.jsonl.
        checkpoint_every: steps between checkpoints, rounded up to the next line.
        validate_every: steps between validations, rounded up; 0 for none.
    """

    steps: int
    batch_size: int
    log_every: int = 50
    checkpoint_every: int = 250
    validate_every: int = 0

    def __post_init__(self):
        for field in ("steps", "batch_size", "log_every", "checkpoint_every"):
            if getattr(self, field) < 1:
                raise ValueError(f"{field} must be at least 1. Received: {getattr(self, field)}.")


def compile_model(model: keras.Model, *, loss, optimizer, metrics=None, loss_weights=None) -> None:
    """Compile for the devices there are: XLA by Keras' own choice, but never on TensorFlow's CPU.

    There XLA trains ResNet50 seven times slower than the plain graph (measured, two cores).
    """
    jit = "auto"
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        if not tf.config.list_logical_devices("GPU"):
            jit = False
    model.compile(
        optimizer=optimizer,
        loss=loss,
        metrics=metrics,
        loss_weights=loss_weights,
        jit_compile=jit,
    )


def fit(
    model: keras.Model,
    dataset_from: Callable[[int], object],
    plan: FitPlan,
    *,
    workdir: Path,
    validate: Callable[[], dict] | None = None,
) -> dict:
    """Train, log, checkpoint; a run that was killed continues and ends with the same weights.

    The state is that of the last checkpoint (weights, optimizer slots, random-seed states) and
    the step, from which `dataset_from` goes on with the batches that would have come next.

    Args:
        model: compiled (see `compile_model`), built under the strategy it trains with.
        dataset_from: step -> the batches from that step on, at least `plan.steps - step` of them.
        plan: length and intervals.
        workdir: holds `checkpoints/`, `metrics.jsonl` and `tensorboard/`.
        validate: returns values to log, for instance {"val_top1": 0.5}.

    Returns:
        {"steps", "resumed_from"}.

    Raises:
        CheckpointError: the checkpoints belong to another network.
        TrainingDivergedError: the loss became NaN or infinite.
    """
    workdir = Path(workdir)
    workdir.mkdir(parents=True, exist_ok=True)
    checkpoints = Checkpoints(workdir / "checkpoints")
    start = checkpoints.restore_latest(model)
    if start > plan.steps:
        raise ValueError(
            f"The checkpoint in {checkpoints.folder} is from step {start}, beyond the "
            f"{plan.steps} steps of this training. Use another --workdir."
        )
    counter = StepCounter(start)
    callbacks = [
        counter,
        Progress(counter, plan.steps, plan.batch_size),
        MetricsLog(
            workdir,
            counter,
            batch_size=plan.batch_size,
            validate=validate,
            validate_every=plan.validate_every,
            total_steps=plan.steps,
        ),
        CheckpointEvery(checkpoints, counter, plan.checkpoint_every, plan.steps),
    ]
    for segment_steps, segments in _segments(plan.steps - start, plan.log_every):
        model.fit(
            dataset_from(counter.step),
            epochs=segments,
            steps_per_epoch=segment_steps,
            callbacks=callbacks,
            verbose=0,
        )
    return {"steps": plan.steps, "resumed_from": start}


def _segments(steps: int, log_every: int) -> list[tuple[int, int]]:
    """(steps, how many) of the segments: whole ones first, then the rest."""
    whole, rest = divmod(steps, log_every)
    parts = [(log_every, whole), (rest, 1)]
    return [(size, count) for size, count in parts if size and count]
