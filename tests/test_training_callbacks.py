"""Metrics lines: what they hold, cut to a step, and what is saved when."""

from __future__ import annotations

import csv
import json

import keras
import numpy as np
import pytest

from landmarks_tf.training.callbacks import (
    TIMINGS,
    CheckpointEvery,
    MetricsLog,
    drop_lines_after,
)
from landmarks_tf.training.checkpoints import Checkpoints, TrainingDivergedError
from landmarks_tf.training.step_counter import StepCounter
from tests.test_training_tensorboard import scalars


def model():
    made = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    made.compile(keras.optimizers.SGD(0.25), "mse")
    return made


def counter(step=0, *, segment=10, total=100):
    made = StepCounter(step, segment_steps=segment, total_steps=total)
    made.set_model(model())
    return made


def log_of(folder, where, **options):
    made = MetricsLog(folder, where, batch_size=8, **options)
    made.set_model(where.model)
    return made


def run_segment(where, log, steps, logs):
    where.on_epoch_begin(0)
    log.on_epoch_begin(0)
    for step in range(steps):
        where.on_train_batch_end(step)
    log.on_epoch_end(0, logs)


def test_lines_after_a_step_are_dropped(tmp_path):
    path = tmp_path / "metrics.jsonl"
    lines = [json.dumps({"step": step, "loss": 1.0}) + "\n" for step in (10, 20, 30, 40)]
    path.write_text("".join(lines))
    drop_lines_after(path, 25)
    assert path.read_text() == lines[0] + lines[1]
    drop_lines_after(path, 0)
    assert path.read_text() == ""
    assert [p.name for p in tmp_path.iterdir()] == ["metrics.jsonl"]


@pytest.mark.parametrize("broken", ['{"step": 20, "lo', "20", "[20]", '{"loss": 1}', "\udc80"])
def test_a_line_cut_short_goes_with_what_follows(tmp_path, broken):
    path = tmp_path / "metrics.jsonl"
    kept = '{"step": 10}\n'
    path.write_text(kept + broken + '\n{"step": 20}\n', errors="surrogateescape")
    drop_lines_after(path, 100)
    assert path.read_text() == kept


def test_nothing_to_drop(tmp_path):
    drop_lines_after(tmp_path / "metrics.jsonl", 10)
    assert list(tmp_path.iterdir()) == []


class Waited:
    """Stands for DataWait: a share that is known."""

    def share(self):
        return 0.25


def test_a_line_and_its_scalars(tmp_path):
    where = counter(30)
    log = log_of(tmp_path, where, wait=Waited())
    logs = {"loss": np.float32(0.5), "accuracy": 0.75}
    run_segment(where, log, 10, logs)
    log.close()
    (line,) = [json.loads(text) for text in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    assert list(line)[:2] == ["step", "images"]
    assert {"step": 40, "images": 320, **logs} == line  # trackers after it see the whole line
    timings = {name: line.pop(name) for name in TIMINGS}
    assert timings["images_per_s"] > 0
    assert timings["data_wait"] == 0.25
    assert line == {
        "step": 40,
        "images": 320,
        "loss": 0.5,
        "accuracy": 0.75,
        "learning_rate": 0.25,
    }
    drawn = scalars(tmp_path / "tensorboard")
    for name, value in timings.items():
        assert drawn.pop(name)[0][1] == pytest.approx(value, rel=1e-5)
    assert drawn == {
        "loss": [(40, 0.5)],
        "accuracy": [(40, 0.75)],
        "learning_rate": [(40, 0.25)],
    }


def test_time_left_goes_by_the_pace_of_this_run(tmp_path, monkeypatch):
    """From step 30 of 100: 10 steps in 5 s, then 10 in 15 s with a validation; 50 are left."""
    clock = iter((0.0, 0.0, 5.0, 5.0, 5.0, 15.0, 20.0))
    monkeypatch.setattr("time.perf_counter", lambda: next(clock))
    where = counter(30)
    log = log_of(tmp_path, where)
    run_segment(where, log, 10, {"loss": 1.0})
    run_segment(where, log, 10, {"loss": 1.0})
    log.close()
    lines = [json.loads(text) for text in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    assert [line["seconds_left"] for line in lines] == [5 / 10 * 60, 20 / 20 * 50]
    assert [line["images_per_s"] for line in lines] == [80 / 5, 80 / 10]


def test_the_table_has_the_lines(tmp_path):
    (tmp_path / "metrics.jsonl").write_text('{"step": 10, "loss": 3.0}\n{"step": 20, "loss": 9}\n')
    where = counter(10)
    log = log_of(tmp_path, where, validate=lambda: {"val_top1": 0.125}, validate_every=30)
    for loss in (2.0, 1.0):
        run_segment(where, log, 10, {"loss": loss})
    log.close()
    with (tmp_path / "metrics.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert [(row["step"], row["loss"], row["val_top1"]) for row in rows] == [
        ("10", "3.0", ""),
        ("20", "2.0", ""),
        ("30", "1.0", "0.125"),
    ]


# --- checkpoints ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("first", "last", "saved"), [(0, 10, []), (15, 25, [25]), (95, 100, [100])]
)
def test_a_segment_that_crosses_the_interval_is_saved(tmp_path, first, last, saved):
    where = counter(last)
    where.first_step = first
    saver = CheckpointEvery(Checkpoints(tmp_path), where, 20)
    saver.set_model(where.model)
    saver.on_epoch_end(0)
    assert Checkpoints(tmp_path).steps() == saved


def test_a_weight_that_is_no_number_goes_through_the_watch(tmp_path):
    class Watch:
        def after_weights(self, error, since):
            return TrainingDivergedError(f"watched since {since}: {error}")

    where = counter(100)
    where.model.layers[0].kernel.assign([[np.nan]])
    for watch, message in (
        (Watch(), "^watched since 100: .*kernel' is no"),
        (None, "^'model.*kernel' is no"),
    ):
        saver = CheckpointEvery(Checkpoints(tmp_path), where, 20, watch)
        saver.set_model(where.model)
        with pytest.raises(TrainingDivergedError, match=message):
            saver.on_epoch_end(0)
