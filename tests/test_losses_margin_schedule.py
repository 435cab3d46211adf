"""Margins by the training step: each step's by hand, on TensorFlow, two devices and JAX."""

from __future__ import annotations

import os
import subprocess
import sys

import keras
import numpy as np
import pytest

from landmarks_tf.layers import CosineClassifier, L2Normalization, StepCount
from landmarks_tf.losses import ArcFaceLoss, CosFaceLoss, MarginSchedule
from landmarks_tf.losses.margins import margin_config, margin_from_config, margins_of
from landmarks_tf.training.checkpoints import Checkpoints
from tests import contracts
from tests.conftest import ROOT

pytestmark = contracts.IGNORE_ARRAY_COPY

STEPS, VALUES = (0, 3, 5), (0.1, 0.3, 0.4)
BY_HAND = {
    "step": [0.1, 0.1, 0.1, 0.3, 0.3, 0.4, 0.4, 0.4],
    "linear": [0.1, 0.1 + 0.2 / 3, 0.1 + 0.4 / 3, 0.3, 0.35, 0.4, 0.4, 0.4],
}


@pytest.mark.parametrize("form", BY_HAND)
def test_every_step_by_hand(form):
    schedule = MarginSchedule(VALUES, STEPS, form)
    found = [float(schedule.at(step)) for step in range(8)]
    np.testing.assert_allclose(found, BY_HAND[form], rtol=1e-6)
    # The steps themselves are exact.
    assert [found[step] for step in STEPS] == [float(np.float32(v)) for v in VALUES]


def test_far_steps_are_exact():
    # float32 would lose the last digits of such steps.
    schedule = MarginSchedule((0.1, 0.2, 0.3), (0, 20_000_001, 20_000_003), "step")
    found = [round(float(schedule.at(step)), 3) for step in range(20_000_000, 20_000_004)]
    assert found == [0.1, 0.2, 0.2, 0.3]


def scheduled_model(margin, loss=ArcFaceLoss, calls_per_step=1):
    """(trainer whose loss follows its own count, loss)."""
    keras.utils.set_random_seed(3)
    rows = keras.Input((6,))
    unit = L2Normalization()(keras.layers.Dense(5)(rows))
    counter = StepCount(calls_per_step, name="training_steps")
    model = keras.Model(rows, CosineClassifier(4)(counter(unit)))
    scheduled = loss(margin=margin, scale=8.0)
    if isinstance(margin, MarginSchedule):
        scheduled.margin.follow(counter)
    model.compile(keras.optimizers.SGD(0.05, momentum=0.9), scheduled)
    return model, scheduled


def batch(step):
    random = np.random.default_rng(step)
    return random.normal(size=(8, 6)).astype(np.float32), random.integers(0, 4, 8, np.int32)


CLASS_MARGINS = np.array([0.05, 0.1, 0.3, 0.5], np.float32)


@pytest.mark.parametrize("class_margins", [None, CLASS_MARGINS], ids=["one", "by_class"])
@pytest.mark.parametrize(("loss", "form"), [(ArcFaceLoss, "linear"), (CosFaceLoss, "step")])
def test_each_training_step_has_its_margin(loss, form, class_margins):
    model, _ = scheduled_model(MarginSchedule(VALUES, STEPS, form, class_margins), loss)
    for step, margin in enumerate(BY_HAND[form]):
        x, labels = batch(step)
        if class_margins is not None:
            margin = np.float32(margin) * class_margins
        expected = loss(margin=margin, scale=8.0)(labels, model.predict(x, verbose=0))
        found = model.train_on_batch(x, labels)
        np.testing.assert_allclose(found, float(expected), rtol=1e-5)


def test_a_step_taken_in_parts_counts_once():
    model, loss = scheduled_model(MarginSchedule(VALUES, STEPS), calls_per_step=2)
    seen = []
    for part in range(12):
        model(batch(part)[0], training=True)
        seen.append(round(float(loss.margin.current()), 6))
    assert seen == [0.1] * 6 + [0.3] * 4 + [0.4] * 2


def test_killed_at_any_step_it_goes_on_to_the_same_weights(tmp_path):
    schedule = MarginSchedule(VALUES, STEPS, "linear")
    whole, _ = scheduled_model(schedule)
    checkpoints = Checkpoints(tmp_path, keep=9)
    for step in range(8):
        checkpoints.save(step, whole)
        whole.train_on_batch(*batch(step))
    for start in (1, 3, 4, 6):
        again, _ = scheduled_model(MarginSchedule(VALUES, STEPS, "linear"))
        checkpoints.restore(start, again)
        for step in range(start, 8):
            again.train_on_batch(*batch(step))
        for one, other in zip(whole.weights, again.weights, strict=True):
            np.testing.assert_array_equal(np.array(one), np.array(other), err_msg=one.path)


