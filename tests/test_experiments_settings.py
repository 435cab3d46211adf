"""Settings by name: what `--set` takes, and the demo size."""

from __future__ import annotations

import dataclasses

import pytest

from experiments.config import Experiment, Stage
from experiments.recipe import as_dict, differences, fingerprint, recipe_dict
from experiments.registry import EXPERIMENTS
from experiments.settings import (
    UnknownSettingError,
    at_demo_size,
    known_settings,
    with_setting,
)

BASE = Experiment(name="base", summary="s", source="t")


@pytest.mark.parametrize(
    ("assignment", "section", "field", "value"),
    [
        ("train.learning_rate=0.1", "train", "learning_rate", 0.1),
        ("train.learning_rate = 1e-4", "train", "learning_rate", 1e-4),
        ("data.batch_size=7", "data", "batch_size", 7),
        ("model.weights=none", "model", "weights", None),
        ("model.weights=some/file=odd.h5", "model", "weights", "some/file=odd.h5"),
        ("model.embedding_dim=512", "model", "embedding_dim", 512),
        (
            "model.neck=dropout, dense,batch_norm",
            "model",
            "neck",
            ("dropout", "dense", "batch_norm"),
        ),
        ("model.neck=", "model", "neck", ()),
        ("train.milestones=100, 200", "train", "milestones", (100, 200)),
        ("loss.margin_values=0.1,0.35", "loss", "margin_values", (0.1, 0.35)),
        ("loss.margin_steps=none", "loss", "margin_steps", None),
        ("train.clip_global_norm=3", "train", "clip_global_norm", 3.0),
        ("train.deterministic=true", "train", "deterministic", True),
        ("evaluation.untrained_baseline=False", "evaluation", "untrained_baseline", False),
    ],
)
def test_setting_takes_the_type_of_its_field(assignment, section, field, value):
    before = as_dict(BASE)
    changed = with_setting(BASE, assignment)
    assert as_dict(BASE) == before
    found = getattr(getattr(changed, section), field)
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(
    ("assignment", "error", "message"),
    [
        ("train.lerning_rate=1", UnknownSettingError, "Nearest: train.learning_rate"),
        ("learning_rate=1", UnknownSettingError, "train.learning_rate"),
        ("model.batch_size=1", UnknownSettingError, "data.batch_size"),
        ("name=x", UnknownSettingError, "no setting 'name'"),
        ("train.learning_rate", ValueError, "section.field=value"),
        ("train.learning_rate=fast", ValueError, "expects a finite number. Received: 'fast'"),
        ("train.learning_rate=nan", ValueError, "expects a finite number. Received: 'nan'"),
        ("train.floor=-inf", ValueError, "expects a finite number. Received: '-inf'"),
        ("export.parity_tolerance=1e999", ValueError, "a finite number. Received: '1e999'"),
        ("evaluation.scales=1,nan", ValueError, "a finite number. Received: 'nan'"),
        ("train.steps=inf", ValueError, "expects a whole number. Received: 'inf'"),
        ("data.batch_size=1.5", ValueError, "expects a whole number"),
        ("train.deterministic=1", ValueError, "true or false"),
        ("train.milestones=1,x", ValueError, "expects a whole number. Received: 'x'"),
        ("stages.1.train.steps=4", UnknownSettingError, "no stage '1' in base. It trains in one"),
    ],
)
def test_setting_that_cannot_be_says_why(assignment, error, message):
    with pytest.raises(error, match=message):
        with_setting(BASE, assignment)


def test_a_whole_number_may_have_any_length():
    digits = "9" * 400  # beyond the largest float
    assert with_setting(BASE, f"train.seed={digits}").train.seed == int(digits)


def test_every_setting_round_trips_through_text():
    """What `--show` prints for a setting is what `--set` takes for it."""
    for name, recipe in EXPERIMENTS.items():
        for setting in known_settings():
            section, field = setting.split(".")
            value = getattr(getattr(recipe, section), field)
            text = ",".join(map(str, value)) if isinstance(value, tuple) else str(value)
            if any(setting in dict(stage.settings) for stage in recipe.stages):
                continue
            again = with_setting(recipe, f"{setting}={text}")
            assert again == recipe, (name, setting)


@pytest.mark.parametrize("name", sorted(EXPERIMENTS))
def test_demo_size_differs_in_its_demo_fields_alone(name):
    recipe = EXPERIMENTS[name]
    changed = differences(recipe_dict(recipe), recipe_dict(at_demo_size(recipe)))
    fields = {line.split(":")[0] for line in changed}
    assert fields <= {setting for setting, _ in recipe.demo}
    assert fields, "a demo size that changes nothing"


def test_demo_fields_that_do_not_exist_are_refused():
    with pytest.raises(UnknownSettingError, match=r"no setting 'train\.epoch'"):
        at_demo_size(dataclasses.replace(BASE, demo=(("train.epoch", 1),)))


STAGED = dataclasses.replace(
    BASE,
    stages=(
        Stage("low", (("data.image_size", 64), ("train.steps", 5))),
        Stage("high", (("data.image_size", 96),)),
    ),
)


def test_a_stages_field_by_number_and_by_name():
    for which in ("2", "high"):
        changed = with_setting(STAGED, f"stages.{which}.train.learning_rate=0.5")
        assert changed.stages[0] == STAGED.stages[0]
        assert changed.stages[1].settings == (("data.image_size", 96), ("train.learning_rate", 0.5))
    again = with_setting(STAGED, "stages.low.train.steps=7")
    assert again.stages[0].settings == (("data.image_size", 64), ("train.steps", 7))
    assert differences(recipe_dict(STAGED), recipe_dict(again)) == ["stages.1.train.steps: 5 -> 7"]
    assert fingerprint(again) != fingerprint(STAGED) != fingerprint(BASE)
    demo = dataclasses.replace(STAGED, demo=(("stages.high.data.image_size", 80),))
    assert at_demo_size(demo).stages[1].settings == (("data.image_size", 80),)


def test_a_field_that_every_stage_has_is_not_the_recipes_to_set():
    assert with_setting(STAGED, "train.steps=9").train.steps == 9
    with pytest.raises(ValueError, match=r"own data.image_size. Set stages.low.data.* or stages.h"):
        with_setting(STAGED, "data.image_size=32")


def test_stages_that_do_not_exist():
    for setting in ("stages.3.train.steps=1", "stages.0.train.steps=1", "stages.mid.train.steps=1"):
        with pytest.raises(UnknownSettingError, match=r"Its stages: 1 \(low\), 2 \(high\)"):
            with_setting(STAGED, setting)
    with pytest.raises(UnknownSettingError, match=r"Nearest: train\.steps"):
        with_setting(STAGED, "stages.low.train.step=1")
