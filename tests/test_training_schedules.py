"""Learning rates against the closed forms of PyTorch's documentation, and PyTorch's own numbers."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from landmarks_tf.training.schedules import SCHEDULES, learning_rate_schedule
from tests import contracts
from tests.reference import schedules as reference


def rates(schedule, steps):
    return np.array([float(schedule(step)) for step in steps])


def test_cosine_equals_pytorchs_numbers():
    # torch 2.13.0: CosineAnnealingLR(Adam(lr=1e-3), T_max=6, eta_min=1e-6), get_last_lr() a step.
    schedule = learning_rate_schedule("cosine", learning_rate=1e-3, total_steps=6, floor=1e-6)
    pytorch = [
        0.001,
        0.0009330796891903273,
        0.0007502500000000002,
        0.0005005000000000001,
        0.00025075000000000016,
        6.792031080967287e-05,
        1e-06,
    ]
    np.testing.assert_allclose(rates(schedule, range(7)), pytorch, rtol=1e-4, atol=1e-10)


@settings(max_examples=40, deadline=None)
@given(
    peak=st.floats(1e-5, 1.0),
    fraction=st.floats(0, 1),
    total=st.integers(1, 2_000_000),
    seed=st.integers(0, 2**31),
)
def test_cosine_equals_the_closed_form(peak, fraction, total, seed):
    floor = fraction * peak
    schedule = learning_rate_schedule("cosine", learning_rate=peak, total_steps=total, floor=floor)
    steps = [0, total, *np.random.default_rng(seed).integers(0, total + 1, 4)]
    expected = [
        reference.cosine_annealing(int(s), peak=peak, floor=floor, t_max=total) for s in steps
    ]
    np.testing.assert_allclose(rates(schedule, steps), expected, rtol=1e-5, atol=1e-6 * peak)


def test_cosine_stays_at_the_floor_after_the_end():
    schedule = learning_rate_schedule("cosine", learning_rate=0.1, total_steps=10, floor=0.01)
    np.testing.assert_allclose(rates(schedule, [10, 11, 1000]), 0.01, rtol=1e-5)


def test_warmup_rises_from_zero_and_is_part_of_the_whole():
    schedule = learning_rate_schedule(
        "cosine", learning_rate=0.1, total_steps=110, warmup_steps=10, floor=0.001
    )
    np.testing.assert_allclose(
        rates(schedule, [0, 1, 5, 9, 10]), [0, 0.01, 0.05, 0.09, 0.1], rtol=1e-5
    )
    steps = [10, 35, 60, 110]
    expected = [reference.cosine_annealing(s - 10, peak=0.1, floor=0.001, t_max=100) for s in steps]
    np.testing.assert_allclose(rates(schedule, steps), expected, rtol=1e-5)


def test_halving_is_pytorchs_step_lr():
    schedule = learning_rate_schedule("halving", learning_rate=0.01, total_steps=1)
    steps = [0, 1, 24_999, 25_000, 49_999, 50_000, 175_000]
    expected = [reference.step_lr(s, start=0.01, step_size=25_000, gamma=0.5) for s in steps]
    assert expected[-1] == 0.01 / 128
    np.testing.assert_allclose(rates(schedule, steps), expected, rtol=1e-6)
    short = learning_rate_schedule("halving", learning_rate=1.0, total_steps=9, halve_every=3)
    np.testing.assert_allclose(rates(short, range(9)), np.repeat([1, 0.5, 0.25], 3))


def test_constant_is_a_plain_number():
    assert learning_rate_schedule("constant", learning_rate=0.01, total_steps=5) == 0.01


def test_steps_fall_at_their_milestones():
    schedule = learning_rate_schedule(
        "step", learning_rate=0.8, total_steps=10, milestones=(3, 7), factor=0.25
    )
    by_hand = [0.8] * 3 + [0.2] * 4 + [0.05] * 4
    np.testing.assert_allclose(rates(schedule, range(11)), by_hand, rtol=1e-6)
    default = learning_rate_schedule("step", learning_rate=1.0, total_steps=9, milestones=[4])
    np.testing.assert_allclose(rates(default, [3, 4]), [1, 0.1], rtol=1e-6)


def test_linear_and_polynomial_by_hand():
    line = learning_rate_schedule("linear", learning_rate=1.0, total_steps=10, floor=0.2)
    np.testing.assert_allclose(rates(line, [0, 5, 9, 10, 12]), [1, 0.6, 0.28, 0.2, 0.2], rtol=1e-6)
    curve = learning_rate_schedule(
        "polynomial", learning_rate=1.0, total_steps=10, floor=0.2, power=3.0
    )
    # 0.2 + 0.8 * (1 - t/10)^3
    np.testing.assert_allclose(rates(curve, [0, 5, 9, 10]), [1, 0.3, 0.2008, 0.2], rtol=1e-5)
    square = learning_rate_schedule("polynomial", learning_rate=1.0, total_steps=10)
    np.testing.assert_allclose(rates(square, [5]), [0.25], rtol=1e-6)


WARMED = {
    # Rates of steps 0, 2, 4, 7 and 10 after a warm-up of 4 steps to 0.8, by hand.
    "constant": ({}, [0, 0.4, 0.8, 0.8, 0.8]),
    # Halved from step 5 on, and again from step 10.
    "halving": ({"halve_every": 5}, [0, 0.4, 0.8, 0.4, 0.2]),
    "step": ({"milestones": (7, 9), "factor": 0.5}, [0, 0.4, 0.8, 0.4, 0.2]),
    # Over the 8 steps that are left of 12.
    "linear": ({}, [0, 0.4, 0.8, 0.5, 0.2]),
    "polynomial": ({"power": 2.0}, [0, 0.4, 0.8, 0.3125, 0.05]),
}


@pytest.mark.parametrize("name", WARMED)
def test_a_warmup_in_front_of_any(name):
    options, by_hand = WARMED[name]
    schedule = learning_rate_schedule(
        name, learning_rate=0.8, total_steps=12, warmup_steps=4, **options
    )
    np.testing.assert_allclose(rates(schedule, [0, 2, 4, 7, 10]), by_hand, rtol=1e-6)


@pytest.mark.parametrize("warmup_steps", [0, 3])
@pytest.mark.parametrize("name", SCHEDULES[1:])
def test_schedules_survive_their_config(name, warmup_steps):
    options = {"milestones": (5, 9)} if name == "step" else {}
    schedule = learning_rate_schedule(
        name,
        learning_rate=0.1,
        total_steps=20,
        halve_every=4,
        warmup_steps=warmup_steps,
        **options,
    )
    config = keras.optimizers.schedules.serialize(schedule)
    twin = keras.optimizers.schedules.deserialize(config)
    np.testing.assert_array_equal(rates(twin, range(20)), rates(schedule, range(20)))


def test_schedules_compile_under_xla_with_the_rates_of_eager():
    import tensorflow as tf

    schedule = learning_rate_schedule(
        "step", learning_rate=0.8, total_steps=12, warmup_steps=4, milestones=(7, 9)
    )
    compiled = tf.function(lambda step: schedule(step), jit_compile=True)
    found = [float(compiled(tf.constant(step, tf.int64))) for step in range(12)]
    np.testing.assert_allclose(found, rates(schedule, range(12)), rtol=1e-6)


def test_an_optimizer_takes_each_steps_rate():
    schedule = learning_rate_schedule("halving", learning_rate=1.0, total_steps=6, halve_every=2)
    weight = keras.Variable([10.0])
    optimizer = keras.optimizers.SGD(schedule)
    path = []
    for _ in range(6):
        optimizer.apply([keras.ops.ones(1)], [weight])
        path.append(float(np.asarray(weight)[0]))
    np.testing.assert_allclose(path, 10 - np.cumsum([1, 1, 0.5, 0.5, 0.25, 0.25]))


def test_refusals():
    def make(name="cosine", **options):
        return learning_rate_schedule(name, **{"learning_rate": 0.1, "total_steps": 10} | options)

    contracts.check_refusals(
        {
            f"among {', '.join(SCHEDULES)}. Received: 'square'": lambda: make("square"),
            "Received: learning_rate=0, floor=0.0": lambda: make(learning_rate=0),
            "Received: learning_rate=nan": lambda: make(learning_rate=float("nan")),
            "Received: learning_rate=0.1, floor=0.2": lambda: make(floor=0.2),
            "Received: total_steps=0, warmup_steps=0": lambda: make(total_steps=0),
            "Received: total_steps=10, warmup_steps=10": lambda: make(warmup_steps=10),
            "before the warm-up of 6 steps is over. Received: halve_every=5": lambda: make(
                "halving", warmup_steps=6, halve_every=5
            ),
            "before the warm-up of 6 steps is over. Received: milestones=5": lambda: make(
                "step", warmup_steps=6, milestones=(5, 8)
            ),
            "within 1..9, the training has 10 steps. Received: milestones=()": lambda: make("step"),
            "Received: milestones=(5, 3)": lambda: make("step", milestones=(5, 3)),
            "Received: milestones=(5, 5)": lambda: make("step", milestones=(5, 5)),
            "Received: milestones=(5, 10)": lambda: make("step", milestones=(5, 10)),
            "Received: milestones=(0, 3)": lambda: make("step", milestones=(0, 3)),
            "milestones belongs to the step schedule. Received: milestones=(2,) with the cosine": (
                lambda: make(milestones=(2,))
            ),
            "factor belongs to the step schedule": lambda: make("linear", factor=0.5),
            "power belongs to the polynomial schedule": lambda: make("linear", power=2.0),
            "factor must lie in (0, 1). Received: factor=1.0": lambda: make(
                "step", milestones=(3,), factor=1.0
            ),
            "power must be positive. Received: power=0": lambda: make("polynomial", power=0),
            "halve_every must be at least 1. Received: halve_every=0": lambda: make(
                "halving", halve_every=0
            ),
        }
    )
