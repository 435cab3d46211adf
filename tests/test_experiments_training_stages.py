"""Stages as recipes: each is the recipe with its own fields, and nothing of the others."""

from __future__ import annotations

from dataclasses import replace

import pytest

from experiments.config import Data, Experiment, Stage, Train
from experiments.settings import UnknownSettingError
from experiments.training_stages import last_recipe, stage_recipes

BASE = Experiment(
    name="base", summary="s", source="t", data=Data(image_size=48), train=Train(steps=7)
)


def staged(*stages):
    return replace(BASE, stages=tuple(Stage(name, tuple(pairs)) for name, pairs in stages))


def test_a_training_in_one_piece_is_its_own_only_stage():
    (only,) = stage_recipes(BASE)
    assert only.recipe is BASE
    assert last_recipe(BASE) is BASE


def test_each_stage_is_the_recipe_with_its_own_fields():
    recipe = staged(
        ("low", [("data.image_size", 32), ("train.steps", 5)]),
        ("high", [("model.pooling", "gem"), ("data.image_size", 64)]),
    )
    low, high = stage_recipes(recipe)
    assert (low.title, low.folder, high.folder) == ("stage 1 (low)", "1-low", "2-high")
    assert (low.recipe.data.image_size, low.recipe.train.steps) == (32, 5)
    # The second does not see what the first replaced.
    assert (high.recipe.data.image_size, high.recipe.train.steps) == (64, 7)
    assert (low.recipe.model.pooling, high.recipe.model.pooling) == ("avg", "gem")
    assert high.own == {"model.pooling", "data.image_size"}
    assert last_recipe(recipe) == high.recipe
    assert high.recipe.stages == ()


@pytest.mark.parametrize(
    ("setting", "reason"),
    [
        ("model.backbone", "goes on with the backbone of the one before"),
        ("model.weights", "starts from the weights of the one before"),
        ("data.validation_fraction", "records are made once"),
        ("train.shard_centers", "devices are chosen once"),
        ("evaluation.recognition", "judged at the end"),
        ("export.parity_images", "judged at the end"),
    ],
)
def test_what_is_one_for_the_whole_training(setting, reason):
    with pytest.raises(ValueError, match=reason) as caught:
        stage_recipes(staged(("low", [(setting, "x")])))
    assert "set in the stage 'low'" in str(caught.value)


def test_names_are_different_words():
    for names in (("low", "low"), ("Low",), ("a.b",), ("1",), ("",)):
        with pytest.raises(ValueError, match="names of one word each"):
            stage_recipes(staged(*((name, []) for name in names)))


def test_a_field_that_does_not_exist():
    with pytest.raises(UnknownSettingError, match=r"Nearest: train\.steps"):
        stage_recipes(staged(("low", [("train.step", 5)])))
