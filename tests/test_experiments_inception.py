"""S2's Inception recipes against reproduction.md."""

from __future__ import annotations

import pytest

from experiments.config import at_demo_size
from experiments.registry import get_experiment


def test_inception_v200_is_the_source_s_recipe():
    """reproduction.md sections 1.9, 1.10 and 1.12, field by field."""
    recipe = get_experiment("inception_v200")
    data, train = recipe.data, recipe.train
    assert (data.min_images_per_class, data.expected_classes) == (150, 890)
    assert (data.validation_fraction, data.validation_split, data.split_seed) == (
        0.1,
        "random",
        300,
    )
    assert (data.image_size, data.resize, data.augment) == (299, "center_crop", "none")
    assert (data.sampling, data.batch_size) == ("shuffled", 64)
    assert (train.optimizer, train.learning_rate, train.epsilon) == ("adam", 1e-3, 1e-3)
    assert (train.weight_decay, train.schedule, train.floor) == (1e-4, "cosine", 1e-6)
    assert (train.epochs, train.clip_global_norm) == (50, None)
    assert (recipe.loss.name, recipe.model.dropout) == ("cross_entropy", 0.5)
    assert recipe.model.auxiliary_weight == 0
    assert {(p.metric, p.value) for p in recipe.published} == {
        ("top1_percent", 86.72),
        ("top5_percent", 95.12),
        ("top1_percent", 90.59),
        ("top5_percent", 96.20),
    }


@pytest.mark.parametrize("name", ["inception_v3", "inception_v100", "inception_v200_figure6"])
def test_inception_variants_differ_from_v200_in_the_network_alone(name):
    v200, variant = get_experiment("inception_v200"), get_experiment(name)
    assert (variant.data, variant.train, variant.loss) == (v200.data, v200.train, v200.loss)
    assert variant.model.backbone == name


def test_demo_size_keeps_network_loss_optimizer_and_split():
    full = get_experiment("inception_v200")
    demo = at_demo_size(full)
    assert demo.model.backbone == full.model.backbone
    assert demo.loss == full.loss
    assert (demo.train.optimizer, demo.train.epsilon) == ("adam", 1e-3)
    assert (demo.train.weight_decay, demo.train.schedule) == (1e-4, "cosine")
    assert demo.data.split_seed == 300
    assert demo.data.image_size >= 75