@pytest.mark.parametrize("loss", [ArcFaceLoss, CosFaceLoss])
def test_a_loaded_model_uses_the_final_margin(tmp_path, loss):
    model, _ = scheduled_model(MarginSchedule(VALUES, STEPS), loss)
    x, labels = batch(0)
    model.train_on_batch(x, labels)
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    assert again.loss.margin.get_config() == MarginSchedule(VALUES, STEPS).get_config()
    expected = loss(margin=0.4, scale=8.0)(labels, model.predict(x, verbose=0))
    np.testing.assert_allclose(again.evaluate(x, labels, verbose=0), float(expected), rtol=1e-5)


def test_final_margins_by_class_without_a_count():
    schedule = MarginSchedule((0.0, 0.5), (0, 10), class_margins=CLASS_MARGINS)
    again = margin_from_config(margin_config(schedule))
    found = margins_of(again, np.array([3, 0]), 4)
    np.testing.assert_allclose(np.asarray(found), [0.25, 0.025], rtol=1e-6)


def test_it_compiles_under_xla():
    import tensorflow as tf

    schedule = MarginSchedule(VALUES, STEPS, "linear")
    compiled = tf.function(schedule.at, jit_compile=True)
    found = [float(compiled(tf.constant(step))) for step in range(8)]
    np.testing.assert_allclose(found, BY_HAND["linear"], rtol=1e-6)


ELSEWHERE = """
import sys
import keras
import numpy as np
from tests.test_losses_margin_schedule import BY_HAND, STEPS, VALUES, batch, scheduled_model
from landmarks_tf.losses import ArcFaceLoss, MarginSchedule

def check(scope):
    for form, margins in BY_HAND.items():
        with scope():
            model, _ = scheduled_model(MarginSchedule(VALUES, STEPS, form))
        for step, margin in enumerate(margins):
            x, labels = batch(step)
            expected = ArcFaceLoss(margin=margin, scale=8.0)(labels, model.predict(x, verbose=0))
            found = model.train_on_batch(x, labels)
            assert abs(float(found) - float(expected)) < 2e-5, (form, step, found, expected)
        assert int(np.array(model.get_layer("training_steps").count)) == len(margins)
        x, labels = map(np.concatenate, zip(*map(batch, range(3))))
        model.fit(x, labels, batch_size=8, epochs=2, verbose=0, shuffle=False)
        assert int(np.array(model.get_layer("training_steps").count)) == len(margins) + 6
"""
JAX = """
import contextlib
assert keras.backend.backend() == "jax"
check(contextlib.nullcontext)
"""
MIRRORED = """
import tensorflow as tf
cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
assert strategy.num_replicas_in_sync == 2
check(strategy.scope)
"""


@pytest.mark.parametrize(("backend", "script"), [("jax", JAX), ("tensorflow", MIRRORED)])
def test_each_step_has_its_margin_on(backend, script):
    if backend == "jax":
        pytest.importorskip("jax", reason="JAX is not installed (extra `jax`)")
    done = subprocess.run(
        [sys.executable, "-c", ELSEWHERE + script],
        cwd=ROOT,
        env={**os.environ, "KERAS_BACKEND": backend, "JAX_PLATFORMS": "cpu"},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr[-3000:]


def test_refusals():
    contracts.check_refusals(
        {
            "among step, linear. Received: 'cosine'": lambda: MarginSchedule(
                VALUES, STEPS, "cosine"
            ),
            "Received: 1 values, 1 steps": lambda: MarginSchedule((0.1,), (0,)),
            "Received: 2 values, 3 steps": lambda: MarginSchedule((0.1, 0.2), STEPS),
            "Received: steps=(1, 3)": lambda: MarginSchedule((0.1, 0.2), (1, 3)),
            "Received: steps=(0, 5, 5)": lambda: MarginSchedule(VALUES, (0, 5, 5)),
            "Received: steps=(0, 5, 4)": lambda: MarginSchedule(VALUES, (0, 5, 4)),
            "In degrees? 20 degrees are 0.3491 radians": lambda: ArcFaceLoss(
                MarginSchedule((0.1, 20.0), (0, 5))
            ),
            "[0, 2), no angle. Received: margin=2.5": lambda: CosFaceLoss(
                MarginSchedule((0.1, 2.5), (0, 5))
            ),
            # The factor is in range, the margin of the smallest class is not.
            "margin=2.0": lambda: ArcFaceLoss(
                MarginSchedule((1.0, 4.0), (0, 5), class_margins=CLASS_MARGINS)
            ),
        }
    )
