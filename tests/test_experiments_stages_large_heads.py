"""Recipes whose loss computes the scores: the same training, settings, and what is refused."""

from __future__ import annotations

import dataclasses

import keras
import numpy as np
import pytest
import tensorflow as tf

from experiments.config import Data, Experiment, Loss, Model, Train
from experiments.settings import with_setting
from experiments.stages import large_heads, networks
from experiments.stages.margin_schedules import follow_steps
from experiments.stages.optimization import optimizer_of
from landmarks_tf import losses
from landmarks_tf.models.backbones import Backbone
from landmarks_tf.training.fit import compile_model
from tests import contracts

SIZES = np.array([1, 16, 81, 16])
ARCFACE = Experiment(
    name="small",
    summary="s",
    source="t",
    data=Data(image_size=8),
    model=Model(head="cosine", subcenters=2),
    loss=Loss(name="arcface", scale=10.0, class_weights=True),
)


def recipe(*assignments: str) -> Experiment:
    found = ARCFACE
    for assignment in assignments:
        found = with_setting(found, assignment)
    return found


@pytest.fixture(autouse=True)
def tiny_backbone(monkeypatch):
    def tiny(*_, **__):
        pixels = keras.Input((8, 8, 3))
        rows = keras.layers.Conv2D(6, 3, strides=2, name="conv")(pixels)
        return Backbone("tiny", keras.Model(pixels, rows), auxiliary_tap=None)

    monkeypatch.setattr(networks, "create_backbone", tiny)


def trained(experiment: Experiment, steps: int = 4):
    """The trainer after some steps on a data set as the engine has it, and each step's logs."""
    trainer = networks.build_network(experiment, 4).trainer
    loss, metrics, weights = networks.losses_of(experiment, SIZES)
    follow_steps(loss, trainer)
    large_heads.follow_centers(loss, trainer)
    compile_model(
        trainer,
        loss=loss,
        optimizer=keras.optimizers.Adam(0.02),
        metrics=metrics,
        loss_weights=weights,
    )
    pictures = np.random.default_rng(0).integers(0, 256, (64, 8, 8, 3), dtype=np.uint8)
    labels = np.arange(64, dtype=np.int32) % 4
    batches = tf.data.Dataset.from_tensor_slices((pictures, labels)).batch(16, drop_remainder=True)
    history = trainer.fit(
        batches.repeat(), epochs=steps, steps_per_epoch=4, shuffle=False, verbose=0
    ).history
    return trainer, history, pictures


def test_fused_and_streamed_are_the_same_training():
    schedule = (
        "loss.margin_schedule=linear",
        "loss.margin_values=0.1,0.4",
        "loss.margin_steps=0,9",
    )
    apart, expected, pictures = trained(recipe(*schedule))
    scores = networks.class_scores(ARCFACE, apart).predict(pictures, verbose=0)
    for form in losses.SOFTMAX_FORMS:
        experiment = recipe(*schedule, f"loss.softmax={form}")
        trainer, found, _ = trained(experiment)
        assert found.keys() == expected.keys()
        np.testing.assert_allclose(found["loss"], expected["loss"], rtol=1e-3)
        np.testing.assert_allclose(found["accuracy"], expected["accuracy"], atol=0.02)
        # A checkpoint of the one is a checkpoint of the other.
        assert [w.path for w in trainer.weights] == [w.path for w in apart.weights]
        ours = networks.class_scores(experiment, trainer)
        np.testing.assert_allclose(ours.predict(pictures, verbose=0), scores, atol=2e-3)


