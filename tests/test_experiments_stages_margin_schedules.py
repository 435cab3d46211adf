"""Margin schedules from a recipe's settings to the loss of each step."""

from __future__ import annotations

from dataclasses import replace

import keras
import numpy as np
import pytest

from experiments.config import Loss
from experiments.stages import devices, large_heads, margin_schedules, networks
from experiments.training_stages import stage_recipes
from tests import contracts, staged_training

pytestmark = contracts.IGNORE_ARRAY_COPY

SIZES = np.array([3, 30, 9, 12])
SCHEDULE = {"margin_schedule": "step", "margin_values": (0.1, 0.4), "margin_steps": (0, 2)}


@pytest.fixture(scope="module", autouse=True)
def tiny():
    staged_training.add_tiny_backbone()


def recipe(name="arcface", **settings):
    base = stage_recipes(staged_training.RECIPE)[1].recipe
    # Dropout would make each pass another.
    model = replace(base.model, neck=("dense",))
    return replace(base, model=model, loss=Loss(name=name, scale=8.0, **settings))


def compiled(experiment):
    loss, metrics, _ = networks.losses_of(experiment, SIZES)
    trainer = networks.build_network(experiment, len(SIZES)).trainer
    margin_schedules.follow_steps(loss, trainer)
    large_heads.follow_centers(loss, trainer)
    trainer.compile(keras.optimizers.SGD(0.0), loss, metrics=metrics)
    devices.use_parts(experiment, trainer)
    return trainer


def losses_of_steps(experiment, steps=4):
    """The loss of each of a few steps on one batch; the weights stay."""
    trainer = compiled(experiment)
    images = np.random.default_rng(0).integers(0, 256, (8, 32, 32, 3), dtype=np.uint8)
    labels = np.arange(8) % 4
    return [float(trainer.train_on_batch(images, labels)[0]) for _ in range(steps)]


@pytest.mark.parametrize("weights", [None, True], ids=["plain", "class_weights"])
@pytest.mark.parametrize("name", ["arcface", "cosface"])
def test_each_step_has_the_recipes_margin(name, weights):
    found = losses_of_steps(recipe(name, class_weights=weights, **SCHEDULE))
    low, high = (
        losses_of_steps(recipe(name, class_weights=weights, margin=margin), 1)[0]
        for margin in (0.1, 0.4)
    )
    np.testing.assert_allclose(found, [low, low, high, high], rtol=1e-5)
    assert high - low > 0.1


@pytest.mark.parametrize("form", ["fused", "streamed"])
def test_a_loss_that_scores_from_the_centres_has_it_too(form):
    found = losses_of_steps(recipe(softmax=form, class_weights=True, **SCHEDULE))
    plain = losses_of_steps(recipe(class_weights=True, **SCHEDULE))
    np.testing.assert_allclose(found, plain, rtol=1e-5)
    assert found[2] - found[1] > 0.1


def test_a_step_in_micro_batches_counts_once():
    plain = recipe(**SCHEDULE)
    # In inference mode: batch norm over parts of a batch is another norm.
    plain = replace(plain, model=replace(plain.model, trainable=("@nothing",)))
    parts = replace(plain, train=replace(plain.train, micro_batches=2))
    np.testing.assert_allclose(losses_of_steps(parts), losses_of_steps(plain), rtol=1e-5)


def test_margins_by_class_size_grow_by_factors():
    found = losses_of_steps(
        recipe(dynamic_margin=True, **SCHEDULE | {"margin_values": (0.5, 1.0)}), 3
    )
    by_size = recipe(dynamic_margin=True)
    half = recipe(dynamic_margin=True, margin_low=0.025, margin_high=0.25)
    expected = [losses_of_steps(half, 1)[0]] * 2 + [losses_of_steps(by_size, 1)[0]]
    np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_only_a_schedule_adds_the_count():
    for settings, counted in ((SCHEDULE, True), ({"margin": 0.3}, False)):
        names = [layer.name for layer in compiled(recipe(**settings)).layers]
        assert ("training_steps" in names) == counted


def test_refusals():
    def build(name="arcface", **settings):
        return lambda: networks.losses_of(recipe(name, **settings), SIZES)

    without = {key: value for key, value in SCHEDULE.items() if key != "margin_schedule"}
    contracts.check_refusals(
        {
            "loss.margin_values belongs to a margin schedule": build(**without),
            "Received also: loss.margin=0.3": build(margin=0.3, **SCHEDULE),
            "needs loss.margin_values and loss.margin_steps": build(margin_schedule="linear"),
            "among step, linear. Received: 'cosine'": build(
                **SCHEDULE | {"margin_schedule": "cosine"}
            ),
            "In degrees? 20 degrees": build(**SCHEDULE | {"margin_values": (0.1, 20.0)}),
            "rise from 0. Received: steps=(0, 0)": build(**SCHEDULE | {"margin_steps": (0, 0)}),
            "proxy_anchor loss reads margin, scale. Received: loss.margin_schedule": build(
                "proxy_anchor", **SCHEDULE
            ),
        }
    )
    short = Loss(name="arcface", **SCHEDULE)
    margin_schedules.check_margin_steps(short, 3)
    with pytest.raises(ValueError, match=r"steps are 0 to 1\. Received: loss\.margin_steps=\(0, 2"):
        margin_schedules.check_margin_steps(short, 2)
