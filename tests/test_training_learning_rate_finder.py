"""The range test on a problem whose largest stable rate is known, and its curve judged."""

from __future__ import annotations

import json
import math

import keras
import numpy as np
import pytest

from landmarks_tf.training.learning_rate_finder import (
    RangeTest,
    find_learning_rate,
    range_test_schedule,
    smooth,
)


def test_the_rates_rise_by_one_factor():
    schedule = range_test_schedule(1e-4, 1.0, 41)
    rates = [float(schedule(step)) for step in range(41)]
    np.testing.assert_allclose(rates, 10 ** np.linspace(-4, 0, 41), rtol=1e-4)


@pytest.mark.parametrize("options", [(0, 1, 50), (1, 1, 50), (1e-3, math.inf, 50), (1e-3, 1, 9)])
def test_bounds_out_of_order(options):
    with pytest.raises(ValueError, match="at least 10 steps from a lowest rate above 0"):
        range_test_schedule(*options)


def test_smoothing_keeps_lines_and_shifts_nothing():
    line = np.linspace(3.0, -2.0, 41)
    np.testing.assert_allclose(smooth(line, 1.5)[10:-10], line[10:-10], atol=1e-9)
    spike = np.zeros(41)
    spike[20] = 1.0
    smoothed = smooth(spike, 2.0)
    assert smoothed.argmax() == 20
    np.testing.assert_allclose(smoothed, smoothed[::-1], atol=1e-12)
    assert smooth(np.full(7, 4.0), 3.0) == pytest.approx(np.full(7, 4.0))


def quadratic(curvature):
    """A model whose loss is curvature * w ** 2 / 2 on every batch: SGD is stable below 2 / it."""
    model = keras.Sequential(
        [keras.Input((1,)), keras.layers.Dense(1, use_bias=False, kernel_initializer="ones")]
    )
    model.compile(keras.optimizers.SGD(123.0), "mse", jit_compile=False)
    x = np.full((1, 1), math.sqrt(curvature / 2), np.float32)
    return model, x


def repeated(x, steps):
    return [(x, np.zeros((1, 1), np.float32))] * steps


class Batches(keras.utils.PyDataset):
    def __init__(self, x, steps):
        super().__init__()
        self.batches = repeated(x, steps)

    def __len__(self):
        return len(self.batches)

    def __getitem__(self, place):
        return self.batches[place]


@pytest.mark.parametrize("curvature", [0.5, 50.0])
def test_a_quadratic_whose_stable_rates_are_known(curvature):
    model, x = quadratic(curvature)
    found = find_learning_rate(
        model, Batches(x, 120), lowest=1e-5, highest=100.0 / curvature * 2, steps=120
    )
    limit = 2 / curvature
    assert limit / 1000 < found.suggested < limit
    assert found.best_at < 10 * limit
    assert limit < found.diverges_at < 100 * limit
    assert len(found.losses) == len(found.learning_rates) < 120  # stopped once it was clear
    # Each loss is that of its own step: w is 1 first, then 1 - rate * curvature.
    assert found.losses[0] == pytest.approx(curvature / 2, rel=1e-5)
    expected = curvature / 2 * (1 - 1e-5 * curvature) ** 2
    assert found.losses[1] == pytest.approx(expected, rel=1e-5)


def test_rates_too_low_to_learn_suggest_nothing():
    model, x = quadratic(1.0)
    noise = np.random.default_rng(0).normal(1, 0.2, 60).astype(np.float32)

    class Noisy(Batches):
        def __getitem__(self, place):
            return x * noise[place], np.zeros((1, 1), np.float32)

    found = find_learning_rate(model, Noisy(x, 60), lowest=1e-12, highest=1e-9, steps=60)
    assert (found.suggested, found.diverges_at) == (None, None)
    assert len(found.losses) == 60


def test_a_loss_that_is_no_number():
    model, _ = quadratic(1.0)
    with pytest.raises(ValueError, match="loss is nan before the first step"):
        find_learning_rate(model, Batches(np.full((1, 1), np.nan, np.float32), 20), steps=20)
    # SGD at 1e20 makes the next loss infinite at once.
    model, x = quadratic(1.0)
    found = find_learning_rate(model, Batches(x, 20), lowest=1e10, highest=1e30, steps=20)
    assert not math.isfinite(found.losses[-1])
    assert found.suggested is None
    assert json.loads(json.dumps(found.as_dict(), allow_nan=False))["losses"][-1] is None
    assert isinstance(found, RangeTest) and found.diverges_at > 1e10
