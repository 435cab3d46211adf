"""Which step's batch made the loss something that is no number, found at no cost to the others."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np

from landmarks_tf.training.checkpoints import TrainingDivergedError
from landmarks_tf.training.step_counter import StepCounter

_NAMED_IN_MESSAGE = 6
_ADVICE = "Lower the learning rate, clip the gradients, or look at what is wrong with the batch."


class DivergenceWatch(keras.callbacks.Callback):
    """Stops a training whose loss became NaN or infinite, and writes down the batch that did it.

    Keras gives after each step the mean of the segment's losses so far, as a value on the device.
    They are kept, and read only when the mean of the whole segment is not finite: the first bad one
    is that of the first bad step. A step that goes well costs nothing.

    `diverged.json` holds "step" (the training's n-th step, counted from 1), "batch" (its number as
    the data counts, n - 1), "what", "loss" (that step's, as text: JSON knows no NaN),
    "mean_loss_before" (of the segment's steps before it; null where there is none), and what
    `batch_contents` says. Where a weight broke and no loss told, "finite_at_step" is the last step
    at which all weights were seen to be numbers.

    Args:
        folder: where diverged.json goes; one of an earlier run is removed.
        counter: which step it is.
        batch_contents: number of a batch -> JSON-ready values that say what it held, for instance
            {"rows": [...], "ids": [...], "labels": [...]}.
    """

    def __init__(
        self,
        folder: Path,
        counter: StepCounter,
        batch_contents: Callable[[int], dict] | None = None,
    ):
        super().__init__()
        self.path = Path(folder) / "diverged.json"
        self.path.unlink(missing_ok=True)
        self.counter, self.batch_contents = counter, batch_contents
        self._means: list = []

    def on_epoch_begin(self, epoch, logs=None):
        self._means = []

    def on_train_batch_end(self, batch, logs=None):
        self._means.append((logs or {}).get("loss"))

    def on_epoch_end(self, epoch, logs=None):
        """Raises: TrainingDivergedError: the segment's loss is NaN or infinite."""
        mean = float((logs or {}).get("loss", 0.0))
        if math.isfinite(mean):
            return
        means = [float(np.asarray(value)) for value in self._means if value is not None]
        bad = [place for place, value in enumerate(means) if not math.isfinite(value)]
        place = bad[0] if bad else len(means) - 1
        loss = means[place] if bad else mean
        step = self.counter.first_step + place + 1
        self._write(step, "loss", loss=str(loss), before=means[place - 1] if place > 0 else None)
        raise TrainingDivergedError(
            f"The loss became {loss} in step {step}; nothing since step "
            f"{self.counter.first_step} is kept.{self._says(step)} {_ADVICE}"
        )

    def after_weights(self, error: TrainingDivergedError, since: int) -> TrainingDivergedError:
        """The error of a weight that is no number although no loss was.

        Weights are looked at when a checkpoint is due, and a loss may hide it (the larger of NaN
        and a bound is, to some kernels, the bound). So the step is not known, only that it lies
        after step `since`; the batch that is written out is the last.
        """
        step = self.counter.step
        means = [float(np.asarray(value)) for value in self._means[-1:] if value is not None]
        self._write(step, str(error), loss=None, before=means[-1] if means else None, since=since)
        return TrainingDivergedError(
            f"{error} It was finite at step {since}, and no loss since then showed it."
            f"{self._says(step, 'The last batch')}"
        )

    def _write(self, step: int, what: str, *, loss, before, since: int | None = None) -> None:
        found = {"step": step, "batch": step - 1, "what": what, "loss": loss}
        found |= {"mean_loss_before": before}
        found |= {} if since is None else {"finite_at_step": since}
        found |= self._contents(step)
        text = json.dumps(found, indent=2) + "\n"
        partial = self.path.with_suffix(".partial")
        partial.write_text(text, encoding="utf-8")
        partial.replace(self.path)

    def _contents(self, step: int) -> dict:
        return {} if self.batch_contents is None else self.batch_contents(step - 1)

    def _says(self, step: int, batch: str = "Its batch") -> str:
        ids = [str(one) for one in self._contents(step).get("ids", ())]
        pictures = ""
        if ids:
            more = f" and {len(ids) - _NAMED_IN_MESSAGE} more" * (len(ids) > _NAMED_IN_MESSAGE)
            pictures = f" of the pictures {', '.join(ids[:_NAMED_IN_MESSAGE])}{more}"
        return f" {batch}{pictures} is written out in {self.path}."
