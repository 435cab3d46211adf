"""Metrics lines cut to a step, the counter, and the bar."""

from __future__ import annotations

import json

import keras
import numpy as np
import pytest

from landmarks_tf.training.callbacks import (
    DataEndedError,
    MetricsLog,
    Progress,
    StepCounter,
    drop_lines_after,
)
from landmarks_tf.training.checkpoints import TrainingDivergedError
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


def test_a_line_and_its_scalars(tmp_path):
    where = counter(30)
    log = log_of(tmp_path, where)
    run_segment(where, log, 10, {"loss": np.float32(0.5), "accuracy": 0.75})
    log.close()
    (line,) = [json.loads(text) for text in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    speed = line.pop("images_per_s")
    assert speed > 0
    assert line == {
        "step": 40,
        "images": 320,
        "loss": 0.5,
        "accuracy": 0.75,
        "learning_rate": 0.25,
    }
    assert list(line)[:2] == ["step", "images"]
    drawn = scalars(tmp_path / "tensorboard")
    assert drawn.pop("images_per_s")[0][1] == pytest.approx(speed, rel=1e-5)
    assert drawn == {
        "loss": [(40, 0.5)],
        "accuracy": [(40, 0.75)],
        "learning_rate": [(40, 0.25)],
    }


@pytest.mark.parametrize("loss", [np.nan, np.inf, -np.inf])
def test_a_loss_that_is_no_number_writes_no_line(tmp_path, loss):
    where = counter()
    log = log_of(tmp_path, where)
    with pytest.raises(TrainingDivergedError, match=r"between steps 0 and 10; .*label that is no"):
        run_segment(where, log, 10, {"loss": loss})
    log.close()
    assert not (tmp_path / "metrics.jsonl").exists()


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
