"""A profile of some steps, where TensorBoard looks for it."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from landmarks_tf.training.fit import FitPlan, fit
from landmarks_tf.training.profiling import ProfileSteps
from landmarks_tf.training.step_counter import StepCounter
from tests import tiny_training


def test_a_profile_of_a_training_names_its_operations(tmp_path):
    fit(
        tiny_training.compiled(22),
        lambda start: tiny_training.batches(start, 22),
        FitPlan(steps=22, batch_size=tiny_training.BATCH_SIZE),
        workdir=tmp_path,
        profile=True,
    )
    (profile,) = (tmp_path / "tensorboard").rglob("*.xplane.pb")
    assert profile.relative_to(tmp_path / "tensorboard").parts[:2] == ("plugins", "profile")
    written = profile.read_bytes()
    # Backward too: a step was inside, not only its start.
    assert b"Conv2DBackpropFilter" in written
    without = FitPlan(steps=22, batch_size=tiny_training.BATCH_SIZE)
    fit(
        tiny_training.compiled(22),
        lambda start: tiny_training.batches(start, 22),
        without,
        workdir=tmp_path / "without",
    )
    assert not list((tmp_path / "without").rglob("*.xplane.pb"))


class Recorded(ProfileSteps):
    """Says at which steps the profile starts and stops."""

    events: tuple = ()

    def _start(self):
        self.events += (("start", self.counter.step),)

    def close(self):
        if self.running:
            self.events += (("stop", self.counter.step),)
        self.running = False


@pytest.mark.parametrize(
    ("start", "total", "steps", "events"),
    [
        (0, 100, {}, (("start", 9), ("stop", 20))),
        (30, 100, {}, (("start", 39), ("stop", 50))),  # counted from where this run began
        (0, 15, {}, (("start", 9), ("stop", 15))),
        (0, 4, {}, (("start", 3), ("stop", 4))),
        (0, 100, {"first": 1, "last": 1}, (("start", 0), ("stop", 1))),
    ],
)
def test_which_steps(tmp_path, start, total, steps, events):
    counter = StepCounter(start, segment_steps=10, total_steps=total)
    counter.set_model(keras.Sequential())
    profiler = Recorded(tmp_path, counter, **steps)
    for _ in range(total - start):
        profiler.on_train_batch_begin(0)
        counter.on_train_batch_end(0)
        profiler.on_train_batch_end(0, {"loss": np.float32(1)})
    profiler.close()
    assert profiler.events == events


def test_an_error_in_the_middle_still_writes_it(tmp_path):
    counter = StepCounter(0, segment_steps=10, total_steps=100)
    profiler = ProfileSteps(tmp_path, counter, first=1, last=50)
    profiler.on_train_batch_begin(0)
    profiler.close()
    profiler.close()
    assert len(list(tmp_path.rglob("*.xplane.pb"))) == 1


@pytest.mark.parametrize("steps", [{"first": 0}, {"first": 5, "last": 4}])
def test_steps_out_of_order(tmp_path, steps):
    counter = StepCounter(0, segment_steps=10, total_steps=100)
    with pytest.raises(ValueError, match="first step of at least 1 to one not before it"):
        ProfileSteps(tmp_path, counter, **steps)
