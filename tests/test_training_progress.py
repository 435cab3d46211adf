"""The bars: of the training and of a long pass beside it."""

from __future__ import annotations

import keras
import numpy as np

from landmarks_tf.training.progress import PassBar, Progress
from landmarks_tf.training.step_counter import StepCounter


def counter(step=0):
    return StepCounter(step, segment_steps=10, total_steps=100)


def test_the_bar_starts_where_training_resumes(capsys):
    bar = Progress(counter(50), batch_size=8)
    bar.on_train_batch_end(0, {"loss": 0.25, "main_accuracy": 0.5, "lr": 1.0})
    bar.close()
    shown = capsys.readouterr().err
    assert "51%" in shown and "408/800" in shown
    assert "loss=0.250, main_accuracy=0.500]" in shown


def test_values_are_read_at_most_once_a_second(capsys):
    class Value:
        reads = 0

        def __float__(self):
            Value.reads += 1
            return 1.0

    bar = Progress(counter(), batch_size=8)
    for step in range(50):
        bar.on_train_batch_end(step, {"loss": Value()})
    bar.close()
    assert Value.reads <= 3


def test_the_share_of_time_without_data_is_shown(capsys):
    class Waited:
        def share(self):
            return 0.123

    bar = Progress(counter(), batch_size=8, wait=Waited())
    bar.on_epoch_end(0, {"loss": 1.0})
    bar.close()
    assert "loss=1.000, data wait=12%]" in capsys.readouterr().err


def passes(after_s):
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    x, y = np.zeros((6, 2), np.float32), np.zeros((6, 1), np.float32)
    bar = PassBar("validation", 3, after_s=after_s)
    model.predict(x, batch_size=2, verbose=0, callbacks=[bar])
    counted = [bar.bar.n]
    model.evaluate(x, y, batch_size=2, verbose=0, callbacks=[bar])
    return [*counted, bar.bar.n]


def test_a_long_pass_has_a_bar_that_goes_away(capsys):
    assert passes(after_s=0) == [3, 3]
    shown = capsys.readouterr().err
    assert shown.count("validation:   0%") == 2
    assert not shown.endswith("\n") and shown.split("\r")[-2].strip() == ""


def test_a_short_pass_has_none(capsys):
    assert passes(after_s=60) == [3, 3]
    assert capsys.readouterr().err == ""
