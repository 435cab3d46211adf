"""GE2E's similarities: golden rows, plain loops, slowed gradients of w and b, limits, saving."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from landmarks_tf.layers import GE2ESimilarity
from landmarks_tf.losses import GE2ELoss
from tests import contracts
from tests.embedding_batches import EDGES, balanced
from tests.reference import ge2e as reference

pytestmark = contracts.IGNORE_ARRAY_COPY


def test_golden_rows():
    rows = np.float32([[1, 0], [0.6, 0.8], [0, 1], [0.8, 0.6]])
    expected = [[1, -0.527864], [1, 4.838699], [-0.527864, 1], [4.838699, 1]]
    np.testing.assert_allclose(GE2ESimilarity(2)(rows), expected, atol=2e-6)


@settings(max_examples=50, deadline=None)
@given(
    st.integers(2, 5),
    st.integers(2, 5),
    st.integers(1, 6),
    st.sampled_from([1e-3, 1, 100]),
    st.integers(0, 2**31),
)
def test_equals_the_loop_over_rows_and_classes(classes, images, dim, length, seed):
    _, rows = balanced(classes, images, dim, seed)
    rows = length * rows
    if dim == 1:  # a sum of opposite rows is rounding, which has no direction
        rows = np.abs(rows)
    found = GE2ESimilarity(images)(rows)
    np.testing.assert_allclose(found, reference.similarities(rows, images), rtol=1e-4, atol=1e-4)


def test_the_gradients_of_w_and_b_are_scaled_and_that_of_the_rows_is_not():
    labels, rows = balanced(3, 3, 4)
    slopes = {}
    for factor in (1.0, 0.01):
        layer = GE2ESimilarity(3, gradient_scale=factor)
        layer.build(rows.shape)
        with tf.GradientTape() as tape:
            inputs = tf.constant(rows)
            tape.watch(inputs)
            loss = GE2ELoss()(labels, layer(inputs))
        slopes[factor] = tape.gradient(loss, [inputs, layer.scale.value, layer.offset.value])
        np.testing.assert_allclose(loss, reference_loss(rows), rtol=1e-5)
    np.testing.assert_allclose(slopes[0.01][0], slopes[1.0][0], rtol=1e-6, atol=1e-7)
    for slowed, whole in zip(slopes[0.01][1:], slopes[1.0][1:], strict=True):
        np.testing.assert_allclose(slowed, 0.01 * np.asarray(whole), rtol=1e-5, atol=1e-9)
    step = 1e-5
    by_w = (reference_loss(rows, 10 + step) - reference_loss(rows, 10 - step)) / (2 * step)
    np.testing.assert_allclose(slopes[1.0][1], by_w, rtol=1e-4)


def reference_loss(rows, w=10.0):
    return reference.softmax_losses(reference.similarities(rows, 3, w), 3).mean()


@pytest.mark.parametrize("name", ["perfect", "worst", "all equal", "all zero"])
def test_finite_at_the_limits(name):
    labels, rows = EDGES[name]
    layer = GE2ESimilarity(2)
    with tf.GradientTape() as tape:
        inputs = tf.constant(rows)
        tape.watch(inputs)
        similarities = layer(inputs)
        loss = GE2ELoss()(labels, similarities)
    np.testing.assert_allclose(similarities, reference.similarities(rows, 2), atol=1e-5)
    assert np.isfinite(tape.gradient(loss, inputs)).all()


def test_opposite_rows_have_no_centroid():
    rows = np.float32([[1, 0], [-1, 0], [0, 1], [0, 1]])
    found = np.asarray(GE2ESimilarity(2)(rows))
    np.testing.assert_allclose(found[2:, 0], -5.0)


def test_a_repeated_picture_stays_in_the_centroid_of_its_copies():
    # A class of one picture, twice: own similarity 10 * 1 - 5, as in S1's program.
    rows = np.float32([[0.6, 0.8], [0.6, 0.8], [1, 0], [0, 1]])
    np.testing.assert_allclose(GE2ESimilarity(2)(rows)[0, 0], 5.0, atol=1e-5)


@pytest.mark.parametrize("positive", [False, True])
def test_only_on_request_is_w_kept_above_zero(positive):
    # A perfectly wrong batch pulls w down.
    labels, rows = EDGES["worst"]
    layer = GE2ESimilarity(2, initial_scale=0.01, gradient_scale=1.0, positive_scale=positive)
    model = keras.Sequential([layer])
    model.compile(keras.optimizers.SGD(1.0), GE2ELoss())
    model.fit(rows, labels, batch_size=6, epochs=2, shuffle=False, verbose=0)
    assert (float(layer.scale) > 0) == positive


def test_two_numbers_are_learned_and_they_are_saved(tmp_path):
    labels, rows = balanced(3, 4, 5)
    pixels = keras.Input((5,))
    model = keras.Model(pixels, GE2ESimilarity(4)(pixels))
    assert model.output.shape == (None, None)
    assert model.count_params() == 2
    model.compile(keras.optimizers.SGD(10.0), GE2ELoss())
    before = [float(w) for w in model.trainable_weights]
    model.train_on_batch(rows, labels)
    after = [float(w) for w in model.trainable_weights]
    assert before == [10.0, -5.0]
    assert after[0] != 10.0
    # The offset cancels in the softmax form: it never moves there.
    assert after[1] == pytest.approx(-5.0, abs=1e-6)
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(
        loaded.predict(rows, batch_size=12, verbose=0),
        model.predict(rows, batch_size=12, verbose=0),
    )
    assert loaded.layers[-1].get_config() == model.layers[-1].get_config()


@pytest.mark.parametrize("policy", contracts.MIXED_POLICIES)
def test_float32_under_every_policy(policy):
    _, rows = balanced(3, 2, 4)
    expected = np.asarray(GE2ESimilarity(2)(rows))
    with contracts.global_policy(policy):
        found = GE2ESimilarity(2)(keras.ops.cast(rows, policy.removeprefix("mixed_")))
    assert found.dtype == "float32"
    np.testing.assert_allclose(found, expected, atol=0.1)


def test_batches_of_any_number_of_classes_share_one_trace():
    traces = []
    layer = GE2ESimilarity(2)
    layer.build((None, 4))

    @tf.function(input_signature=[tf.TensorSpec((None, 4), tf.float32)])
    def run(x):
        traces.append(x)
        return layer(x)

    for classes in (2, 5):
        _, rows = balanced(classes, 2, 4)
        found = run(rows)
        assert found.shape == (2 * classes, classes)
        np.testing.assert_allclose(found, layer(rows), rtol=1e-5, atol=1e-5)
    assert len(traces) == 1


def test_refusals():
    contracts.check_refusals(
        {
            "Received: images_per_class=1": lambda: GE2ESimilarity(1),
            "Received: initial_scale=0": lambda: GE2ESimilarity(2, initial_scale=0),
            "Received: gradient_scale=2": lambda: GE2ESimilarity(2, gradient_scale=2),
            "shape (5, 3)": lambda: GE2ESimilarity(2)(np.zeros((5, 3), np.float32)),
            "shape (2, 3)": lambda: GE2ESimilarity(2)(np.zeros((2, 3), np.float32)),
            "shape (4, 3, 2)": lambda: GE2ESimilarity(2)(np.zeros((4, 3, 2), np.float32)),
            "dtype='mixed_float16'": lambda: GE2ESimilarity(2, dtype="mixed_float16"),
        }
    )
