"""Losses over classes as a recipe names them: their settings, and a step of training with each."""

from __future__ import annotations

import dataclasses

import keras
import numpy as np
import pytest

from experiments.config import Data, Experiment, Loss, Model
from experiments.settings import with_setting
from experiments.stages import networks
from landmarks_tf import losses
from landmarks_tf.models.backbones import Backbone
from landmarks_tf.training.fit import compile_model
from tests import contracts

SIZES = np.array([1, 16, 81, 16])

COSINE = Experiment(
    name="small",
    summary="s",
    source="t",
    data=Data(image_size=8),
    model=Model(head="cosine", subcenters=2),
    loss=Loss(name="arcface"),
)
SOFTMAX = dataclasses.replace(COSINE, model=Model(), loss=Loss())

# --set arguments -> the loss that they make.
SETTINGS = {
    ("name=arcface",): losses.ArcFaceLoss(),
    ("name=arcface", "form=easy", "margin=0.3", "scale=16"): losses.ArcFaceLoss(0.3, 16, "easy"),
    ("name=arcface", "form=plain", "label_smoothing=0.1"): losses.ArcFaceLoss(
        form="plain", label_smoothing=0.1
    ),
    ("name=arcface", "dynamic_margin=true", "scale=45"): losses.ArcFaceLoss(
        [0.5, 0.1625, 0.05, 0.1625], 45
    ),
    ("name=cosface", "margin=0.2", "scale=20"): losses.CosFaceLoss(0.2, 20),
    (
        "name=cosface",
        "dynamic_margin=true",
        "margin_low=0",
        "margin_high=0.3",
        "margin_power=0.5",
    ): losses.CosFaceLoss(losses.dynamic_margins(SIZES, 0, 0.3, 0.5)),
    ("name=adacos",): losses.AdaCosLoss(),
    ("name=adacos", "adaptive=true"): losses.AdaCosLoss(adaptive=True),
    ("name=norm_softmax",): losses.NormSoftmaxLoss(),
    ("name=norm_softmax", "temperature=0.1", "label_smoothing=0.1"): losses.NormSoftmaxLoss(
        0.1, label_smoothing=0.1
    ),
    ("name=adacos", "class_weights=true"): losses.ClassWeightedLoss(
        losses.AdaCosLoss(), 1 / np.log(SIZES + 1), name="adacos"
    ),
    ("name=cross_entropy",): losses.CrossEntropyLoss(),
    ("name=cross_entropy", "label_smoothing=0.1", "class_weights=true"): losses.ClassWeightedLoss(
        losses.CrossEntropyLoss(0.1), 1 / np.log(SIZES + 1), name="cross_entropy"
    ),
}


def recipe(*assignments: str) -> Experiment:
    found = SOFTMAX if "name=cross_entropy" in assignments else COSINE
    for assignment in assignments:
        found = with_setting(found, f"loss.{assignment}")
    return found


@pytest.mark.parametrize(("assignments", "expected"), SETTINGS.items())
def test_settings_make_the_loss(assignments, expected):
    loss, metrics, weights = networks.losses_of(recipe(*assignments), SIZES)
    assert type(loss) is type(expected)
    assert loss.get_config() == expected.get_config()
    assert ([metric.name for metric in metrics], weights) == (["accuracy"], None)


@pytest.mark.parametrize("assignments", SETTINGS)
@contracts.IGNORE_ARRAY_COPY
def test_a_step_moves_every_weight(assignments, monkeypatch):
    def tiny(*_, **__):
        pixels = keras.Input((8, 8, 3))
        rows = keras.layers.Conv2D(6, 3, strides=2)(pixels)
        return Backbone("tiny", keras.Model(pixels, rows))

    monkeypatch.setattr(networks, "create_backbone", tiny)
    experiment = recipe(*assignments)
    trainer = networks.build_network(experiment, 4).trainer
    loss, metrics, _ = networks.losses_of(experiment, SIZES)
    compile_model(trainer, loss=loss, optimizer=keras.optimizers.Adam(0.01), metrics=metrics)
    before = [np.array(weight) for weight in trainer.trainable_weights]
    pictures = np.random.default_rng(0).integers(0, 256, (32, 8, 8, 3), dtype=np.uint8)
    labels = np.arange(32, dtype=np.int32) % 4
    first = trainer.train_on_batch(pictures, labels)[0]
    for old, weight in zip(before, trainer.trainable_weights, strict=True):
        assert np.isfinite(weight).all()
        assert not np.array_equal(old, weight), weight.path
    for _ in range(4):
        last = trainer.train_on_batch(pictures, labels)[0]
    assert last < first


def test_a_class_without_training_pictures_counts_as_one():
    loss, *_ = networks.losses_of(recipe("dynamic_margin=true"), np.array([0, 16, 81]))
    np.testing.assert_allclose(loss.margin, [0.5, 0.1625, 0.05], rtol=1e-6)


def test_the_auxiliary_head_gives_logits_whatever_the_main_one_gives():
    experiment = dataclasses.replace(COSINE, model=Model(head="cosine", auxiliary_weight=0.3))
    found, _, _ = networks.losses_of(experiment)
    assert type(found["main"]) is losses.ArcFaceLoss
    assert type(found["auxiliary"]) is losses.CrossEntropyLoss
    smoothed = recipe("name=cross_entropy", "label_smoothing=0.1")
    smoothed = dataclasses.replace(smoothed, model=Model(auxiliary_weight=0.3))
    found, _, _ = networks.losses_of(smoothed)
    assert found["main"] is found["auxiliary"]


def test_refusals():
    def of(*assignments, sizes=SIZES):
        return lambda: networks.losses_of(recipe(*assignments), sizes)

    contracts.check_refusals(
        {
            "norm_softmax loss reads temperature": of("name=norm_softmax", "margin=0.3"),
            "Received: loss.form='easy'": of("name=cosface", "form=easy"),
            "Received: loss.dynamic_margin=True": of("name=adacos", "dynamic_margin=true"),
            "loss.margin_low belongs to margins by class size": of("margin_low=0.1"),
            "margin_high. Received also: loss.margin=0.3": of("dynamic_margin=true", "margin=0.3"),
            "0.4992 radians": of("dynamic_margin=true", "margin_high=28.6"),
            "loss.dynamic_margin=true needs the number": of("dynamic_margin=true", sizes=None),
            "loss.class_weights=true needs the number": of("class_weights=true", sizes=None),
            "hard, easy, plain. Received: form='soft'": of("form=soft"),
        }
    )
