"""Steps of the rows with a gradient: by hand, in float64, beside dense steps, and resumed.

tests/test_training_distribution.py has two replicas.
"""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf

from landmarks_tf.layers import ClassCenters
from landmarks_tf.losses import ArcFaceLoss, CenterLoss
from landmarks_tf.training.checkpoints import Checkpoints, training_state
from landmarks_tf.training.fit import compile_model
from landmarks_tf.training.lazy_rows import joined, summed_rows, without_repeats
from landmarks_tf.training.micro_batches import use_micro_batches
from landmarks_tf.training.optimizers import OPTIMIZERS, SGD, AdamW, create_optimizer
from tests import contracts
from tests.reference.lazy_steps import Rows

pytestmark = contracts.IGNORE_ARRAY_COPY

N, D = 9, 3
CENTERS = "cosines/centers"


def slices(rows, values):
    return tf.IndexedSlices(
        tf.constant(values, tf.float32), tf.constant(rows, tf.int32), tf.constant([N, D])
    )


def weight_of(values):
    return keras.Variable(np.asarray(values, np.float32), name="centers")


def optimizer(name: str, lazy: bool = True, **options):
    decay = {"weight_decay": 0.3} if name != "sgd" else {}
    lazy_weight = "centers" if lazy else None
    return create_optimizer(name, 0.05, **(decay | options), lazy_weight=lazy_weight)


def test_by_hand():
    lazy, dense = (SGD(0.1, momentum=0.9, lazy_weight=of) for of in ("centers", None))
    found = []
    for one in (lazy, dense):
        weight = weight_of(np.ones((N, D)))
        for row in (2, 5, 2):
            one.apply([slices([row], np.ones((1, D)))], [weight])
        found.append(np.asarray(weight)[:, 0])
    # Velocities -0.1, then -0.19 in the row's second step; the dense one moved on between.
    np.testing.assert_allclose(found[0][[2, 5, 0]], [1 - 0.1 - 0.19, 0.9, 1.0], rtol=1e-6)
    np.testing.assert_allclose(found[1][2], 1 - 0.1 - 0.09 - (0.081 + 0.1), rtol=1e-6)
    np.testing.assert_allclose(found[1][5], 1 - 0.1 - 0.09, rtol=1e-6)


@pytest.mark.parametrize(
    ("name", "jit"), [*((name, False) for name in OPTIMIZERS), ("adamw", True)]
)
def test_equals_the_rows_in_float64(name, jit):
    random = np.random.default_rng(0)
    start = random.normal(size=(N, D))
    expected = Rows(start, name, decay=0.0 if name == "sgd" else 0.3)
    ours, weight, other = optimizer(name), weight_of(start), keras.Variable(np.ones(2, np.float32))
    ours.build([other, weight])

    @tf.function(jit_compile=jit)
    def step(rows, values):
        gradient = tf.IndexedSlices(values, rows, tf.constant([N, D]))
        ours.apply([tf.ones(2), gradient], [other, weight])

    for _ in range(12):
        rows = random.integers(0, N - 1, 5)  # some of them twice, the last never
        values = random.normal(size=(5, D)) * 10.0 ** random.integers(-3, 3)
        expected.step(rows, values, 0.05)
        step(tf.constant(rows, tf.int32), tf.constant(values, tf.float32))
    np.testing.assert_allclose(weight, expected.weight, rtol=2e-5, atol=2e-6)
    slots = [np.asarray(slot) for slot in ours.slots_at(1)]
    for found, moments in zip(slots, (expected.first, expected.second), strict=False):
        np.testing.assert_allclose(found, moments, rtol=2e-5, atol=1e-6)
    np.testing.assert_array_equal(np.asarray(weight)[N - 1], start[N - 1].astype(np.float32))
    assert not any(slot[N - 1].any() for slot in slots)
    # The other weight is stepped as ever, decay and all.
    dense, alone = optimizer(name, lazy=False), keras.Variable(np.ones(2, np.float32))
    for _ in range(12):
        dense.apply([tf.ones(2)], [alone])
    np.testing.assert_allclose(other, alone, rtol=1e-6)


