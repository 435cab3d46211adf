"""One batch learnt by heart, and each way of not learning told apart."""

from __future__ import annotations

import re

import keras
import numpy as np
import pytest

from landmarks_tf.layers import CosineClassifier, L2Normalization
from landmarks_tf.losses import ArcFaceLoss, TripletLoss
from landmarks_tf.training.overfit import overfit_one_batch

SIDE, CLASSES, B = 8, 4, 16


def batch():
    """Pictures of noise, so that nothing but memory helps."""
    random = np.random.default_rng(0)
    return random.integers(0, 256, (B, SIDE, SIDE, 3)).astype(np.uint8), np.arange(B) % CLASSES


def network(kind="arcface", *, rate=3e-3, scale=1 / 255, hidden="relu", optimizer="adam"):
    """(trainer, embedder) with a head for classes, or none for "triplet"."""
    keras.utils.set_random_seed(0)
    pixels = keras.Input((SIDE, SIDE, 3))
    x = keras.layers.Rescaling(scale)(pixels)
    x = keras.layers.Dense(32, activation=hidden, name="hidden")(keras.layers.Flatten()(x))
    rows = L2Normalization()(keras.layers.Dense(16, name="rows")(x))
    embedder = keras.Model(pixels, rows)
    if kind == "triplet":
        trainer, loss, metrics = embedder, TripletLoss(), []
    else:
        trainer = keras.Model(pixels, CosineClassifier(CLASSES)(rows))
        loss, metrics = ArcFaceLoss(), [keras.metrics.SparseCategoricalAccuracy(name="accuracy")]
    optimizer = {"adam": keras.optimizers.Adam, "sgd": keras.optimizers.SGD}[optimizer](rate)
    trainer.compile(optimizer, loss, metrics=metrics, jit_compile=False)
    return trainer, embedder


def check(trainer, embedder, images=None, labels=None, **options):
    own_images, own_labels = batch()
    images = own_images if images is None else images
    labels = own_labels if labels is None else labels
    return overfit_one_batch(
        trainer, images, labels, embedder=embedder, labels=labels, **{"steps": 120} | options
    )


@pytest.mark.parametrize("kind", ["arcface", "triplet"])
def test_a_sound_network_passes_and_stops_there(kind):
    report = check(*network(kind))
    assert report.passed and report.problems == ()
    assert report.recognised == 1.0
    assert report.last_loss <= 0.1 * report.first_loss
    assert report.first_loss == report.losses[0]
    assert 5 < report.steps == len(report.losses) < 120


def test_a_loss_that_cannot_be_zero_is_judged_from_its_lowest():
    trainer, embedder = network()
    smoothed = keras.losses.CategoricalCrossentropy(from_logits=True, label_smoothing=0.2)
    images, labels = batch()
    targets = keras.utils.to_categorical(labels, CLASSES)
    # 0.85 and three times 0.05: no logits make the loss smaller than their entropy.
    entropy = -(0.85 * np.log(0.85) + 3 * 0.05 * np.log(0.05))
    rescaled = keras.Model(trainer.input, keras.layers.Rescaling(10.0)(trainer.output))
    rescaled.compile(keras.optimizers.Adam(3e-3), smoothed, metrics=["accuracy"], jit_compile=False)
    report = overfit_one_batch(
        rescaled, images, targets, embedder=embedder, labels=labels, steps=150,
        lowest_loss=float(entropy),
    )  # fmt: skip
    assert report.passed
    assert report.last_loss > entropy


# --- what is wrong -------------------------------------------------------------------------------


def only_problem(report):
    assert not report.passed
    (problem,) = report.problems
    return problem


def test_everything_frozen():
    trainer, embedder = network()
    trainer.trainable = False
    assert only_problem(check(trainer, embedder)) == (
        "No weight is trainable: every layer is frozen."
    )


def test_too_high_a_rate():
    problems = check(*network(rate=3e38, optimizer="sgd"), steps=30).problems
    assert "became nan in step 2 at a learning rate of 3e+38: lower it" in problems[0]
    problem = check(*network(rate=30.0, hidden="tanh"), steps=60).problems[-1]
    assert re.search("the learning rate of 30 (is too high|does not fit)", problem)


def test_too_low_a_rate():
    problem = only_problem(check(*network(rate=1e-6), steps=60))
    assert "falls still (near zero would be 1.59): the learning rate of 1e-06 is low" in problem


def test_no_rate_at_all():
    problems = check(*network(rate=0.0), steps=12).problems
    assert problems[0] == "No weight has moved at a learning rate of 0: no gradient arrives."


def test_labels_that_contradict_each_other():
    images, labels = batch()
    images[5] = images[2]
    report = check(*network(), images, labels, steps=40)
    assert report.recognised < 1
    assert "1 picture(s) of the batch stand in it twice with different labels" in report.problems[0]
    assert "for instance [1, 2]" in report.problems[0]


def test_a_label_that_is_no_class():
    images, labels = batch()
    labels[3] = CLASSES
    problem = check(*network(), images, labels, steps=10).problems[0]
    assert problem.startswith("The loss is nan before any update: look for a label that is no cla")


def test_a_dead_network():
    trainer, embedder = network()
    hidden = embedder.get_layer("hidden")
    hidden.bias.assign(np.full(32, -1e6, np.float32))
    embedder.get_layer("rows").bias.assign(np.ones(16, np.float32))
    problems = check(trainer, embedder, steps=15).problems
    assert "trainable weights have not moved: no gradient reaches hidden/kernel" in problems[0]
    assert "gives all pictures the same row: it is dead" in problems[1]


def test_pictures_that_are_all_the_same():
    images, labels = batch()
    images[:] = images[0]
    problems = check(*network(), images, labels, steps=10).problems
    assert "stand in it twice with different labels" in problems[0]
    assert "All pictures of the batch are the same: look at the data." in problems


def test_a_part_without_gradient_is_named():
    trainer, embedder = network(rate=1e-5)
    unused = keras.layers.Dense(3, name="unused")
    nothing = unused(embedder.output)[:, :1] * 0.0
    model = keras.Model(trainer.input, trainer.output + nothing)
    model.compile("adam", ArcFaceLoss(), metrics=["accuracy"], jit_compile=False)
    problems = check(model, embedder, steps=6).problems
    assert any("no gradient reaches unused/kernel, unused/bias." in one for one in problems)


@pytest.mark.parametrize(("pictures", "message"), [(1, "1 picture"), (4, "4 picture.* 1 class")])
def test_a_batch_that_tells_nothing(pictures, message):
    images, _ = batch()
    with pytest.raises(ValueError, match=f"at least two pictures of two classes.*{message}"):
        check(*network(), images[:pictures], np.zeros(pictures, int))
