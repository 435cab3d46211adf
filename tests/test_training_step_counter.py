"""The counter of steps."""

from __future__ import annotations

import keras
import pytest

from landmarks_tf.training.step_counter import DataEndedError, StepCounter


def counter(step=0, *, segment=10, total=100):
    made = StepCounter(step, segment_steps=segment, total_steps=total)
    made.set_model(keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)]))
    made.model.stop_training = False
    return made


def test_the_counter_ends_the_training_at_its_last_step():
    where = counter(7, total=10)
    for step in range(3):
        assert not where.model.stop_training
        where.on_train_batch_end(step)
    assert where.step == 10
    assert where.model.stop_training


def test_a_short_segment_is_an_error_unless_it_is_the_last():
    where = counter(20, total=25)
    where.on_epoch_begin(0)
    for step in range(5):
        where.on_train_batch_end(step)
    where.on_epoch_end(0)  # five steps, but the training is over
    short = counter(20, total=100)
    short.on_epoch_begin(0)
    short.on_train_batch_end(0)
    with pytest.raises(DataEndedError, match=r"ended after step 21 of 100\. Give as many"):
        short.on_epoch_end(0)
