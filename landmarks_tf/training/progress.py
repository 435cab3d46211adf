"""Bars on stderr: of the training, and of whatever else takes long beside it."""

from __future__ import annotations

import math
import sys
import time

import keras
from tqdm import tqdm

from landmarks_tf.training.data_wait import DataWait
from landmarks_tf.training.step_counter import StepCounter

_SECONDS_BETWEEN_POSTFIXES = 1.0

# What is over sooner needs no bar.
_SECONDS_BEFORE_A_PASS_IS_LONG = 3.0


class Progress(keras.callbacks.Callback):
    """A bar with loss, accuracy, images/s, the time left and the share of time without data."""

    def __init__(self, counter: StepCounter, batch_size: int, wait: DataWait | None = None):
        super().__init__()
        self.batch_size, self.wait = batch_size, wait
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
        if self.wait is not None:
            values["data wait"] = f"{self.wait.share():.0%}"
        self.bar.set_postfix(values, refresh=False)

    def close(self) -> None:
        """Leave the bar as it stands; also after an error."""
        self.bar.close()


class PassBar(keras.callbacks.Callback):
    """A bar for one `predict` or `evaluate`, such as a validation, that takes some seconds.

    It appears once the pass has lasted a few seconds and is wiped at its end: the training's own
    bar stays the last line.

    Args:
        name: what stands before the bar, for instance "validation".
        batches: how many there are; None where nobody knows.
        after_s: seconds before it appears.
    """

    def __init__(
        self, name: str, batches: int | None, after_s: float = _SECONDS_BEFORE_A_PASS_IS_LONG
    ):
        super().__init__()
        self.name, self.batches, self.after_s = name, batches, after_s

    def on_predict_begin(self, logs=None):
        self.bar = tqdm(
            total=self.batches,
            desc=self.name,
            unit=" batches",
            file=sys.stderr,
            leave=False,
            delay=self.after_s,
        )

    def on_predict_batch_end(self, batch, logs=None):
        self.bar.update()

    def on_predict_end(self, logs=None):
        self.bar.close()

    def on_test_begin(self, logs=None):
        self.on_predict_begin()

    def on_test_batch_end(self, batch, logs=None):
        self.bar.update()

    def on_test_end(self, logs=None):
        self.bar.close()
