"""Which step it is, over segments and over runs that go on."""

from __future__ import annotations

import keras


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
