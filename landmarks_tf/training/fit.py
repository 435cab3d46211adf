"""`fit`: train a compiled model for a number of steps, from wherever the last run stopped."""

from __future__ import annotations

import contextlib
import gc
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import keras

from landmarks_tf.training import processes
from landmarks_tf.training.callbacks import CheckpointEvery, MetricsLog
from landmarks_tf.training.checkpoints import CheckpointError, Checkpoints
from landmarks_tf.training.data_wait import DataWait
from landmarks_tf.training.divergence import DivergenceWatch
from landmarks_tf.training.profiling import ProfileSteps
from landmarks_tf.training.progress import Progress
from landmarks_tf.training.step_counter import DataEndedError, StepCounter


@dataclass(frozen=True)
class FitPlan:
    """How long to train and how often to look up.

    Attributes:
        steps: optimizer steps of the whole training.
        batch_size: pictures a step, over all devices.
        log_every: steps between lines of metrics.jsonl.
        checkpoint_every: steps between checkpoints, rounded up to the next line.
        validate_every: steps between validations, rounded up; 0 for none.

    Raises:
        ValueError: a number out of range.
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
        if self.validate_every < 0:
            raise ValueError(
                f"validate_every is a number of steps, or 0 for never. "
                f"Received: {self.validate_every}."
            )


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
    batch_contents: Callable[[int], dict] | None = None,
    extra_callbacks: Sequence[keras.callbacks.Callback] = (),
    profile: bool = False,
) -> dict:
    """Train, log, checkpoint; a run that was killed continues and ends with the same weights.

    The state is that of the last checkpoint (weights, optimizer slots, random-seed states) and
    the step, from which `dataset_from` goes on with the batches that would have come next.

    Args:
        model: compiled (see `compile_model`), built under the strategy it trains with.
        dataset_from: step -> the batches from that step on, at least `plan.steps - step` of them.
        plan: length and intervals.
        workdir: holds `checkpoints/`, `metrics.jsonl`, `metrics.csv` and `tensorboard/`.
        validate: returns values to log, for instance {"val_top1": 0.5}.
        batch_contents: number of a batch -> what it holds, for `diverged.json` (`DivergenceWatch`).
        extra_callbacks: Keras callbacks beside ours, such as a tracker's; an "epoch" is a segment
            of `log_every` steps, and its logs are the whole line of `metrics.jsonl`.
        profile: write a profile of some steps into `tensorboard/` (`ProfileSteps`).

    Returns:
        {"steps", "resumed_from"}.

    Raises:
        CheckpointError: the checkpoints belong to another network, or to a longer training.
        DataEndedError: fewer batches than steps.
        TrainingDivergedError: the loss or a weight became NaN or infinite.
    """
    workdir = Path(workdir)
    workdir.mkdir(parents=True, exist_ok=True)
    checkpoints = Checkpoints(workdir / "checkpoints")
    start = checkpoints.restore_latest(model)
    if start > plan.steps:
        raise CheckpointError(
            f"The checkpoint in {checkpoints.folder} is from step {start}, beyond the "
            f"{plan.steps} steps of this training. Train in another folder."
        )
    report = {"steps": plan.steps, "resumed_from": start}
    if start == plan.steps:
        return report
    dataset = dataset_from(start)
    _check_length(dataset, start, plan.steps)
    counter = StepCounter(start, segment_steps=plan.log_every, total_steps=plan.steps)
    with contextlib.ExitStack() as stack:
        wait = DataWait()
        stack.callback(wait.close)
        logs = stack.enter_context(processes.folder_for_logs(workdir))
        watch = DivergenceWatch(logs, counter, batch_contents)
        log = MetricsLog(
            logs,
            counter,
            batch_size=plan.batch_size,
            validate=validate,
            validate_every=plan.validate_every,
            wait=wait,
        )
        stack.callback(log.close)
        # The bar last of what is opened, so that it is closed before an error is printed.
        progress = Progress(counter, plan.batch_size, wait)
        stack.callback(progress.close)
        saver = CheckpointEvery(checkpoints, counter, plan.checkpoint_every, watch)
        # Ordered: the counter is read by the others, and what diverged is not logged nor saved.
        callbacks = [counter, wait, progress, watch, log, saver, *extra_callbacks]
        if profile:
            profiler = ProfileSteps(workdir / "tensorboard", counter)
            stack.callback(profiler.close)
            callbacks.append(profiler)
        first = math.ceil(start / plan.log_every)
        _run_keras(
            model,
            dataset,
            # Numbered over all runs, for trackers that draw by Keras' epochs.
            initial_epoch=first,
            epochs=first + math.ceil((plan.steps - start) / plan.log_every),
            steps_per_epoch=plan.log_every,
            callbacks=callbacks,
        )
    # The others may read what the first has written.
    processes.wait_for_all("the end of the training")
    return report


def _run_keras(model: keras.Model, dataset, **options) -> None:
    """Keras' loop, leaving no reader of the data behind however it ends.

    An iterator that still waits for Python code when the interpreter ends makes TensorFlow hang
    there. It is held by a reference cycle and, after Ctrl-C, by the traceback.
    """
    interrupted = False
    try:
        # The order is the data's own; Keras warns about its default of shuffle=True.
        model.fit(dataset, shuffle=False, verbose=0, **options)
    except KeyboardInterrupt:
        interrupted = True
    finally:
        gc.collect()
    if interrupted:
        raise KeyboardInterrupt


def _check_length(dataset, start: int, steps: int) -> None:
    """Refuse data known to be too short before the first step, not after the last batch."""
    length = dataset.cardinality() if hasattr(dataset, "cardinality") else None
    # tf.data says -1 for endless and -2 for unknown.
    if length is not None and 0 <= int(length) < steps - start:
        raise DataEndedError(
            f"Training goes from step {start} to {steps}, but the data has only {int(length)} "
            f"batches."
        )
