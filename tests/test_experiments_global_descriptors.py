"""S1's recipes against reproduction.md section 2."""

from __future__ import annotations

import json

import pytest

from experiments import show
from experiments.registry import get_experiment
from experiments.settings import at_demo_size
from experiments.stages import networks
from landmarks_tf.layers import GE2ESimilarity

NAMES = ("resnet101_arcface", "resnet101_ge2e", "resnet101_classification", "resnet101_unet")


@pytest.mark.parametrize("name", NAMES)
def test_what_all_of_s1s_systems_share(name):
    """Sections 2.6 and 2.7."""
    recipe = get_experiment(name)
    data, train = recipe.data, recipe.train
    assert (data.sampling, data.classes_per_batch, data.images_per_class) == (
        "class_balanced",
        48,
        5,
    )
    assert (data.batch_size, data.image_size, data.resize, data.augment) == (
        240,
        224,
        "letterbox",
        "s1",
    )
    assert (train.optimizer, train.learning_rate, train.schedule) == ("sgd", 0.01, "halving")
    assert (train.halve_every, train.steps, train.weight_decay) == (25_000, 35_000, 0.0)
    # Only GE2E clips its gradients.
    assert train.clip_global_norm == (3.0 if name == "resnet101_ge2e" else None)
    assert train.checkpoint_every == 250
    assert recipe.model.backbone == "resnet101"


def test_arcface_is_the_sources():
    recipe = get_experiment("resnet101_arcface")
    assert (recipe.loss.name, recipe.loss.margin, recipe.loss.scale) == ("arcface", 0.35, 30.0)
    assert recipe.model.neck == ("dropout", "dense", "batch_norm")
    assert (recipe.model.embedding_dim, recipe.model.dropout) == (512, 0.5)
    assert {p.value for p in recipe.published} == {0.214198, 0.233212}


def test_ge2e_is_the_sources():
    """Section 2.2: also w = 10, b = -5 and their gradients times 0.01, the layer's defaults."""
    recipe = get_experiment("resnet101_ge2e")
    assert (recipe.loss.name, recipe.loss.form, recipe.loss.epsilon) == ("ge2e", "softmax", 1e-6)
    assert recipe.model.neck == ("dropout", "dense", "batch_norm")
    assert (recipe.model.embedding_dim, recipe.model.dropout) == (512, 0.5)
    assert {p.value for p in recipe.published} == {0.061897, 0.071373}
    layer = GE2ESimilarity(recipe.data.images_per_class)
    assert (layer.initial_scale, layer.initial_offset, layer.gradient_scale) == (10.0, -5.0, 0.01)
    assert not layer.positive_scale


@pytest.mark.parametrize(
    ("name", "learned"),
    [
        ("resnet101_arcface", 85_182_528),
        ("resnet101_ge2e", 43_550_274),
        ("resnet101_classification", 209_110_497),
        ("resnet101_unet", 59_894_531),
    ],
)
def test_show_prints_the_published_counts(name, learned):
    shown = json.loads(show.recipe(get_experiment(name), "full", as_json=True))
    assert shown["params"]["classes"] == 81_313
    assert shown["params"]["trainable"] == learned


@pytest.mark.parametrize("name", NAMES)
def test_losses_fit_the_heads_at_both_sizes(name):
    for recipe in (get_experiment(name), at_demo_size(get_experiment(name))):
        networks.losses_of(recipe)
        assert (
            recipe.data.classes_per_batch * recipe.data.images_per_class == recipe.data.batch_size
        )
