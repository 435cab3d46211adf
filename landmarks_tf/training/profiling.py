"""A profile of some steps, for TensorBoard's profile page, on TensorFlow and on JAX."""

from __future__ import annotations

from pathlib import Path

import keras

from landmarks_tf.training.step_counter import StepCounter


class ProfileSteps(keras.callbacks.Callback):
    """Profiles steps `first` to `last` of this run: what ran on host and device, and for how long.

    The first steps are left out: they compile. The trace goes to `FOLDER/plugins/profile/`, where
    TensorBoard's profile plugin (`pip install tensorboard-plugin-profile`) finds it; on JAX with a
    `.trace.json.gz` beside it that https://ui.perfetto.dev opens.

    Args:
        folder: of TensorBoard's events.
        counter: which step it is.
        first: first step of the profile, counted from 1 in this run.
        last: last step of it.

    Raises:
        ValueError: the steps are out of order.
    """

    def __init__(self, folder: Path, counter: StepCounter, *, first: int = 10, last: int = 20):
        super().__init__()
        if not 1 <= first <= last:
            raise ValueError(
                f"A profile goes from a first step of at least 1 to one not before it. "
                f"Received: first={first}, last={last}."
            )
        self.folder, self.counter = Path(folder), counter
        # A run that has fewer steps left still gets a profile of its end.
        left = counter.total_steps - counter.step
        self.first = counter.step + min(first, left)
        self.last = counter.step + min(last, left)
        self.running = False

    def on_train_batch_begin(self, batch, logs=None):
        if not self.running and self.counter.step + 1 == self.first:
            self._start()
            self.running = True

    def on_train_batch_end(self, batch, logs=None):
        if self.running and self.counter.step >= self.last:
            # Steps are only queued: reading a value of the last one waits until it is done.
            for value in (logs or {}).values():
                float(value)
            self.close()

    def _start(self) -> None:
        if keras.backend.backend() == "jax":
            import jax

            jax.profiler.start_trace(str(self.folder))
        else:
            import tensorflow as tf

            tf.profiler.experimental.start(str(self.folder))

    def close(self) -> None:
        """Write the profile if one is being taken; also after an error."""
        if not self.running:
            return
        self.running = False
        if keras.backend.backend() == "jax":
            import jax

            jax.profiler.stop_trace()
        else:
            import tensorflow as tf

            tf.profiler.experimental.stop()
