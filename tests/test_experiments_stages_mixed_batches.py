"""Mixup and CutMix as recipes set them: the losses that take them, batches, training, trials."""

from __future__ import annotations

import dataclasses

import keras
import numpy as np
import pytest
import tensorflow as tf

from experiments.config import Data, Experiment, Loss, Model
from experiments.settings import with_setting
from experiments.stages import networks
from experiments.stages.mixed_batches import mixed_batches
from experiments.stages.train import _training_data
from experiments.stages.trials import _without_hindrances
from landmarks_tf import losses
from landmarks_tf.data import sampling
from landmarks_tf.records import RecordIndex
from landmarks_tf.training.fit import compile_model
from tests import contracts

pytestmark = contracts.IGNORE_ARRAY_COPY

SIZES = np.array([1, 16, 81, 16])
SOFTMAX = Experiment(
    name="small",
    summary="s",
    source="t",
    data=Data(image_size=16, resize="squash", batch_size=8),
)
COSINE = dataclasses.replace(SOFTMAX, model=Model(head="cosine"), loss=Loss(name="norm_softmax"))


def recipe(base: Experiment, *assignments: str) -> Experiment:
    for assignment in assignments:
        base = with_setting(base, assignment)
    return base


def test_without_a_setting_nothing_changes():
    loss, (accuracy,), _ = networks.losses_of(SOFTMAX, SIZES)
    assert type(loss) is losses.CrossEntropyLoss
    assert type(accuracy) is keras.metrics.SparseCategoricalAccuracy
    batches = tf.data.Dataset.range(3)
    assert mixed_batches(batches, SOFTMAX, 0) is batches


@pytest.mark.parametrize(
    ("base", "settings", "inner"),
    [
        (SOFTMAX, ["data.mixup=0.2"], losses.CrossEntropyLoss),
        (COSINE, ["data.cutmix=1"], losses.NormSoftmaxLoss),
        (SOFTMAX, ["data.mixup=0.2", "loss.class_weights=true"], losses.ClassWeightedLoss),
    ],
)
def test_a_loss_that_is_linear_in_the_target_is_wrapped(base, settings, inner):
    loss, (accuracy,), _ = networks.losses_of(recipe(base, *settings), SIZES)
    assert type(loss) is losses.MixedLoss
    assert type(loss.loss) is inner
    assert type(accuracy) is losses.MixedAccuracy
    assert accuracy.name == "accuracy"


def test_the_auxiliary_head_has_mixed_labels_too():
    with_head = recipe(SOFTMAX, "data.mixup=0.2", "model.auxiliary_weight=0.3")
    loss, metrics, _ = networks.losses_of(with_head, SIZES)
    assert [type(loss[name]) for name in ("main", "auxiliary")] == [losses.MixedLoss] * 2
    assert type(metrics["main"][0]) is losses.MixedAccuracy


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (["loss.name=arcface"], r"data.mixup gives pictures of two classes.*loss.name=arcface.*"),
        (["loss.name=adacos"], r"loss.name=adacos"),
        (["loss.softmax=fused"], r"norm_softmax computed from the class centres"),
        (["data.mixup=-1"], r"data.mixup is the a of Beta\(a, a\)"),
    ],
)
def test_a_loss_of_one_class_is_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        networks.losses_of(recipe(COSINE, "data.mixup=0.2", *settings), SIZES)


def test_pairs_are_refused():
    pairs = recipe(
        SOFTMAX, "data.cutmix=1", "model.head=embedding", "loss.name=triplet",
        "evaluation.recognition=knn", "data.sampling=class_balanced", "data.classes_per_batch=4",
        "data.images_per_class=2",
    )  # fmt: skip
    with pytest.raises(ValueError, match=r"data.cutmix gives pictures of two classes"):
        networks.losses_of(pairs)


def test_a_trial_by_heart_mixes_nothing():
    data = _without_hindrances(recipe(SOFTMAX, "data.mixup=0.2", "data.cutmix=1")).data
    assert (data.mixup, data.cutmix) == (0.0, 0.0)


def test_a_training_step_on_mixed_records(demo_records):
    index = RecordIndex.open(demo_records, "train")
    mixing = recipe(SOFTMAX, "data.mixup=0.3", "data.cutmix=1", "train.seed=4")
    plan = sampling.shuffled(len(index), batch_size=8, seed=0)
    batches = list(_training_data(mixing, index, plan, 2, 5).as_numpy_iterator())
    again = next(iter(_training_data(mixing, index, plan, 4, 5)))
    np.testing.assert_array_equal(batches[2][0], again[0])  # a run that was killed at step 4
    np.testing.assert_array_equal(batches[2][1], again[1])
    for step, (images, targets) in enumerate(batches, start=2):
        assert (images.shape, images.dtype) == ((8, 16, 16, 3), np.uint8)
        np.testing.assert_array_equal(targets[:, 0], index.label[plan.batch(step)])
    num_classes = int(index.label.max()) + 1
    pixels = keras.Input((16, 16, 3))
    scores = keras.layers.Dense(num_classes)(keras.layers.Flatten()(pixels / 255.0))
    model = keras.Model(pixels, scores)
    loss, metrics, _ = networks.losses_of(mixing, np.bincount(index.label))
    compile_model(model, loss=loss, optimizer=keras.optimizers.SGD(0.0), metrics=metrics)
    logits = model.predict_on_batch(batches[0][0])
    found = model.train_on_batch(*batches[0], return_dict=True)
    log = logits - np.log(np.exp(logits).sum(1, keepdims=True))
    first, other, share = batches[0][1].T
    rows = np.arange(8)
    expected = -(share * log[rows, first.astype(int)] + (1 - share) * log[rows, other.astype(int)])
    assert found["loss"] == pytest.approx(expected.mean(), rel=1e-4)
    larger = np.where(share >= 0.5, first, other)
    assert found["accuracy"] == pytest.approx((logits.argmax(1) == larger).mean())
