"""Losses that compute the scores themselves: as the layer and the loss apart, and in training."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from landmarks_tf.layers import CenterCosines, ClassCenters, CosineClassifier
from landmarks_tf.losses import (
    AdaCosLoss,
    ArcFaceLoss,
    CenterLoss,
    ClassWeightedLoss,
    CosFaceLoss,
    CrossEntropyLoss,
    MarginSchedule,
    NormSoftmaxLoss,
    dynamic_margins,
)
from landmarks_tf.losses.center_loss import chunk_classes
from landmarks_tf.losses.sampled_classes import sample_classes
from tests import center_heads, contracts

CLASSES, SUBCENTERS, DIM = 12, 2, 6
SIZES = np.arange(1, CLASSES + 1)
LOSSES = {
    "arcface": ArcFaceLoss(0.4, 16.0, label_smoothing=0.1),
    "arcface by size": ArcFaceLoss(dynamic_margins(SIZES), 16.0, form="easy"),
    "arcface by step": ArcFaceLoss(MarginSchedule([0.1, 0.3], [0, 10]), 16.0),
    "cosface": CosFaceLoss(0.2, 16.0),
    "adacos": AdaCosLoss(),
    "norm_softmax": NormSoftmaxLoss(0.1),
    "weighted": ClassWeightedLoss(ArcFaceLoss(0.4, 16.0), 1 / SIZES),
}


def data(rows: int = 24):
    """(B, 5) inputs that tell the class, (B,) labels."""
    random = np.random.default_rng(0)
    labels = np.arange(rows, dtype=np.int32) % CLASSES
    means = random.normal(size=(CLASSES, 5))
    return (means[labels] + 0.3 * random.normal(size=(rows, 5))).astype(np.float32), labels


def network(head: keras.layers.Layer) -> keras.Model:
    inputs = keras.Input((5,))
    embeddings = keras.layers.Dense(DIM, name="embedding")(inputs)
    model = keras.Model(inputs, head(embeddings))
    random = np.random.default_rng(1)
    for weight in model.weights:
        weight.assign(random.normal(size=weight.shape))
    return model


def trained(model: keras.Model, loss, steps: int = 5, **options) -> list[float]:
    optimizer = keras.optimizers.SGD(0.5, momentum=0.9)
    model.compile(optimizer, loss, jit_compile=False, **options)
    x, y = data()
    history = model.fit(x, y, batch_size=len(x), epochs=steps, shuffle=False, verbose=0)
    return history.history


@pytest.mark.parametrize("name", LOSSES)
def test_trains_as_the_layer_and_the_loss_apart(name):
    apart = network(CosineClassifier(CLASSES, SUBCENTERS))
    metrics = [keras.metrics.SparseCategoricalAccuracy(name="accuracy")]
    expected = trained(apart, LOSSES[name], metrics=metrics)
    forms = ("fused", "streamed") if name == "arcface" else ("fused",)
    for form in forms:
        head = ClassCenters(CLASSES, SUBCENTERS)
        together, loss = network(head), CenterLoss(LOSSES[name], form)
        loss.follow(head)
        found = trained(together, loss)
        np.testing.assert_allclose(found["loss"], expected["loss"], rtol=1e-4)
        np.testing.assert_allclose(found["accuracy"], expected["accuracy"])
        for left, right in zip(together.weights, apart.weights, strict=True):
            np.testing.assert_allclose(np.asarray(left), np.asarray(right), atol=1e-4)


def test_a_larger_batch_has_smaller_chunks():
    assert [chunk_classes(b, k) for b, k in ((256, 1), (512, 1), (256, 4))] == [4096, 2048, 1024]
    assert chunk_classes(10**6) == 64 and chunk_classes(None) == 4096


def test_a_label_out_of_range_is_nan_in_its_own_row_and_no_hit():
    head = ClassCenters(4)
    rows = np.eye(4, dtype=np.float32)
    head.build(rows.shape)
    head.centers.assign(rows)
    loss = CenterLoss(ArcFaceLoss(), reduction="none")
    loss.follow(head)
    losses = np.asarray(loss(np.float32([0, 4, -1, np.nan]), rows))
    assert np.isnan(losses).tolist() == [False, True, True, True]
    assert float(head.accuracy.result()) == 0.25


def test_sampled_training_learns_as_much_and_goes_on_as_it_was():
    """Half of the classes a step. Its random state is a variable, so a copy goes on the same."""
    x, y = data(240)

    def fit(steps, state=None, rate=0.5):
        keras.utils.set_random_seed(1)
        head = ClassCenters(CLASSES, 1, sample_rate=rate, seed=7)
        model, loss = network(head), CenterLoss(ArcFaceLoss(0.2, 16.0))
        loss.follow(head)
        model.compile(keras.optimizers.SGD(0.2), loss, jit_compile=False)
        if state is not None:
            for variable, value in zip(model.variables, state, strict=True):
                variable.assign(value)
        for step in range(*steps):
            rows = np.arange(4) + 4 * (step % 60)
            logs = model.train_on_batch(x[rows], y[rows], return_dict=True)
        cosines = np.asarray(CenterCosines(head)(model.predict(x, verbose=0)))
        return (
            [np.asarray(v).copy() for v in model.variables],
            (cosines.argmax(1) == y).mean(),
            logs,
        )

    half, _, _ = fit((0, 90))
    once, accuracy, logs = fit((0, 180))
    twice, _, _ = fit((90, 180), half)
    for left, right in zip(once, twice, strict=True):
        np.testing.assert_array_equal(left, right)
    _, whole, _ = fit((0, 180), rate=1.0)
    assert "sampled_accuracy" in logs and "accuracy" not in logs
    assert whole > 0.9 and accuracy > whole - 0.03, (whole, accuracy)


@pytest.mark.parametrize(
    ("labels", "size"), [([5, 5, 9, 9, 5, 9], 3), ([0, 5, 9, 11, 9, 0], 3)], ids=["kept", "broken"]
)
def test_a_sample_with_room_for_the_classes_of_the_batch_alone(labels, size):
    """A quarter of 12 classes; the batch is said to have 2, and has 2, or 4 and no room for one."""
    labels = np.int32(labels)
    _, rows, centers = center_heads.head(len(labels), CLASSES, 4)
    head = ClassCenters(CLASSES, sample_rate=0.25, seed=3)
    head.build(rows.shape)
    head.centers.assign(centers)
    arcface = ArcFaceLoss(center_heads.MARGIN, center_heads.SCALE)
    loss = CenterLoss(arcface, classes_per_batch=2, reduction="none")
    loss.follow(head)
    again = keras.random.SeedGenerator(0)
    again.state.assign(head.seed_generator.state)
    head(rows, training=True)
    found = np.asarray(loss(labels, rows))
    classes = np.asarray(sample_classes(labels, CLASSES, size, again)[0])
    has_room = np.isin(labels, classes)
    assert has_room.all() == (len(set(labels.tolist())) == 2)
    assert np.isnan(found).tolist() == (~has_room).tolist()
    places = np.searchsorted(classes, labels[has_room])
    expected = center_heads.expected(places, rows[has_room], centers[classes])
    np.testing.assert_allclose(found[has_room], expected, rtol=2e-5, atol=1e-6)


def test_evaluation_reads_all_classes():
    x, y = data()
    head = ClassCenters(CLASSES, sample_rate=0.5)
    model, loss = network(head), CenterLoss(ArcFaceLoss())
    loss.follow(head)
    model.compile("sgd", loss, jit_compile=False)
    whole = CosineClassifier(CLASSES)
    whole.build((None, DIM))
    whole.centers.assign(head.centers)
    expected = ArcFaceLoss()(y, whole(model.predict(x, verbose=0)))
    for _ in range(2):
        found = model.evaluate(x, y, batch_size=len(x), verbose=0, return_dict=True)
        np.testing.assert_allclose(found["loss"], expected, rtol=1e-5)


@contracts.IGNORE_ARRAY_COPY
def test_saved_without_its_head(tmp_path):
    head = ClassCenters(CLASSES)
    model, loss = network(head), CenterLoss(LOSSES["weighted"], "streamed")
    loss.follow(head)
    trained(model, loss, steps=1)
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    x, y = data()
    rows = loaded.predict(x, verbose=0)
    contracts.check_refusals({"Call follow(layer)": lambda: loaded.loss(y, rows)})
    loaded.loss.follow(loaded.layers[-1])
    np.testing.assert_allclose(loaded.loss(y, rows), loss(y, model.predict(x, verbose=0)))
    contracts._check_config(loaded.loss)


def test_refusals():
    contracts.check_refusals(
        {
            "reads logits": lambda: CenterLoss(CrossEntropyLoss()),
            "reads all cosines of a batch": lambda: CenterLoss(AdaCosLoss(adaptive=True)),
            "Received: loss='mse'": lambda: CenterLoss("mse"),
            "form='whole'": lambda: CenterLoss(ArcFaceLoss(), "whole"),
            "classes_per_batch=0": lambda: CenterLoss(ArcFaceLoss(), classes_per_batch=0),
            "dtype='float16'": lambda: CenterLoss(ArcFaceLoss(), dtype="float16"),
        }
    )
