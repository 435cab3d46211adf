"""What happens beside the steps: progress bar, metrics.jsonl, TensorBoard, checkpoints.

`fit` runs Keras' loop in segments of `log_every` steps (to Keras each is an "epoch"), so that a
segment's metrics start from zero and every checkpoint lies on a boundary where the loop holds no
state of its own.
"""

from __future__ import annotations

import json
import math
import sys
import time
from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np
from tqdm import tqdm

from landmarks_tf.training.checkpoints import Checkpoints, TrainingDivergedError
from landmarks_tf.training.tensorboard import ScalarEvents

_SECONDS_BETWEEN_POSTFIXES = 1.0


class DataEndedError(ValueError):
    """The batches ran out before the training was over."""


class StepCounter(keras.callbacks.Callback):
    """Counts global steps across resumed runs and ends the training at the last.

    The callbacks after it read `step`, and `first_step` of the segment.
    """

    def __init__(self, start_step: int, *, segment_steps: int, total_steps: int):
        super().__init__()
        self.step = self.first_step = start_step
        self.segment_steps, self.total_steps = segment_steps, total_steps

    def on_epoch_begin(self, epoch, logs=None):
        self.first_step = self.step

    def on_train_batch_end(self, batch, logs=None):
        self.step += 1
        if self.step >= self.total_steps:
            self.model.stop_training = True

    def on_epoch_end(self, epoch, logs=None):
        # Keras only warns, and would start the data over.
        if self.step < min(self.first_step + self.segment_steps, self.total_steps):
            raise DataEndedError(
                f"The batches ended after step {self.step} of {self.total_steps}. Give as many as "
                f"there are steps left."
            )


class Progress(keras.callbacks.Callback):
    """A bar with loss, accuracy, images/s and the time left."""

    def __init__(self, counter: StepCounter, batch_size: int):
        super().__init__()
        self.batch_size = batch_size
        self.shown_at = -math.inf
        self.bar = tqdm(
            total=counter.total_steps * batch_size,
            initial=counter.step * batch_size,
            desc="train",
            unit=" images",
            unit_scale=True,
            file=sys.stderr,
            mininterval=1.0,
        )

    def on_train_batch_end(self, batch, logs=None):
        self.bar.update(self.batch_size)
        # Reading a value waits for the device, so it is not done at every step.
        if time.monotonic() - self.shown_at >= _SECONDS_BETWEEN_POSTFIXES:
            self._show(logs)

    def on_epoch_end(self, epoch, logs=None):
        self._show(logs)

    def _show(self, logs) -> None:
        self.shown_at = time.monotonic()
        names = [name for name in logs or () if name == "loss" or name.endswith("accuracy")]
        values = {name: f"{float(logs[name]):.3f}" for name in names}
        self.bar.set_postfix(values, refresh=False)

    def close(self) -> None:
        """Leave the bar as it stands; also after an error."""
        self.bar.close()


class MetricsLog(keras.callbacks.Callback):
    """One JSON line for each segment, and the same values as TensorBoard scalars.

    A line holds "step" (steps taken), "images" (pictures seen), the segment's mean of every
    metric, "learning_rate" (of the step that comes next), "images_per_s" (of the segment, without
    validation), and what `validate` returns.

    Lines beyond the step that training resumes from are dropped first: they belong to steps that
    are about to be run again.

    Args:
        folder: holds metrics.jsonl and tensorboard/.
        counter: which step it is.
        batch_size: pictures a step.
        validate: called at each boundary of `validate_every` steps and at the end; returns
            values to log beside the training's, for instance {"val_top1": 0.5}.
        validate_every: steps; 0 for never.

    Raises:
        TrainingDivergedError: a segment's loss is NaN or infinite.
    """

    def __init__(
        self,
        folder: Path,
        counter: StepCounter,
        *,
        batch_size: int,
        validate: Callable[[], dict] | None = None,
        validate_every: int = 0,
    ):
        super().__init__()
        self.path = Path(folder) / "metrics.jsonl"
        self.counter, self.batch_size = counter, batch_size
        self.validate, self.validate_every = validate, validate_every
        drop_lines_after(self.path, counter.step)
        self.board = ScalarEvents(Path(folder) / "tensorboard", counter.step + 1)

    def on_epoch_begin(self, epoch, logs=None):
        self.started = time.perf_counter()

    def on_epoch_end(self, epoch, logs=None):
        seconds = time.perf_counter() - self.started
        step = self.counter.step
        line = {key: float(value) for key, value in (logs or {}).items()}
        if not math.isfinite(line.get("loss", 0.0)):
            raise TrainingDivergedError(
                f"The loss became {line['loss']} between steps {self.counter.first_step} and "
                f"{step}; nothing of them is kept. Lower the learning rate, clip the gradients, or "
                f"look for a label that is no class."
            )
        line["learning_rate"] = float(np.asarray(self.model.optimizer.learning_rate))
        images = (step - self.counter.first_step) * self.batch_size
        line["images_per_s"] = round(images / seconds, 2)
        if self._validation_is_due():
            line |= self.validate()
        with self.path.open("a", encoding="utf-8") as stream:
            where = {"step": step, "images": step * self.batch_size}
            stream.write(json.dumps(where | line) + "\n")
        self.board.write(step, line)

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
    """Save the state at the end of each segment that crosses `every` steps, and at the end."""

    def __init__(self, checkpoints: Checkpoints, counter: StepCounter, every: int):
        super().__init__()
        self.checkpoints, self.counter, self.every = checkpoints, counter, every

    def on_epoch_end(self, epoch, logs=None):
        counter = self.counter
        crossed = counter.step // self.every > counter.first_step // self.every
        if crossed or counter.step >= counter.total_steps:
            self.checkpoints.save(counter.step, self.model)
