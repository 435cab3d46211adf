"""A recipe as one frozen value, made of sections and stages."""

from __future__ import annotations

import dataclasses

import pytest

from experiments import config, sections
from experiments.recipe import SECTIONS


def test_a_recipe_has_each_section_once_and_none_is_shared_by_accident():
    recipe = config.Experiment(name="n", summary="s", source="t")
    for name in SECTIONS:
        section = getattr(recipe, name)
        assert type(section) is getattr(sections, type(section).__name__)
        assert type(section) is getattr(config, type(section).__name__)


@pytest.mark.parametrize(
    "value",
    [
        config.Experiment(name="n", summary="s", source="t"),
        config.Stage("low"),
        config.Published("map", 0.5, "table 1"),
    ],
)
def test_it_is_frozen(value):
    with pytest.raises(dataclasses.FrozenInstanceError):
        value.name = "other"
