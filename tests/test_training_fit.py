"""`fit`: the steps it takes, and that killing it at any moment changes nothing."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time

import keras
import numpy as np
import pytest
import tensorflow as tf

from landmarks_tf.training.callbacks import TIMINGS
from landmarks_tf.training.checkpoints import (
    CheckpointError,
    Checkpoints,
    TrainingDivergedError,
)
from landmarks_tf.training.fit import FitPlan, compile_model, fit
from landmarks_tf.training.step_counter import DataEndedError
from tests.conftest import ROOT

OUT_OF_DATA = pytest.mark.filterwarnings("ignore:Your input ran out of data:UserWarning")


def lines_of(workdir):
    return [json.loads(line) for line in (workdir / "metrics.jsonl").read_text().splitlines()]


# --- a linear model whose training can be followed by hand -----------------------------------


def regression(step):
    random = np.random.default_rng(step)
    x = random.normal(size=(4, 3)).astype(np.float32)
    return x, (x @ [1.0, -2.0, 0.5])[:, None].astype(np.float32)


def regression_data(start, stop, *, break_at=None):
    """Batches of `regression`, of unknown number to Keras; the labels of one may be NaN."""

    def load(step):
        x, y = tf.numpy_function(regression, [step], [tf.float32, tf.float32])
        if break_at is not None:
            y = tf.where(step == break_at, np.nan, y)
        return tf.ensure_shape(x, (4, 3)), tf.ensure_shape(y, (4, 1))

    return tf.data.Dataset.range(start, stop).map(load).filter(lambda x, y: True)


def linear_model():
    model = keras.Sequential(
        [keras.Input((3,)), keras.layers.Dense(1, kernel_initializer="zeros", use_bias=False)]
    )
    compile_model(model, loss="mse", optimizer=keras.optimizers.SGD(0.05))
    return model


def followed_by_hand(steps):
    """(weights after `steps`, loss of each step) in float64."""
    weights, losses = np.zeros((3, 1)), []
    for step in range(steps):
        x, y = regression(step)
        error = x @ weights - y
        losses.append((error**2).mean())
        weights -= 0.05 * 2 * x.T @ error / 4
    return weights, losses


def plan(steps, **options):
    return FitPlan(
        **{"batch_size": 4, "log_every": 10, "checkpoint_every": 10} | options, steps=steps
    )


def weights_of(model):
    return np.asarray(model.weights[0])


def test_steps_and_lines_equal_a_loop_by_hand(tmp_path):
    model = linear_model()
    report = fit(model, lambda start: regression_data(start, 25), plan(25), workdir=tmp_path)
    weights, losses = followed_by_hand(25)
    assert report == {"steps": 25, "resumed_from": 0}
    np.testing.assert_allclose(weights_of(model), weights, rtol=1e-5, atol=1e-6)
    lines = lines_of(tmp_path)
    assert [(line["step"], line["images"]) for line in lines] == [(10, 40), (20, 80), (25, 100)]
    expected = [np.mean(losses[:10]), np.mean(losses[10:20]), np.mean(losses[20:])]
    np.testing.assert_allclose([line["loss"] for line in lines], expected, rtol=1e-5)
    assert all(line["learning_rate"] == pytest.approx(0.05) for line in lines)
    assert all(line["images_per_s"] > 0 for line in lines)
    assert Checkpoints(tmp_path / "checkpoints").steps() == [20, 25]


@pytest.mark.parametrize("log_every", [1, 7, 25, 100])
def test_any_interval_takes_exactly_the_steps(tmp_path, log_every):
    model = linear_model()
    fit(
        model,
        lambda start: regression_data(start, 25),
        plan(25, log_every=log_every, checkpoint_every=12),
        workdir=tmp_path,
    )
    np.testing.assert_allclose(weights_of(model), followed_by_hand(25)[0], rtol=1e-5, atol=1e-6)
    steps = [line["step"] for line in lines_of(tmp_path)]
    assert steps == sorted({*range(log_every, 26, log_every), 25})


def test_checkpoints_come_at_the_first_line_at_or_after_their_step(tmp_path):
    saved = []
    original = Checkpoints.save
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            Checkpoints, "save", lambda self, step, m: (saved.append(step), original(self, step, m))
        )
        fit(
            linear_model(),
            lambda start: regression_data(start, 50),
            plan(50, log_every=4, checkpoint_every=10),
            workdir=tmp_path,
        )
    assert saved == [12, 20, 32, 40, 50]


def test_a_finished_training_is_left_alone(tmp_path):
    fit(linear_model(), lambda start: regression_data(start, 20), plan(20), workdir=tmp_path)
    before = (tmp_path / "metrics.jsonl").read_bytes()
    model = linear_model()

    def none_needed(start):
        raise AssertionError("no data is needed")

    report = fit(model, none_needed, plan(20), workdir=tmp_path)
    assert report == {"steps": 20, "resumed_from": 20}
    np.testing.assert_allclose(weights_of(model), followed_by_hand(20)[0], rtol=1e-5)
    assert (tmp_path / "metrics.jsonl").read_bytes() == before


def test_a_longer_training_goes_on_from_the_end_of_a_shorter(tmp_path):
    fit(linear_model(), lambda start: regression_data(start, 15), plan(15), workdir=tmp_path)
    model = linear_model()
    report = fit(model, lambda start: regression_data(start, 40), plan(40), workdir=tmp_path)
    assert report == {"steps": 40, "resumed_from": 15}
    np.testing.assert_allclose(weights_of(model), followed_by_hand(40)[0], rtol=1e-5, atol=1e-6)
    assert [line["step"] for line in lines_of(tmp_path)] == [10, 15, 25, 35, 40]


def test_a_checkpoint_beyond_the_training_is_refused(tmp_path):
    fit(linear_model(), lambda start: regression_data(start, 20), plan(20), workdir=tmp_path)
    with pytest.raises(CheckpointError, match="from step 20, beyond the 10 steps"):
        fit(linear_model(), lambda start: regression_data(start, 10), plan(10), workdir=tmp_path)


def test_validation_comes_at_its_steps_and_at_the_end(tmp_path):
    calls = []

    def validate():
        calls.append(0)
        return {"val_top1": 0.1 * len(calls)}

    fit(
        linear_model(),
        lambda start: regression_data(start, 45),
        plan(45, validate_every=20),
        workdir=tmp_path,
        validate=validate,
    )
    logged = {line["step"]: line.get("val_top1") for line in lines_of(tmp_path)}
    assert logged == {10: None, 20: 0.1, 30: None, 40: 0.2, 45: pytest.approx(0.3)}


def test_one_bar_for_the_whole_training(tmp_path, capsys):
    fit(linear_model(), lambda start: regression_data(start, 25), plan(25), workdir=tmp_path)
    out, err = capsys.readouterr()
    assert out == ""
    bars = [text for text in err.split("\n") if "train" in text]
    assert len(bars) == 1
    last = bars[0].split("\r")[-1]
    assert "100%" in last and "100/100" in last and "images" in last and "loss=" in last


# --- what goes wrong ----------------------------------------------------------------------------


def test_a_nan_loss_stops_the_training_and_the_checkpoint_before_it_stays(tmp_path, capsys):
    with pytest.raises(
        TrainingDivergedError, match=r"became nan in step 25; nothing since step 20 is"
    ):
        fit(
            linear_model(),
            lambda start: regression_data(start, 40, break_at=24),
            plan(40),
            workdir=tmp_path,
        )
    assert capsys.readouterr().err.endswith("\n")  # the bar is closed
    assert [line["step"] for line in lines_of(tmp_path)] == [10, 20]
    model = linear_model()
    report = fit(model, lambda start: regression_data(start, 40), plan(40), workdir=tmp_path)
    assert report["resumed_from"] == 20
    np.testing.assert_allclose(weights_of(model), followed_by_hand(40)[0], rtol=1e-5, atol=1e-6)


def test_a_weight_that_broke_in_the_last_step_of_a_segment_is_not_saved(tmp_path):
    # The loss of the step that breaks it is finite, and would show only in the next segment:
    # with x = 1e25 and y = 1e10 at weights of 0, the loss is 1e20 and the gradient 1e35 * 1e25.
    def load(start):
        def breaks(step, batch):
            x, y = batch
            return tf.where(step == 19, 1e30, x), tf.where(step == 19, 1e15, y)

        return regression_data(start, 40).enumerate(start).map(lambda s, b: breaks(s, b))

    model = linear_model()
    model.optimizer.learning_rate = 1e-30
    with pytest.raises(TrainingDivergedError, match="kernel' is no longer finite at step 20"):
        fit(model, load, plan(40), workdir=tmp_path)
    assert Checkpoints(tmp_path / "checkpoints").steps() == [10]


@OUT_OF_DATA
@pytest.mark.parametrize("available", [0, 7, 13, 20])
def test_data_that_ends_early_is_an_error(tmp_path, available):
    with pytest.raises(DataEndedError, match=f"ended after step {available} of 30"):
        fit(
            linear_model(),
            lambda start: regression_data(start, available),
            plan(30),
            workdir=tmp_path,
        )
    whole = available // 10 * 10
    assert Checkpoints(tmp_path / "checkpoints").steps() == [s for s in (10, 20) if s <= whole]


def test_data_known_to_be_too_short_is_refused_before_the_first_step(tmp_path):
    # Keras would start it over at step 20 without a word.
    x, y = (np.stack(part) for part in zip(*map(regression, range(20)), strict=True))
    with pytest.raises(DataEndedError, match="from step 0 to 30, but the data has only 20 batches"):
        fit(
            linear_model(),
            lambda start: tf.data.Dataset.from_tensor_slices((x, y)).skip(start),
            plan(30),
            workdir=tmp_path,
        )
    assert not (tmp_path / "metrics.jsonl").exists()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"steps": 0}, "steps must be at least 1. Received: 0"),
        ({"steps": 5, "log_every": 0}, "log_every must be at least 1. Received: 0"),
        ({"steps": 5, "checkpoint_every": -1}, "checkpoint_every must be at least 1. Received: -1"),
        ({"steps": 5, "batch_size": 0}, "batch_size must be at least 1. Received: 0"),
        ({"steps": 5, "validate_every": -2}, "0 for never. Received: -2"),
    ],
)
def test_a_plan_refuses(options, message):
    with pytest.raises(ValueError) as caught:
        plan(**options)
    assert message in str(caught.value)


def test_no_xla_on_tensorflows_cpu():
    model = linear_model()
    assert model.jit_compile is bool(tf.config.list_logical_devices("GPU"))


# --- killed for real -----------------------------------------------------------------------------


@pytest.fixture
def start_training():
    """Starts tests/tiny_training.py; ends what a failed test left running."""
    started = []

    def start(workdir, *options):
        command = [sys.executable, "-m", "tests.tiny_training", str(workdir), "--steps", "65"]
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
        started.append(subprocess.Popen([*command, *options], cwd=ROOT, **pipes))
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.communicate()


def stop_at(process, marker, step, how):
    """Send a signal once batch `step` has been asked for, and wait for the end."""
    deadline = time.monotonic() + 120
    while not (marker.exists() and int(marker.read_text() or -1) >= step):
        assert process.poll() is None, process.communicate()[1]
        assert time.monotonic() < deadline
        time.sleep(0.005)
    os.kill(process.pid, how)
    process.communicate(timeout=60)


def final_state(workdir):
    with np.load(workdir / "checkpoints" / "step-000000065.npz") as stored:
        return {key: stored[key] for key in stored.files}


@pytest.mark.slow
def test_killed_and_interrupted_it_ends_with_the_same_bits_as_one_never_stopped(
    tmp_path, start_training
):
    whole, stopped, marker = tmp_path / "whole", tmp_path / "stopped", tmp_path / "marker"
    undisturbed = start_training(whole)

    # Batches are asked for a few steps ahead: at 37 there is a checkpoint of step 20, and a line of
    # step 30 that must be taken back.
    paced = ("--pace", "0.06", "--marker", str(marker))
    process = start_training(stopped, *paced)
    stop_at(process, marker, 37, signal.SIGKILL)
    assert process.returncode == -signal.SIGKILL
    assert Checkpoints(stopped / "checkpoints").steps()[-1] in (20, 40)

    marker.unlink()
    process = start_training(stopped, *paced)
    stop_at(process, marker, 57, signal.SIGINT)
    assert process.returncode == 130
    last = Checkpoints(stopped / "checkpoints").steps()[-1]
    assert last in (40, 60)

    out, err = start_training(stopped).communicate(timeout=120)
    assert f"'resumed_from': {last}" in out, err
    out, err = undisturbed.communicate(timeout=120)
    assert "'resumed_from': 0" in out, err

    expected, actual = final_state(whole), final_state(stopped)
    assert expected.keys() == actual.keys()
    for key, value in expected.items():
        np.testing.assert_array_equal(actual[key], value, err_msg=key)
    kinds = " ".join(expected)
    assert all(part in kinds for part in ("seed_generator", "velocity", "moving_mean", "centers"))

    def without_timings(workdir):
        return [{k: v for k, v in line.items() if k not in TIMINGS} for line in lines_of(workdir)]

    assert without_timings(stopped) == without_timings(whole)
    assert [line["step"] for line in lines_of(whole)] == [10, 20, 30, 40, 50, 60, 65]
