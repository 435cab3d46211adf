"""The first step whose loss is no number, and what is written about it."""

from __future__ import annotations

import json
import math

import keras
import numpy as np
import pytest
import tensorflow as tf

from landmarks_tf.training.checkpoints import Checkpoints, TrainingDivergedError
from landmarks_tf.training.distribution import create_strategy
from landmarks_tf.training.divergence import DivergenceWatch
from landmarks_tf.training.fit import FitPlan, compile_model, fit
from landmarks_tf.training.step_counter import StepCounter

STEPS = 30


def batch_contents(batch):
    return {
        "rows": [8 * batch + place for place in range(8)],
        "ids": [f"picture-{batch}-{place}" for place in range(8)],
        "labels": list(range(8)),
    }


def data_from(bad, value):
    """Steps whose labels are ones, but `value` in the steps of `bad`."""

    def load(step):
        broken = tf.reduce_any(tf.equal(step, tf.constant(bad, tf.int64)))
        return tf.ones((8, 3)), tf.fill((8, 1), tf.where(broken, value, 1.0))

    return lambda start: tf.data.Dataset.range(start, STEPS).map(load)


def trained(folder, bad, value=np.nan, contents=batch_contents, **options):
    with create_strategy("one_device").scope():
        model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)])
        compile_model(model, loss="mae", optimizer=keras.optimizers.SGD(0.01))
    plan = FitPlan(**{"log_every": 10, "checkpoint_every": 10} | options, steps=STEPS, batch_size=8)
    return fit(model, data_from(bad, value), plan, workdir=folder, batch_contents=contents)


def found_in(folder):
    return json.loads((folder / "diverged.json").read_text())


@pytest.mark.parametrize(
    ("bad", "value", "log_every", "step", "kept"),
    [
        ([0], np.nan, 10, 1, 0),  # the very first
        ([19], np.nan, 10, 20, 10),  # the last of a segment
        ([20], np.inf, 10, 21, 20),  # the first of a segment
        ([13, 15, 16], np.nan, 10, 14, 10),  # several
        ([13], np.inf, 10, 14, 10),  # infinite first, nan in all that follow
        ([27], np.nan, 100, 28, 0),  # one segment, shorter than its interval
        ([6], np.nan, 1, 7, 6),  # segments of one step
    ],
)
def test_the_first_bad_batch_is_named(tmp_path, bad, value, log_every, step, kept):
    with pytest.raises(TrainingDivergedError) as caught:
        trained(tmp_path, bad, value, log_every=log_every, checkpoint_every=1)
    text = "inf" if math.isinf(value) else "nan"
    message = str(caught.value)
    assert f"became {text} in step {step}; nothing since step {kept} is kept." in message
    assert f"picture-{step - 1}-0, picture-{step - 1}-1, " in message
    assert f"picture-{step - 1}-5 and 2 more is written out in {tmp_path}" in message
    found = found_in(tmp_path)
    assert (found["step"], found["batch"], found["loss"]) == (step, step - 1, text)
    assert found["rows"] == [8 * (step - 1) + place for place in range(8)]
    assert found["ids"][7] == f"picture-{step - 1}-7"
    assert found["labels"] == list(range(8))
    assert Checkpoints(tmp_path / "checkpoints").steps()[-1:] == [kept][: kept > 0]


def test_the_losses_before_it_are_told(tmp_path):
    with pytest.raises(TrainingDivergedError):
        trained(tmp_path / "a", [13])
    before = found_in(tmp_path / "a")["mean_loss_before"]
    with pytest.raises(TrainingDivergedError):
        trained(tmp_path / "b", [10])
    assert found_in(tmp_path / "b")["mean_loss_before"] is None
    assert isinstance(before, float) and math.isfinite(before)


def test_without_knowing_the_batch(tmp_path):
    with pytest.raises(TrainingDivergedError, match=r"in step 6; .* Its batch is written out"):
        trained(tmp_path, [5], contents=None)
    assert found_in(tmp_path).keys() == {"step", "batch", "what", "loss", "mean_loss_before"}


def test_a_run_that_goes_on_forgets_the_report(tmp_path):
    with pytest.raises(TrainingDivergedError):
        trained(tmp_path, [25])
    trained(tmp_path, [])
    assert not (tmp_path / "diverged.json").exists()


def test_a_weight_that_broke_without_a_loss_that_tells(tmp_path):
    counter = StepCounter(10, segment_steps=10, total_steps=STEPS)
    watch = DivergenceWatch(tmp_path, counter, batch_contents)
    watch.on_epoch_begin(0)
    counter.step = 20
    for loss in (3.0, 2.0):
        watch.on_train_batch_end(0, {"loss": loss})
    watch.on_epoch_end(0, {"loss": 2.0})
    error = watch.after_weights(TrainingDivergedError("'kernel' is no longer finite."), since=10)
    assert str(error).startswith(
        "'kernel' is no longer finite. It was finite at step 10, and no loss since then showed it. "
        "The last batch of the pictures picture-19-0, "
    )
    found = found_in(tmp_path)
    assert (found["step"], found["finite_at_step"], found["loss"]) == (20, 10, None)
    assert (found["batch"], found["mean_loss_before"]) == (19, 2.0)
    assert found["what"] == "'kernel' is no longer finite."


def test_no_value_is_read_while_all_is_well(tmp_path):
    class Device:
        """A value whose reading would wait for the device."""

        def __float__(self):
            raise AssertionError("read")

        __array__ = __float__

    counter = StepCounter(0, segment_steps=3, total_steps=STEPS)
    watch = DivergenceWatch(tmp_path, counter)
    watch.on_epoch_begin(0)
    for _ in range(3):
        watch.on_train_batch_end(0, {"loss": Device()})
    watch.on_epoch_end(0, {"loss": 1.0})
    assert list(tmp_path.iterdir()) == []
