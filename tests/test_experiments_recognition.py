"""S2's other recipes against reproduction.md sections 1.6 to 1.9."""

from __future__ import annotations

import json

import pytest

from experiments import show
from experiments.registry import get_experiment


@pytest.mark.parametrize(
    ("name", "size", "batch", "resize", "augment", "weights"),
    [
        ("vgg16", 224, 32, "center_crop_from_8_7", "none", None),
        ("resnet50_s2", 64, 32, "squash", "s2", None),
        ("efficientnet_b0", 64, 128, "squash", "s2", "imagenet"),
    ],
)
def test_what_each_program_changes(name, size, batch, resize, augment, weights):
    recipe, inception = get_experiment(name), get_experiment("inception_v200")
    data = recipe.data
    assert (data.image_size, data.batch_size) == (size, batch)
    assert (data.resize, data.augment) == (resize, augment)
    assert recipe.model.weights == weights
    assert (recipe.train, recipe.loss) == (inception.train, inception.loss)
    assert (data.min_images_per_class, data.expected_classes, data.split_seed) == (150, 890, 300)


@pytest.mark.parametrize(
    ("name", "learned"),
    [("vgg16", 137_906_874), ("resnet50_s2", 30_799_802), ("efficientnet_b0", 5_147_638)],
)
def test_show_prints_the_published_counts(name, learned):
    shown = json.loads(show.recipe(get_experiment(name), "full", as_json=True))
    assert shown["params"]["classes"] == 890
    assert shown["params"]["trainable"] == learned


def test_published_numbers_are_those_of_table_2():
    found = {
        name: [p.value for p in get_experiment(name).published]
        for name in ("vgg16", "resnet50_s2", "efficientnet_b0")
    }
    assert found == {
        "vgg16": [70.12, 88.21],
        "resnet50_s2": [74.42, 87.24],
        "efficientnet_b0": [80.54, 90.27],
    }
