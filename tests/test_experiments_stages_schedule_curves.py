"""Learning rates, margins and sizes as the training has them, for recipes of every kind."""

from __future__ import annotations

import numpy as np
import pytest

from experiments.data_source import find_data
from experiments.registry import get_experiment
from experiments.settings import at_demo_size, with_setting
from experiments.stages.context import Context
from experiments.stages.schedule_curves import stage_schedules
from experiments.workdir import Workdir


@pytest.fixture
def schedules(demo_records, tmp_path):
    def of(name, *settings):
        recipe = at_demo_size(get_experiment(name))
        for setting in settings:
            recipe = with_setting(recipe, setting)
        return stage_schedules(Context(recipe, "demo", find_data(demo_records), Workdir(tmp_path)))

    return of


def test_stages_with_margins_and_sizes_of_their_own(schedules):
    stages = schedules("resnest269_stages")
    recipe = at_demo_size(get_experiment("resnest269_stages"))
    assert [stage.image_size for stage in stages] == sorted(stage.image_size for stage in stages)
    assert len({stage.image_size for stage in stages}) > 1
    margins = [stage.margin[0, 0] for stage in stages]
    assert margins == sorted(margins)
    assert stages[0].margin_unit == "radians"
    assert stages[0].name == f"stage 1 ({recipe.stages[0].name})"
    for stage in stages:
        assert stage.at[0] == 0
        assert stage.at[-1] == stage.steps - 1
        assert len(stage.at) == len(stage.learning_rate) == len(stage.margin)


def test_a_scheduled_margin_and_a_halved_rate_by_hand(schedules):
    (stage,) = schedules(
        "mobilenet_v2_arcface",
        *("train.steps=900", "train.warmup_steps=0", "train.schedule=halving"),
        *("train.halve_every=301", "train.learning_rate=0.5", "loss.margin=none"),
        *("loss.margin_schedule=step", "loss.margin_values=0.1,0.3", "loss.margin_steps=0,457"),
    )
    rates = dict(zip(stage.at.tolist(), stage.learning_rate, strict=True))
    assert [rates[step] for step in (0, 300, 301, 602, 899)] == [0.5, 0.5, 0.25, 0.125, 0.125]
    margins = dict(zip(stage.at.tolist(), stage.margin.tolist(), strict=True))
    assert margins[456] == pytest.approx([0.1, 0.1])
    assert margins[457] == pytest.approx([0.3, 0.3])


def test_margins_by_class_are_a_band_and_losses_without_have_none(schedules):
    (stage,) = schedules("mobilenet_v2_subcenter_arcface")
    low, high = stage.margin[0]
    assert 0.05 <= low < high <= 0.5 + 1e-6
    assert (stage.margin == stage.margin[0]).all()
    (stage,) = schedules("mobilenet_v2_softmax")
    assert stage.margin is None
    assert stage.name == ""
    (stage,) = schedules("mobilenet_v2_triplet")
    assert stage.margin_unit == "distance"
    np.testing.assert_allclose(stage.margin, 0.2)
