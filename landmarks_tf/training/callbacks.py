"""What happens at the end of each segment: metrics.jsonl and .csv, TensorBoard, checkpoints.

`fit` runs Keras' loop in segments of `log_every` steps (to Keras each is an "epoch"), so that a
segment's metrics start from zero and every checkpoint lies on a boundary where the loop holds no
state of its own.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np

from landmarks_tf.training.checkpoints import Checkpoints, TrainingDivergedError
from landmarks_tf.training.data_wait import DataWait
from landmarks_tf.training.divergence import DivergenceWatch
from landmarks_tf.training.metrics_csv import MetricsCsv
from landmarks_tf.training.step_counter import StepCounter
from landmarks_tf.training.tensorboard import ScalarEvents

# What the machine decides; the rest of a line is the same however often a run was stopped.
TIMINGS = ("images_per_s", "data_wait", "seconds_left")


class MetricsLog(keras.callbacks.Callback):
    """One JSON line for each segment, and the same values in metrics.csv and TensorBoard.

    A line holds "step" (steps taken), "images" (pictures seen), the segment's mean of every
    metric, "learning_rate" (of the step that comes next), "images_per_s" (of the segment, without
    validation), "data_wait" (share of the segment's time, see `DataWait`), "seconds_left" (by the
    pace of this run until now, validations included), and what `validate` returns.

    Lines beyond the step that training resumes from are dropped first: they belong to steps that
    are about to be run again. Callbacks after this one find the whole line in their logs.

    Args:
        folder: holds metrics.jsonl, metrics.csv and tensorboard/.
        counter: which step it is.
        batch_size: pictures a step.
        validate: called at each boundary of `validate_every` steps and at the end; returns
            values to log beside the training's, for instance {"val_top1": 0.5}.
        validate_every: steps; 0 for never.
        wait: measures the wait for data; None leaves "data_wait" out.
    """

    def __init__(
        self,
        folder: Path,
        counter: StepCounter,
        *,
        batch_size: int,
        validate: Callable[[], dict] | None = None,
        validate_every: int = 0,
        wait: DataWait | None = None,
    ):
        super().__init__()
        self.path = Path(folder) / "metrics.jsonl"
        self.counter, self.batch_size, self.wait = counter, batch_size, wait
        self.validate, self.validate_every = validate, validate_every
        drop_lines_after(self.path, counter.step)
        self.table = MetricsCsv(self.path)
        self.board = ScalarEvents(Path(folder) / "tensorboard", counter.step + 1)
        self.run_started, self.run_first_step = time.perf_counter(), counter.step

    def on_epoch_begin(self, epoch, logs=None):
        self.started = time.perf_counter()

    def on_epoch_end(self, epoch, logs=None):
        logs = {} if logs is None else logs
        seconds = time.perf_counter() - self.started
        step = self.counter.step
        line = {key: float(value) for key, value in logs.items()}
        line["learning_rate"] = float(np.asarray(self.model.optimizer.learning_rate))
        images = (step - self.counter.first_step) * self.batch_size
        line["images_per_s"] = round(images / seconds, 2)
        if self.wait is not None:
            line["data_wait"] = round(self.wait.share(), 4)
        validated = self.validate() if self._validation_is_due() else {}
        line["seconds_left"] = round(self._seconds_left(), 1)
        line |= validated
        where = {"step": step, "images": step * self.batch_size}
        with self.path.open("a", encoding="utf-8") as stream:
            stream.write(json.dumps(where | line) + "\n")
        self.table.add(where | line)
        self.board.write(step, line)
        logs.update(where | line)

    def _seconds_left(self) -> float:
        passed = time.perf_counter() - self.run_started
        taken = self.counter.step - self.run_first_step
        return passed / taken * (self.counter.total_steps - self.counter.step)

    def _validation_is_due(self) -> bool:
        if self.validate is None or not self.validate_every:
            return False
        counter = self.counter
        crossed = counter.step // self.validate_every > counter.first_step // self.validate_every
        return crossed or counter.step >= counter.total_steps

    def close(self) -> None:
        """Finish the event file; also after an error."""
        self.board.close()


def drop_lines_after(path: Path, step: int) -> None:
    """Keep the lines of a metrics.jsonl up to `step`; a line cut short by a kill goes too."""
    if not path.is_file():
        return
    kept = []
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
        try:
            if json.loads(line)["step"] <= step:
                kept.append(line + "\n")
        except (ValueError, KeyError, TypeError):
            break
    partial = path.with_suffix(".partial")
    partial.write_text("".join(kept), encoding="utf-8")
    partial.replace(path)


class CheckpointEvery(keras.callbacks.Callback):
    """Save the state at the end of each segment that crosses `every` steps, and at the end.

    Args:
        checkpoints: where to.
        counter: which step it is.
        every: steps.
        watch: told when a weight is no number, so that the batch is written down.
    """

    def __init__(
        self,
        checkpoints: Checkpoints,
        counter: StepCounter,
        every: int,
        watch: DivergenceWatch | None = None,
    ):
        super().__init__()
        self.checkpoints, self.counter, self.every = checkpoints, counter, every
        self.watch, self.saved = watch, counter.step

    def on_epoch_end(self, epoch, logs=None):
        counter = self.counter
        crossed = counter.step // self.every > counter.first_step // self.every
        if not crossed and counter.step < counter.total_steps:
            return
        try:
            self.checkpoints.save(counter.step, self.model)
        except TrainingDivergedError as error:
            raise (self.watch.after_weights(error, self.saved) if self.watch else error) from None
        self.saved = counter.step
