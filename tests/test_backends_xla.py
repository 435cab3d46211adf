"""A training step of every head and loss compiles under XLA, with static shapes, and is the same.

TPUs run nothing else. There is none here: what is shown is that the step compiles for this
machine's processor.
"""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf

from experiments.config import Data, Evaluation, Experiment, Loss, Model, Train
from experiments.stages import devices, margin_schedules, networks
from landmarks_tf.layers import BatchNorm
from landmarks_tf.models import backbones, feature_maps
from landmarks_tf.training.optimizers import create_optimizer

P, K, CLASSES = 4, 2, 11
LABELS = np.repeat([7, 2, 10, 0], K).astype(np.int32)

# Beside each loss at its defaults.
VARIANTS = {
    "arcface by class size": ("arcface", {"dynamic_margin": True, "class_weights": True}),
    "arcface by the step": (
        "arcface",
        {"margin_schedule": "linear", "margin_values": (0.1, 0.4), "margin_steps": (0, 9)},
    ),
    "triplet, all of them": ("triplet", {"mining": "all", "average": "nonzero"}),
    "triplet, hard": ("triplet", {"mining": "hard", "soft_margin": True}),
    "adacos, fixed": ("adacos", {"adaptive": False, "label_smoothing": 0.1}),
}
CASES = {name: (name, {}) for name in networks._LOSSES} | VARIANTS


def features(x):
    """One convolution with its batch norm."""
    x = BatchNorm(name="bn")(keras.layers.Conv2D(4, 3, strides=4, name="conv")(x))
    return feature_maps.FeatureMaps(keras.layers.Activation("gelu", name="act")(x))


def features_for_a_decoder(x):
    """Maps of sides 16, 8, 4 and 2, then one position."""
    skips = []
    for number in range(5):
        x = keras.layers.Conv2D(4, 3, strides=2, padding="same", name=f"conv{number}")(x)
        skips.append(x)
    return feature_maps.FeatureMaps(x, skips=tuple(skips[:4]))


def recipe(loss: str, settings: dict, micro_batches: int) -> Experiment:
    head = networks._LOSSES[loss][0]
    pooling, neck = ("gem", ("dense", "batch_norm")) if head != "reconstruction" else ("avg", ())
    return Experiment(
        name="xla",
        summary="s",
        source="t",
        data=Data(
            image_size=32,
            sampling="class_balanced",
            batch_size=P * K,
            classes_per_batch=P,
            images_per_class=K,
        ),
        model=Model(
            backbone="tiny_skips" if head == "reconstruction" else "tiny",
            head=head,
            pooling=pooling,
            neck=neck,
            embedding_dim=6 if neck else None,
            dropout=0.0,
            subcenters=2 if head == "cosine" else 1,
        ),
        loss=Loss(name=loss, **settings),
        train=Train(micro_batches=micro_batches),
        evaluation=Evaluation(recognition="knn"),
    )


def stepped(experiment: Experiment, **compiling):
    """Loss and weights after two steps, the second of which has slots that are no zeros."""
    loss, metrics, _ = networks.losses_of(experiment, np.arange(1, CLASSES + 1))
    trainer = networks.build_network(experiment, CLASSES).trainer
    margin_schedules.follow_steps(loss, trainer)
    optimizer = create_optimizer("sgd", 0.05, clip_global_norm=1.0)
    trainer.compile(optimizer=optimizer, loss=loss, metrics=metrics, **compiling)
    devices.use_parts(experiment, trainer)
    images = np.random.default_rng(0).integers(0, 256, (P * K, 32, 32, 3), dtype=np.uint8)
    losses = [np.ravel(trainer.train_on_batch(images, LABELS))[0] for _ in range(2)]
    return losses, [np.asarray(w) for w in trainer.weights]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("case", "micro_batches"),
    [(case, 1) for case in CASES] + [("arcface by the step", 2), ("ge2e", 2)],
)
def test_a_step_compiled_by_xla_is_the_step(case, micro_batches, monkeypatch):
    for name, maps in (("tiny", features), ("tiny_skips", features_for_a_decoder)):
        entry = backbones.BackboneEntry(maps, min_image_size=32)
        monkeypatch.setitem(backbones.BACKBONES, name, entry)
    experiment = recipe(*CASES[case], micro_batches)
    losses, weights = stepped(experiment, jit_compile=True)
    expected_losses, expected = stepped(experiment, run_eagerly=True, jit_compile=False)
    assert np.isfinite(losses).all() and losses[0] != losses[1]
    np.testing.assert_allclose(losses, expected_losses, rtol=2e-4)
    for left, right in zip(weights, expected, strict=True):
        np.testing.assert_allclose(left, right, rtol=2e-3, atol=2e-4)


def test_xla_is_there():
    """Were it missing, `jit_compile=True` would be no check."""

    @tf.function(jit_compile=True)
    def as_text(x):
        return tf.strings.as_string(x)

    with pytest.raises(tf.errors.InvalidArgumentError, match="XLA"):
        as_text(tf.constant([1, 2]))
