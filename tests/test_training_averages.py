"""Averages of the weights: by hand, across a resumed training, on two devices and JAX."""

from __future__ import annotations

import os
import subprocess
import sys

import keras
import numpy as np
import pytest

from landmarks_tf.training.averages import averaged_weights, has_averages, use_averages
from landmarks_tf.training.fit import FitPlan, compile_model, fit
from landmarks_tf.training.optimizers import create_optimizer
from tests import contracts
from tests.conftest import ROOT

MOMENTUM = 0.8


def linear_model(momentum=MOMENTUM, name="sgd"):
    model = keras.Sequential(
        [keras.Input((3,)), keras.layers.Dense(1, kernel_initializer="zeros", use_bias=False)]
    )
    optimizer = create_optimizer(name, 0.05, ema_momentum=momentum)
    compile_model(model, loss="mse", optimizer=optimizer)
    return model


def batch(step):
    x = np.random.default_rng(step).normal(size=(4, 3)).astype(np.float32)
    return x, (x @ [1.0, -2.0, 0.5])[:, None].astype(np.float32)


def by_hand(steps):
    """(weights, their averages) after each step, float64: SGD of momentum 0.9."""
    weights, speed, average, path = np.zeros((3, 1)), np.zeros((3, 1)), None, []
    for step in range(steps):
        x, y = batch(step)
        speed = 0.9 * speed - 0.05 * 2 * x.T @ (x @ weights - y) / 4
        weights = weights + speed
        kept = weights if average is None else average
        average = MOMENTUM * kept + (1 - MOMENTUM) * weights
        path.append((weights, average))
    return path


def test_averages_by_hand_and_the_weights_come_back_to_the_bit():
    model = linear_model()
    assert not has_averages(model)
    with averaged_weights(model):
        pass
    use_averages(model)  # nothing to use before the first step
    np.testing.assert_array_equal(np.asarray(model.weights[0]), 0)
    for step, (weights, average) in enumerate(by_hand(9)):
        model.train_on_batch(*batch(step))
        before = np.array(np.asarray(model.weights[0]))
        np.testing.assert_allclose(before, weights, rtol=1e-5, atol=1e-6)
        with averaged_weights(model):
            np.testing.assert_allclose(np.asarray(model.weights[0]), average, rtol=1e-5, atol=1e-6)
        np.testing.assert_array_equal(np.asarray(model.weights[0]), before)
    use_averages(model)
    use_averages(model)
    np.testing.assert_allclose(np.asarray(model.weights[0]), average, rtol=1e-5, atol=1e-6)


def data(start, stop):
    import tensorflow as tf

    def load(step):
        x, y = tf.numpy_function(batch, [step], [tf.float32, tf.float32])
        return tf.ensure_shape(x, (4, 3)), tf.ensure_shape(y, (4, 1))

    return tf.data.Dataset.range(start, stop).map(load)


def trained(folder, steps, *, stop_at=None, validated=None):
    model = linear_model()

    def validate():
        with averaged_weights(model):
            validated.append(np.array(np.asarray(model.weights[0])))
        return {}

    plan = FitPlan(
        steps=stop_at or steps, batch_size=4, log_every=5, checkpoint_every=5, validate_every=5
    )
    fit(
        model,
        lambda start: data(start, stop_at or steps),
        plan,
        workdir=folder,
        validate=None if validated is None else validate,
    )
    use_averages(model)
    return np.array(np.asarray(model.weights[0]))


def test_a_resumed_training_ends_with_the_same_averages(tmp_path):
    validated = []
    whole = trained(tmp_path / "whole", 20, validated=validated)
    path = by_hand(20)
    np.testing.assert_allclose(whole, path[-1][1], rtol=1e-5, atol=1e-6)
    # Validation saw the averages of its own steps, and disturbed nothing.
    for step, seen in zip((5, 10, 15, 20), validated, strict=True):
        np.testing.assert_allclose(seen, path[step - 1][1], rtol=1e-5, atol=1e-6)
    # The checkpoint holds the weights beside the averages: going on is as if never stopped.
    trained(tmp_path / "parts", 20, stop_at=10)
    np.testing.assert_array_equal(trained(tmp_path / "parts", 20), whole)
    # A training that is over already gives the averages too.
    np.testing.assert_array_equal(trained(tmp_path / "parts", 20), whole)


