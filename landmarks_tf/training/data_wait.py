"""How much of the training's time passes while it stands and waits for its data."""

from __future__ import annotations

import time

import keras


class DataWait(keras.callbacks.Callback):
    """Measures the wait at the data's iterator, where the loop takes each batch.

    The pipeline prefetches. A share of 0 therefore says that the next batch was always ready, not
    that reading and decoding cost nothing: on a CPU they take cores from the network all the same.
    On JAX a step goes on in the background while the loop already asks for the next batch, so a
    device may be busy through part of the wait: there the share is an upper bound of what is lost.

    `fit` of Keras takes the batch inside the function that it calls for each step (on TensorFlow
    inside its graph), and offers no hook there. That function, `model.train_function`, is put in a
    wrapper for the time of the training; the step itself is the same.
    """

    def __init__(self):
        super().__init__()
        self.seconds = 0.0
        self.started = time.perf_counter()
        self._own_function = None

    def on_train_begin(self, logs=None):
        self._own_function = self.model.train_function
        take_step = self._own_function
        if keras.backend.backend() == "tensorflow":
            # A plain iterator of one batch makes Keras run its step on that batch.
            self.model.train_function = lambda batches: take_step(iter((self._next(batches),)))
        else:
            self.model.train_function = lambda state, batches: take_step(
                state, iter((self._next(batches),))
            )

    def on_epoch_begin(self, epoch, logs=None):
        self.seconds = 0.0
        self.started = time.perf_counter()

    def _next(self, batches):
        asked = time.perf_counter()
        batch = next(batches)
        self.seconds += time.perf_counter() - asked
        return batch

    def share(self) -> float:
        """The part of the segment's time until now that went by waiting, in [0, 1]."""
        passed = time.perf_counter() - self.started
        return min(1.0, self.seconds / passed) if passed > 0 else 0.0

    def close(self) -> None:
        """Give the model its own function back; also after an error."""
        if self._own_function is not None:
            self.model.train_function = self._own_function
            self._own_function = None
