"""Event files, read back by TensorBoard's own reader."""

from __future__ import annotations

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from landmarks_tf.training.tensorboard import ScalarEvents


def scalars(folder):
    reader = EventAccumulator(str(folder))
    reader.Reload()
    return {
        tag: [(event.step, event.value) for event in reader.Scalars(tag)]
        for tag in reader.Tags()["scalars"]
    }


def test_scalars_are_read_back(tmp_path):
    events = ScalarEvents(tmp_path / "board", first_step=1)
    events.write(10, {"loss": 2.5, "accuracy": 0.25})
    events.write(20, {"loss": 1.25})
    events.close()
    assert scalars(tmp_path / "board") == {
        "loss": [(10, 2.5), (20, 1.25)],
        "accuracy": [(10, 0.25)],
    }


def test_values_are_on_disk_before_the_file_is_closed(tmp_path):
    events = ScalarEvents(tmp_path, first_step=1)
    events.write(10, {"loss": 2.5})
    assert scalars(tmp_path) == {"loss": [(10, 2.5)]}
    events.close()


def test_a_resumed_run_takes_back_the_points_beyond_its_start(tmp_path):
    killed = ScalarEvents(tmp_path, first_step=1)
    for step in (10, 20, 30):
        killed.write(step, {"loss": float(step)})
    killed.close()
    resumed = ScalarEvents(tmp_path, first_step=21)
    resumed.write(30, {"loss": 3.5})
    resumed.close()
    assert scalars(tmp_path) == {"loss": [(10, 10.0), (20, 20.0), (30, 3.5)]}


def test_a_folder_that_cannot_be_made(tmp_path):
    (tmp_path / "board").write_text("a file")
    with pytest.raises(OSError, match="board"):
        ScalarEvents(tmp_path / "board", first_step=1)