def test_an_average_keeps_to_its_weights_constraint():
    class AtLeastOne(keras.constraints.Constraint):
        def __call__(self, w):
            return keras.ops.maximum(w, 1.0)

    weight = keras.layers.Dense(
        1, kernel_initializer="ones", kernel_constraint=AtLeastOne(), use_bias=False
    )
    model = keras.Sequential([keras.Input((1,)), weight])
    compile_model(model, loss="mse", optimizer=create_optimizer("sgd", 0.1, ema_momentum=0.5))
    for _ in range(3):
        model.train_on_batch(np.ones((2, 1), np.float32), np.zeros((2, 1), np.float32))
    use_averages(model)
    assert float(np.asarray(model.weights[0]).item()) == 1.0


@pytest.mark.parametrize("name", ["adam", "adamw", "sgd"])
def test_every_optimizer_averages(name):
    model = linear_model(name=name)
    model.train_on_batch(*batch(0))
    assert has_averages(model)
    assert not has_averages(compiled_without())


def compiled_without():
    model = linear_model(momentum=None)
    model.train_on_batch(*batch(0))
    return model


ELSEWHERE = """
import contextlib
import keras
import numpy as np
from landmarks_tf.training.averages import averaged_weights, use_averages
from tests.test_training_averages import batch, by_hand, linear_model

def check(scope):
    with scope():
        model = linear_model()
    x, y = map(np.concatenate, zip(*map(batch, range(9))))
    model.fit(x[:24], y[:24], batch_size=4, shuffle=False, verbose=0)
    expected = by_hand(9)
    # Keras' own loop ends with the averages.
    assert np.allclose(np.array(model.weights[0].value), expected[5][1], rtol=1e-4, atol=1e-5)
    model.weights[0].assign(expected[5][0])
    for step in range(6, 9):
        model.train_on_batch(*batch(step))
    raw = np.array(model.weights[0].value)
    assert np.allclose(raw, expected[8][0], rtol=1e-4, atol=1e-5)
    with averaged_weights(model):
        held = np.array(model.weights[0].value)
    assert np.allclose(held, expected[8][1], rtol=1e-4, atol=1e-5)
    assert np.array_equal(np.array(model.weights[0].value), raw)
"""
JAX = """
import sys
from pathlib import Path
from landmarks_tf.training.fit import FitPlan, fit
assert keras.backend.backend() == "jax"
check(contextlib.nullcontext)

# The loop on JAX holds the weights apart from the model while it runs: a validation inside of it.
model, seen = linear_model(), []

def validate():
    with averaged_weights(model):
        seen.append(np.array(model.weights[0].value))
    return {}

plan = FitPlan(steps=9, batch_size=4, log_every=3, checkpoint_every=3, validate_every=3)
fit(model, lambda start: (batch(s) for s in range(start, 9)), plan, workdir=Path(sys.argv[1]),
    validate=validate)
for step, found in zip((3, 6, 9), seen, strict=True):
    assert np.allclose(found, by_hand(9)[step - 1][1], rtol=1e-4, atol=1e-5), step
assert np.allclose(np.array(model.weights[0].value), seen[-1])
"""
MIRRORED = """
import tensorflow as tf
cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
check(tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"]).scope)
"""


@pytest.mark.parametrize(("backend", "script"), [("jax", JAX), ("tensorflow", MIRRORED)])
def test_the_same_averages_on(backend, script, tmp_path):
    if backend == "jax":
        pytest.importorskip("jax", reason="JAX is not installed (extra `jax`)")
    done = subprocess.run(
        [sys.executable, "-c", ELSEWHERE + script, str(tmp_path)],
        cwd=ROOT,
        env={**os.environ, "KERAS_BACKEND": backend, "JAX_PLATFORMS": "cpu"},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr[-3000:]


def test_refusals():
    message = "ema_momentum must lie in (0, 1), or be None for no averages. Received: "
    contracts.check_refusals(
        {
            f"{message}0": lambda: create_optimizer("sgd", 0.1, ema_momentum=0.0),
            f"{message}1.0": lambda: create_optimizer("adam", 0.1, ema_momentum=1.0),
            f"{message}nan": lambda: create_optimizer("adam", 0.1, ema_momentum=float("nan")),
        }
    )