@contracts.IGNORE_ARRAY_COPY
def test_sampled_classes_train_all_and_are_evaluated_whole(tmp_path):
    experiment = recipe("loss.sample_rate=0.9", "loss.class_weights=false")
    many = dataclasses.replace(experiment, model=Model(head="cosine"))
    trainer, history, pictures = trained(many, steps=6)
    assert history["loss"][-1] < history["loss"][0]
    assert "sampled_accuracy" in history
    trainer.save(tmp_path / "trainer.keras")
    loaded = keras.saving.load_model(tmp_path / "trainer.keras", compile=False)
    before, after = (
        networks.class_scores(many, model).predict(pictures, verbose=0)
        for model in (trainer, loaded)
    )
    np.testing.assert_array_equal(before, after)
    assert before.shape == (64, 4) and np.abs(before).max() <= 1 + 1e-5


def test_settings_make_the_loss():
    for assignments, form in (
        (("loss.softmax=streamed",), "streamed"),
        (("loss.sample_rate=0.1",), "fused"),
        (("loss.sample_rate=0.1", "loss.softmax=streamed"), "streamed"),
    ):
        loss, metrics, _ = networks.losses_of(recipe(*assignments), SIZES)
        assert type(loss) is losses.CenterLoss and loss.form == form and metrics == []
        assert type(loss.loss) is losses.ClassWeightedLoss
        assert loss.classes_per_batch is None
    balanced = ("data.sampling=class_balanced", "data.classes_per_batch=2")
    loss, _, _ = networks.losses_of(recipe("loss.sample_rate=0.1", *balanced), SIZES)
    assert loss.classes_per_batch == 2
    assert type(networks.losses_of(ARCFACE, SIZES)[0]) is losses.ClassWeightedLoss
    auxiliary = dataclasses.replace(
        recipe("loss.softmax=fused"), model=Model(head="cosine", auxiliary_weight=0.3)
    )
    found, metrics, _ = networks.losses_of(auxiliary, SIZES)
    assert type(found["main"]) is losses.CenterLoss and metrics == {"main": []}
    assert type(found["auxiliary"]) is losses.CrossEntropyLoss


def test_only_the_sampled_centres_are_stepped():
    experiment = recipe("loss.sample_rate=0.1", "train.lazy_centers=true", "train.optimizer=adamw")
    assert optimizer_of(experiment, 10).lazy_weight == "cosines/centers"
    assert optimizer_of(recipe("loss.sample_rate=0.1"), 10).lazy_weight is None
    trainer = networks.build_network(experiment, 4).trainer
    optimizer_of(experiment, 10).build(trainer.trainable_variables)  # there is such a weight


def test_refusals():
    lazy = ("train.lazy_centers=true", "loss.sample_rate=0.1")
    split = dataclasses.replace(recipe("loss.softmax=fused"), train=Train(shard_centers=True))
    triplet = dataclasses.replace(
        ARCFACE, model=Model(head="embedding"), loss=Loss(name="triplet", softmax="fused")
    )
    adaptive = Loss(name="adacos", adaptive=True, softmax="fused")
    contracts.check_refusals(
        {
            "Received: loss.sample_rate=0.0": lambda: networks.losses_of(
                recipe("loss.sample_rate=0"), SIZES
            ),
            "Received: loss.sample_rate=10.0": lambda: networks.losses_of(
                recipe("loss.sample_rate=10"), SIZES
            ),
            "form='whole'": lambda: networks.losses_of(recipe("loss.softmax=whole"), SIZES),
            "Received: loss.softmax='fused'": lambda: networks.losses_of(triplet),
            "reads all cosines of a batch": lambda: networks.losses_of(
                dataclasses.replace(ARCFACE, loss=adaptive)
            ),
            "below 1, say 0.1. Received: loss.sample_rate=None": lambda: optimizer_of(
                recipe(lazy[0]), 10
            ),
            "below 1, say 0.1. Received: loss.sample_rate=1.0": lambda: optimizer_of(
                recipe(lazy[0], "loss.sample_rate=1"), 10
            ),
            "one of the two. Received also: train.ema_momentum=0.9": lambda: optimizer_of(
                recipe(*lazy, "train.ema_momentum=0.9"), 10
            ),
            "train.shard_centers=true splits": lambda: networks.build_network(split, 4),
        }
    )
