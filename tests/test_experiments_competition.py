"""S3's recipes: what is the source's, and that the rest is called ours."""

from __future__ import annotations

import pytest

from experiments.registry import get_experiment
from experiments.stages import networks


@pytest.mark.parametrize(
    ("name", "backbone"),
    [("resnest269_arcface", "resnest269"), ("res2net200_vd_arcface", "res2net200_vd")],
)
def test_what_the_write_up_states(name, backbone):
    recipe = get_experiment(name)
    assert (recipe.model.backbone, recipe.model.embedding_dim) == (backbone, 512)
    assert (recipe.data.image_size, recipe.loss.name) == (224, "arcface")
    assert "ours" in recipe.source
    assert {p.value for p in recipe.published} == {0.40176, 0.36278}
    assert all("not this one model" in p.where for p in recipe.published)
    networks.losses_of(recipe)
