"""The fine-tuning recipes: batches that add up, one training for every loss, and called ours."""

from __future__ import annotations

import numpy as np
import pytest

from experiments.recipe import differences, recipe_dict
from experiments.registry import get_experiment
from experiments.settings import at_demo_size
from experiments.stages.networks import losses_of
from experiments.transfer import RECIPES


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda recipe: recipe.name)
@pytest.mark.parametrize("size", [lambda recipe: recipe, at_demo_size])
def test_class_balanced_batches_add_up(recipe, size):
    data = size(recipe).data
    assert data.sampling == "class_balanced"
    assert data.classes_per_batch * data.images_per_class == data.batch_size
    assert data.images_per_class >= 2


def test_margin_and_scale_are_s1_s():
    recipe = get_experiment("mobilenet_v2_arcface")
    assert (recipe.loss.name, recipe.loss.margin, recipe.loss.scale) == ("arcface", 0.35, 30.0)
    assert recipe.model.head == "cosine"


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda recipe: recipe.name)
def test_the_loss_fits_and_nothing_else_differs(recipe):
    assert losses_of(recipe, np.array([3, 5, 8]))[0] is not None
    base = recipe_dict(get_experiment("mobilenet_v2_arcface"))
    fields = {line.split(":")[0] for line in differences(base, recipe_dict(recipe))}
    parts = {field for field in fields if not field.startswith("loss.")}
    assert parts <= {"name", "model.head", "model.subcenters"}
    assert recipe.published == ()
    assert recipe.source.startswith("ours")
