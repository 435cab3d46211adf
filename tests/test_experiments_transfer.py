"""The fine-tuning recipe: its batches add up at both sizes, and it is called ours."""

from __future__ import annotations

import pytest

from experiments.registry import get_experiment
from experiments.settings import at_demo_size


@pytest.mark.parametrize("size", [lambda recipe: recipe, at_demo_size])
def test_class_balanced_batches_add_up(size):
    data = size(get_experiment("mobilenet_v2_arcface")).data
    assert data.sampling == "class_balanced"
    assert data.classes_per_batch * data.images_per_class == data.batch_size
    assert data.images_per_class >= 2


def test_margin_and_scale_are_s1_s_and_nothing_published_is_claimed():
    recipe = get_experiment("mobilenet_v2_arcface")
    assert (recipe.loss.name, recipe.loss.margin, recipe.loss.scale) == ("arcface", 0.35, 30.0)
    assert recipe.model.head == "cosine"
    assert recipe.published == ()
    assert recipe.source.startswith("ours")
