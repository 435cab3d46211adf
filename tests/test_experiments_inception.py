"""S2's Inception recipes against reproduction.md."""

from __future__ import annotations

import json

import numpy as np
import pytest
import tensorflow as tf

from experiments import show
from experiments.registry import get_experiment
from experiments.settings import at_demo_size, with_setting
from experiments.stages import networks, train
from landmarks_tf.training.fit import compile_model
from tests import contracts, seeded_weights


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


VARIANTS = ["inception_v3", "inception_v100", "inception_v100_figure7", "inception_v200_figure6"]


@pytest.mark.parametrize("name", VARIANTS)
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


def with_auxiliary(weight: float):
    return with_setting(get_experiment("inception_v200"), f"model.auxiliary_weight={weight}")


def test_auxiliary_weight_is_shown_and_counted():
    """reproduction.md table 1.5 at 890 classes: with the head, and without it."""
    with seeded_weights.no_initial_values():
        shown = json.loads(show.recipe(with_auxiliary(0.4), "full", as_json=True))
    assert shown["model"]["auxiliary_weight"] == 0.4
    assert shown["params"]["trainable"] == 26_074_004
    assert shown["params"]["by_block"]["aux"] == 3_242_106


@pytest.mark.slow
@contracts.IGNORE_ARRAY_COPY
def test_one_step_with_the_auxiliary_head(monkeypatch):
    """Batches, network and losses of a recipe as a run puts them together."""
    recipe = with_auxiliary(0.4)
    pictures = np.random.default_rng(0).integers(0, 256, (2, 299, 299, 3), dtype=np.uint8)
    batches = tf.data.Dataset.from_tensors((pictures, np.array([2, 0], np.int32)))
    monkeypatch.setattr("landmarks_tf.data.dataset.make_dataset", lambda *_, **__: batches)
    (batch,) = train._training_data(recipe, None, None, 0, 1)

    trainer = networks.build_network(recipe, 3).trainer
    loss, metrics, loss_weights = networks.losses_of(recipe)
    compile_model(trainer, loss=loss, optimizer="sgd", metrics=metrics, loss_weights=loss_weights)
    trainer.run_eagerly = True  # sooner than tracing three hundred layers' gradients
    before = np.array(trainer.get_layer("aux_1x1_conv").kernel)
    logs = trainer.train_on_batch(*batch, return_dict=True)
    assert logs["auxiliary_loss"] > 0.1
    whole = logs["main_loss"] + 0.4 * logs["auxiliary_loss"]
    assert logs["loss"] == pytest.approx(whole, rel=1e-5)
    assert not np.array_equal(before, trainer.get_layer("aux_1x1_conv").kernel)


def test_weight_0_leaves_the_auxiliary_head_out():
    with seeded_weights.no_initial_values():
        trainer = networks.build_network(with_auxiliary(0), 3).trainer
    assert trainer.output.shape == (None, 3)
    assert not [layer.name for layer in trainer.layers if layer.name.startswith("aux")]