@pytest.mark.parametrize("options", [{}, {"clip_global_norm": 0.5}])
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_with_a_gradient_in_every_row_it_is_the_dense_step(name, options):
    random = np.random.default_rng(1)
    start = random.normal(size=(N, D))
    lazy, dense = optimizer(name, **options), optimizer(name, lazy=False, **options)
    ours, theirs = weight_of(start), weight_of(start)
    for _ in range(5):
        order, values = random.permutation(N), random.normal(size=(N, D)).astype(np.float32)
        lazy.apply([slices(order, values)], [ours])
        dense.apply([tf.constant(values[np.argsort(order)])], [theirs])
    np.testing.assert_allclose(ours, theirs, rtol=2e-6, atol=1e-6)


def test_nesterov_and_no_momentum():
    for options in ({"momentum": 0.9, "nesterov": True}, {"momentum": 0.0}):
        weights = []
        for lazy_weight in ("centers", None):
            one, weight = SGD(0.1, **options, lazy_weight=lazy_weight), weight_of(np.ones((N, D)))
            for number in range(3):
                one.apply([slices(range(N), np.full((N, D), number - 0.5))], [weight])
            weights.append(np.asarray(weight))
        np.testing.assert_allclose(*weights, rtol=1e-6)


def test_rows_that_stand_twice():
    both = joined(slices([4, 1], [[1, 2, 3], [4, 5, 6]]), slices([1, 7], [[1, 1, 1], [0, 0, 2]]))
    rows, sums = summed_rows(both)
    assert rows.numpy().tolist() == [4, 1, 1, 7]
    assert sums.numpy().tolist() == [[1, 2, 3], [5, 6, 7], [5, 6, 7], [0, 0, 2]]
    once = without_repeats(both)
    np.testing.assert_array_equal(tf.convert_to_tensor(once), tf.convert_to_tensor(both))
    matrix = tf.convert_to_tensor(both)
    assert float(tf.norm(once.values)) == pytest.approx(float(tf.norm(matrix)))
    assert float(tf.norm(both.values)) < float(tf.norm(matrix)) - 1


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_a_dense_step_takes_the_sum_of_a_row_that_stands_twice(name):
    weights = []
    for gradient in (slices([1, 1], [[1, 2, 0], [3, 4, 0]]), slices([1], [[4, 6, 0]])):
        one, weight = optimizer(name, lazy=False), weight_of(np.ones((N, D)))
        one.apply([gradient], [weight])
        one.apply([tf.ones((N, D))], [weight])
        weights.append(np.asarray(weight))
    np.testing.assert_allclose(*weights, rtol=1e-6)


# --- a sampled head -----------------------------------------------------------------------------


def trainer(rate=0.2, *, classes=40, lazy=True, clip=0.5, seed=0):
    """(B, 6) -> unit rows, for ArcFace over centres of which a part is scored; AdamW."""
    keras.utils.set_random_seed(seed)
    rows = keras.Input((6,))
    head = ClassCenters(classes, 2, rate, seed=3, name="cosines")
    model = keras.Model(rows, head(keras.layers.Dense(4, name="dense")(rows)))
    loss = CenterLoss(ArcFaceLoss(0.3, 8.0))
    loss.follow(head)
    lazy_weight = CENTERS if lazy else None
    made = AdamW(0.02, weight_decay=0.1, global_clipnorm=clip, lazy_weight=lazy_weight)
    compile_model(model, loss=loss, optimizer=made)
    return model


