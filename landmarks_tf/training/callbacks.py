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
from tqdm import tqdm

from landmarks_tf.training.checkpoints import Checkpoints


class TrainingDivergedError(ValueError):
    """The loss is no number any more."""


class StepCounter(keras.callbacks.Callback):
    """Counts global steps across resumed runs; the callbacks below read `step`."""

    def __init__(self, start_step: int):
        super().__init__()
        self.step = start_step

    def on_train_batch_end(self, batch, logs=None):
        self.step += 1


class Progress(keras.callbacks.Callback):
    """A bar with loss, images/s and the time left."""

    def __init__(self, counter: StepCounter, total_steps: int, batch_size: int):
        super().__init__()
        self.counter, self.total_steps, self.batch_size = counter, total_steps, batch_size

    def on_train_begin(self, logs=None):
        self.bar = tqdm(
            total=self.total_steps * self.batch_size,
            initial=self.counter.step * self.batch_size,
            desc="train",
            unit=" images",
            unit_scale=True,
            file=sys.stderr,
            mininterval=1.0,
        )

    def on_train_batch_end(self, batch, logs=None):
        self.bar.update(self.batch_size)
        if logs:
            shown = {k: f"{float(logs[k]):.3f}" for k in ("loss", "accuracy") if k in logs}
            self.bar.set_postfix(shown, refresh=False)

    def on_train_end(self, logs=None):
        self.bar.close()


class MetricsLog(keras.callbacks.Callback):
    """One JSON line for each segment, and the same values as TensorBoard scalars.

    Lines beyond the step that training resumes from are dropped first: they belong to steps that
    are about to be run again.

    Args:
        validate: called at each boundary of `validate_every` steps and at the end; returns
            values to log beside the training's, for instance {"val_top1": 0.5}.
    """

    def __init__(
        self,
        folder: Path,
        counter: StepCounter,
        *,
        batch_size: int,
        validate: Callable[[], dict] | None = None,
        validate_every: int = 0,
        total_steps: int = 0,
    ):
        super().__init__()
        self.path = Path(folder) / "metrics.jsonl"
        self.board_folder = Path(folder) / "tensorboard"
        self.counter, self.batch_size = counter, batch_size
        self.validate, self.validate_every = validate, validate_every
        self.total_steps = total_steps
        self.board = None

    def on_train_begin(self, logs=None):
        drop_lines_after(self.path, self.counter.step)
        if keras.backend.backend() == "tensorflow":
            import tensorflow as tf

            self.board = tf.summary.create_file_writer(str(self.board_folder))

    def on_epoch_begin(self, epoch, logs=None):
        self.first_step, self.started = self.counter.step, time.perf_counter()

    def on_epoch_end(self, epoch, logs=None):
        seconds = time.perf_counter() - self.started
        images = (self.counter.step - self.first_step) * self.batch_size
        line = {"step": self.counter.step, "images": self.counter.step * self.batch_size}
        line |= {key: float(value) for key, value in (logs or {}).items()}
        if not math.isfinite(line.get("loss", 0.0)):
            raise TrainingDivergedError(
                f"The loss became {line['loss']} by step {self.counter.step}. The last checkpoint "
                f"is from before. Lower train.learning_rate, or set train.clip_global_norm."
            )
        line["learning_rate"] = float(
            keras.ops.convert_to_numpy(self.model.optimizer.learning_rate)
        )
        line["images_per_s"] = round(images / seconds, 2)
        if self._validation_is_due():
            line |= self.validate()
        self._write(line)

    def _validation_is_due(self) -> bool:
        if self.validate is None or not self.validate_every:
            return False
        step = self.counter.step
        crossed = step // self.validate_every > self.first_step // self.validate_every
        return crossed or step >= self.total_steps

    def _write(self, line: dict) -> None:
        with self.path.open("a", encoding="utf-8") as stream:
            stream.write(json.dumps(line) + "\n")
        if self.board is not None:
            import tensorflow as tf

            with self.board.as_default(step=line["step"]):
                for key, value in line.items():
                    if key not in ("step", "images"):
                        tf.summary.scalar(key, value)

    def on_train_end(self, logs=None):
        if self.board is not None:
            self.board.close()


def drop_lines_after(path: Path, step: int) -> None:
    """Keep the lines of a metrics.jsonl up to `step`; a line cut short by a kill goes too."""
    if not path.is_file():
        return
    kept = []
    for line in path.read_text(encoding="utf-8").splitlines():
        try:
            if json.loads(line)["step"] <= step:
                kept.append(line + "\n")
        except (json.JSONDecodeError, KeyError):
            break
    partial = path.with_suffix(".partial")
    partial.write_text("".join(kept), encoding="utf-8")
    partial.replace(path)


class CheckpointEvery(keras.callbacks.Callback):
    """Save the state at the end of each segment that crosses `every` steps, and at the end."""

    def __init__(self, checkpoints: Checkpoints, counter: StepCounter, every: int, total: int):
        super().__init__()
        self.checkpoints, self.counter = checkpoints, counter
        self.every, self.total = every, total
        self.last = counter.step

    def on_epoch_end(self, epoch, logs=None):
        step = self.counter.step
        if step // self.every > self.last // self.every or step >= self.total:
            self.checkpoints.save(step, self.model)
            self.last = step
