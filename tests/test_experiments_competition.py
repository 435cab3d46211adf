"""S3's recipes: what is the source's, and that the rest is called ours."""

from __future__ import annotations

import keras
import pytest

from experiments.registry import get_experiment
from experiments.settings import at_demo_size
from experiments.stages import networks
from experiments.training_stages import stage_recipes


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


@pytest.mark.parametrize("name", ["resnest269_stages", "res2net200_vd_stages"])
@pytest.mark.parametrize("size", ["full", "demo"])
def test_stages_grow_and_the_last_is_fixres(name, size):
    """Section 3.1: non-decreasing size and margin, a smaller rate, then GeM and a frozen trunk."""
    whole = get_experiment(name)
    stages = stage_recipes(whole if size == "full" else at_demo_size(whole))
    assert [stage.name for stage in stages] == ["low", "high", "fix"]
    recipes = [stage.recipe for stage in stages]
    for grows in (
        [recipe.data.image_size for recipe in recipes],
        [recipe.loss.margin for recipe in recipes],
        [-recipe.train.learning_rate for recipe in recipes],
    ):
        assert grows == sorted(grows)
        assert len(set(grows)) > 1
    if size == "full":
        assert [recipe.data.image_size for recipe in recipes][:2] == [224, 448]
        assert len({recipe.model.backbone for recipe in recipes}) == 1
    last = "gem" if size == "full" else "gem:1"
    assert [recipe.model.pooling for recipe in recipes] == ["avg", "avg", last]
    assert [recipe.model.trainable for recipe in recipes] == [(), (), ("@norms",)]
    assert recipes[-1].data.augment == "none"
    for recipe in recipes:
        networks.losses_of(recipe)


@pytest.mark.parametrize("name", ["resnest269_stages", "res2net200_vd_stages"])
def test_each_stage_says_what_the_source_trains_it_on(name):
    """Section 3.1: GLDv1 with GLDv2-clean, then GLDv2-clean; the demo has a set in its place."""
    recipe = get_experiment(name)
    low, high, fix = stage_recipes(recipe)
    assert "GLDv1 (1,215,498 images, 14,950 classes) and GLDv2-clean" in low.data
    assert high.data == fix.data == "GLDv2-clean (1,580,470 images, 81,313 classes)"
    assert recipe.data.expected_classes == 81_313
    # What is not ours to fetch is not asked for by itself.
    assert [stage.recipe.data.train_set for stage in (low, high, fix)] == [None] * 3
    demo = [stage.recipe.data.train_set for stage in stage_recipes(at_demo_size(recipe))]
    assert demo == ["full", None, None]


def test_in_the_last_stage_the_head_and_the_norms_are_trained():
    recipe = stage_recipes(at_demo_size(get_experiment("resnest269_stages")))[-1].recipe
    network = networks.build_network(recipe, 4)
    trained = [layer for layer in network.trainer.layers if layer.trainable_weights]
    norms = [layer for layer in trained if isinstance(layer, keras.layers.BatchNormalization)]
    assert {layer.name for layer in trained if layer not in norms} == {
        "pool",
        "neck_dense",
        "cosines",
    }
    assert len(norms) == 53  # ResNet-50: one after each of its 53 convolutions