def train(model, first: int, last: int, rows=8, classes=40):
    for step in range(first, last):
        random = np.random.default_rng(step)
        x = random.normal(size=(rows, 6)).astype(np.float32)
        y = random.integers(0, classes, rows).astype(np.int32)
        data = tf.data.Dataset.from_tensors((x, y))
        model.fit(data, shuffle=False, verbose=0)


def arrays_of(model):
    return {key: np.asarray(value).copy() for key, value in training_state(model).items()}


def test_a_step_leaves_all_but_the_sample_as_it_was():
    model = trainer()
    before = np.asarray(model.get_layer("cosines").centers).copy()
    train(model, 0, 1)
    after = np.asarray(model.get_layer("cosines").centers)
    # A fifth of 40 classes with two centres each; of a pair only the nearer may have a gradient,
    # but decay shrinks both.
    assert (before != after).any(axis=1).sum() == 16
    dense = trainer(lazy=False)
    train(dense, 0, 1)
    assert (before != np.asarray(dense.get_layer("cosines").centers)).any(axis=1).all()


def test_resumes_to_the_same_bits(tmp_path):
    whole, first = trainer(), trainer()
    train(whole, 0, 5)
    train(first, 0, 3)
    Checkpoints(tmp_path).save(3, first)
    second = trainer(seed=7)
    assert Checkpoints(tmp_path).restore_latest(second) == 3
    train(second, 3, 5)
    expected, found = arrays_of(whole), arrays_of(second)
    assert expected.keys() == found.keys()
    for key, value in expected.items():
        np.testing.assert_array_equal(found[key], value, err_msg=key)


def test_a_saved_trainer_goes_on(tmp_path):
    model = trainer()
    train(model, 0, 3)
    model.save(tmp_path / "trainer.keras")
    loaded = keras.saving.load_model(tmp_path / "trainer.keras")
    # A file of Keras holds no seed's state; a checkpoint does.
    head = loaded.get_layer("cosines")
    head.seed_generator.state.assign(model.get_layer("cosines").seed_generator.state)
    loaded.loss.follow(head)
    assert loaded.optimizer.get_config()["lazy_weight"] == CENTERS
    for one in (model, loaded):
        train(one, 3, 5)
    for left, right in zip(model.weights, loaded.weights, strict=True):
        np.testing.assert_array_equal(left, right)


def test_micro_batches_of_a_sampled_head():
    """Of 6 classes a part of 8 rows samples all: the update is that of the undivided batch."""
    parted, whole = trainer(0.5, classes=6), trainer(1.0, classes=6, lazy=False)
    use_micro_batches(parted, 2)
    for model in (parted, whole):
        train(model, 0, 4, rows=16, classes=6)
    for name in ("dense", "cosines"):
        for left, right in zip(*(m.get_layer(name).weights for m in (parted, whole)), strict=False):
            np.testing.assert_allclose(left, right, rtol=2e-5, atol=2e-6)


def test_half_precision():
    with contracts.global_policy("mixed_float16"):
        model = trainer()
        before = np.asarray(model.get_layer("cosines").centers).copy()
        train(model, 0, 1)
    assert (before != np.asarray(model.get_layer("cosines").centers)).any(axis=1).sum() == 16


def test_refusals(monkeypatch):
    whole = trainer(1.0)
    contracts.check_refusals(
        {
            "change every row in every step. Use one of the two": lambda: create_optimizer(
                "adam", 0.1, ema_momentum=0.9, lazy_weight=CENTERS
            ),
            "path ends with 'cosines/centers'. Found 0 among": lambda: create_optimizer(
                "sgd", 0.1, lazy_weight=CENTERS
            ).build([weight_of(np.ones((2, 2)))]),
            "holds all rows: let the head sample its classes": lambda: train(whole, 0, 1),
        }
    )
    monkeypatch.setattr("keras.backend.backend", lambda: "jax")
    with pytest.raises(ValueError, match=r"on TensorFlow alone\. Received: the jax backend\."):
        create_optimizer("sgd", 0.1, lazy_weight=CENTERS)
