"""Settings by name: what `--set` takes, and the demo size."""

from __future__ import annotations

import dataclasses

import pytest

from experiments.config import Experiment, as_dict, differences, recipe_dict
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
        ("train.learning_rate=fast", ValueError, "expects a number. Received: 'fast'"),
        ("data.batch_size=1.5", ValueError, "expects a whole number"),
        ("train.deterministic=1", ValueError, "true or false"),
    ],
)
def test_setting_that_cannot_be_says_why(assignment, error, message):
    with pytest.raises(error, match=message):
        with_setting(BASE, assignment)


def test_every_setting_round_trips_through_text():
    """What `--show` prints for a setting is what `--set` takes for it."""
    for name, recipe in EXPERIMENTS.items():
        for setting in known_settings():
            section, field = setting.split(".")
            value = getattr(getattr(recipe, section), field)
            text = ",".join(value) if isinstance(value, tuple) else str(value)
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
