"""The wait for data: what is measured, and that measuring changes no bit."""

from __future__ import annotations

import time

import keras
import numpy as np
import pytest
import tensorflow as tf

from landmarks_tf.training.data_wait import DataWait
from landmarks_tf.training.distribution import create_strategy
from tests import tiny_training

STEPS = 6


class Shares(keras.callbacks.Callback):
    """Keeps each segment's share and seconds."""

    def __init__(self, wait):
        super().__init__()
        self.wait, self.shares, self.seconds = wait, [], []

    def on_epoch_end(self, epoch, logs=None):
        self.shares.append(self.wait.share())
        self.seconds.append(self.wait.seconds)


def batches(*, pause=0.0, prefetch=0):
    def load(step):
        time.sleep(pause)
        return np.full((4, 2), step, np.float32), np.full((4, 1), step % 2, np.float32)

    def typed(step):
        x, y = tf.numpy_function(load, [step], [tf.float32, tf.float32])
        return tf.ensure_shape(x, (4, 2)), tf.ensure_shape(y, (4, 1))

    made = tf.data.Dataset.range(10_000).map(typed)
    return made.prefetch(prefetch) if prefetch else made


class SlowStep(keras.callbacks.Callback):
    """A step that takes 40 ms, while the data may prepare the next batch."""

    def on_train_batch_end(self, batch, logs=None):
        time.sleep(0.04)


def measured(dataset, *slow):
    with create_strategy("one_device").scope():
        model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
        model.compile("sgd", "mse", jit_compile=False)
    wait = DataWait()
    shares = Shares(wait)
    model.fit(
        dataset, epochs=2, steps_per_epoch=STEPS, verbose=0, callbacks=[wait, shares, *slow],
        shuffle=False,
    )  # fmt: skip
    # The first segment compiles.
    return shares.seconds[1], shares.shares[1]


def test_slow_data_is_waited_for():
    seconds, share = measured(batches(pause=0.04))
    assert seconds >= 0.8 * STEPS * 0.04
    assert share > 0.6


def test_data_prepared_during_the_step_is_not():
    """Also 30 ms a batch, but beside steps of 40 ms and two batches ahead."""
    seconds, share = measured(batches(pause=0.03, prefetch=2), SlowStep())
    assert seconds < 0.5 * STEPS * 0.03
    assert share < 0.35


def test_not_one_bit_differs_from_keras_own_loop():
    def trained(callbacks):
        keras.utils.set_random_seed(3)
        with create_strategy("one_device").scope():
            model = tiny_training.compiled(STEPS)
        history = model.fit(
            tiny_training.batches(0, STEPS), epochs=2, steps_per_epoch=STEPS // 2, verbose=0,
            callbacks=callbacks, shuffle=False,
        )  # fmt: skip
        return history.history, model.get_weights()

    (plain, expected), (watched, actual) = trained([]), trained([DataWait()])
    assert watched == plain
    for one, other in zip(actual, expected, strict=True):
        np.testing.assert_array_equal(one, other)


def test_the_model_gets_its_own_function_back():
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    model.compile("sgd", "mse", jit_compile=False)
    model.make_train_function()
    before = model.train_function
    wait = DataWait()
    with pytest.raises(RuntimeError, match="planned"):
        model.fit(batches().take(2), verbose=0, callbacks=[wait, Fails()], shuffle=False)
    assert model.train_function is not before
    wait.close()
    wait.close()
    assert model.train_function is before


class Fails(keras.callbacks.Callback):
    def on_train_batch_end(self, batch, logs=None):
        raise RuntimeError("planned")
