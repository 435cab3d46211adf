"""Cross-entropy straight from the centres: losses, gradients, edges, and what the graph holds."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import ops

from landmarks_tf.layers import CosineClassifier
from landmarks_tf.losses import ArcFaceLoss, center_cross_entropy
from tests import center_heads
from tests.center_heads import MARGIN, SCALE

ARCFACE = ArcFaceLoss(MARGIN, SCALE)


def run(labels, rows, centers, factor, *, subcenters=1, smoothing=0.0, chunk=None, compiled=False):
    """Losses, hits, and the gradients of sum_b factor_b * loss_b."""

    @tf.function(jit_compile=compiled)
    def step(rows, centers):
        with tf.GradientTape() as tape:
            tape.watch([rows, centers])
            ids = ops.convert_to_tensor(labels)
            losses, hits = center_cross_entropy(
                ids,
                rows,
                centers,
                ARCFACE.own_alone(ids, len(centers) // subcenters)[1],
                scale=SCALE,
                subcenters=subcenters,
                label_smoothing=smoothing,
                chunk_classes=chunk,
            )
            total = ops.sum(losses * factor)
        return losses, hits, *tape.gradient(total, [rows, centers])

    return [np.asarray(value) for value in step(tf.constant(rows), tf.constant(centers))]


@pytest.mark.parametrize(("subcenters", "smoothing"), [(1, 0.0), (1, 0.2), (3, 0.0), (2, 0.1)])
def test_losses_and_gradients_are_the_references(subcenters, smoothing):
    labels, rows, centers = center_heads.head(6, 7, 4, subcenters)
    factor = np.float32([1, 0.5, 2, 0, 1, -1])
    options = {"subcenters": subcenters, "smoothing": smoothing}
    expected = center_heads.expected(labels, rows, centers, **options)
    by_rows, by_centers = center_heads.expected_gradients(labels, rows, centers, factor, **options)
    # All at once; two runs and a shorter one; one and a shorter one.
    for chunk in (None, 3, 4):
        found = run(labels, rows, centers, factor, chunk=chunk, **options)
        np.testing.assert_allclose(found[0], expected, rtol=2e-5, atol=1e-6)
        turning = center_heads.tangent(rows, found[2])
        np.testing.assert_allclose(turning, by_rows, rtol=1e-3, atol=2e-4)
        np.testing.assert_allclose(found[3], by_centers, rtol=1e-3, atol=2e-4)
    cosines = center_heads.cosine.class_cosines(rows, centers, subcenters)
    assert found[1].tolist() == (cosines.argmax(axis=1) == labels).tolist()


@pytest.mark.parametrize("chunk", [None, 3])
def test_as_the_layer_and_the_loss_one_after_the_other(chunk):
    """Also by the rows themselves, not only on the sphere, and under XLA."""
    labels, rows, centers = center_heads.head(16, 40, 8, 2, seed=1)
    classifier = CosineClassifier(40, 2)
    classifier.build(rows.shape)
    classifier.centers.assign(centers)
    x = tf.constant(rows)
    with tf.GradientTape() as tape:
        tape.watch(x)
        losses = ARCFACE.call(labels, classifier(x))
        total = tf.reduce_mean(losses)
    by_rows, by_centers = tape.gradient(total, [x, classifier.centers.value])
    factor = np.full(16, 1 / 16, np.float32)
    for compiled in (False, True):
        found = run(labels, rows, centers, factor, subcenters=2, chunk=chunk, compiled=compiled)
        np.testing.assert_allclose(found[0], losses, rtol=1e-5, atol=1e-5)
        turning = center_heads.tangent(rows, found[2])
        np.testing.assert_allclose(turning, center_heads.tangent(rows, by_rows), atol=1e-5)
        np.testing.assert_allclose(found[3], by_centers, atol=1e-5)


@pytest.mark.parametrize("chunk", [None, 2])
def test_edges(chunk):
    """Perfect, worst and dead rows and centres, and huge scores: finite, and the reference's."""
    _, rows, centers = center_heads.head(6, 5, 4)
    labels = np.int32([0, 1, 2, 3, 4, 1])
    unit = centers / np.linalg.norm(centers, axis=1, keepdims=True)
    dead = centers.copy()
    dead[1] = 0
    batches = {
        "perfect": (unit[labels], centers),
        "worst": (-unit[labels], centers),
        "dead rows": (np.zeros_like(rows), centers),
        "a dead centre": (rows, dead),
        "all rows equal": (np.repeat(rows[:1], 6, axis=0), centers),
        "all centres equal": (rows, np.repeat(centers[:1], 5, axis=0)),
    }
    factor = np.ones(6, np.float32)
    for name, (some_rows, some_centers) in batches.items():
        found = run(labels, some_rows, some_centers, factor, chunk=chunk)
        assert all(np.isfinite(value).all() for value in found), name
        expected = center_heads.expected(labels, some_rows, some_centers)
        # At cosine 1 and -1 a rounding of 1e-7 is an angle of 4e-4.
        atol = 1e-2 if name in ("perfect", "worst") else 1e-4
        np.testing.assert_allclose(found[0], expected, rtol=2e-5, atol=atol, err_msg=name)
    assert not run(labels, rows, dead, factor, chunk=chunk)[3][1].any()


def test_losses_far_below_the_scores_rounding_keep_their_digits():
    """Own class at cosine 1, the other at -1: log(1 + exp(-2 s)), from scores around s."""
    centers = np.float32([[1, 0], [-1, 0]])
    rows = np.float32([[1, 0]])
    for scale in (12.0, 20.0):
        losses, _ = center_cross_entropy(
            ops.array([0]), rows, centers, lambda own: (own, ops.ones_like(own)), scale=scale
        )
        np.testing.assert_allclose(losses[0], np.exp(-2 * scale), rtol=1e-4)


def test_no_tensor_of_the_scores_size_in_the_streamed_graph():
    labels, rows, centers = center_heads.head(8, 4096, 4)

    def sizes(chunk):
        found = []

        def collect(graph):
            for op in graph.get_operations():
                found.extend(y.shape.num_elements() or 0 for y in op.outputs)
            for function in graph._functions.values() if hasattr(graph, "_functions") else ():
                collect(function.graph)

        def step(rows, centers):
            with tf.GradientTape() as tape:
                tape.watch([rows, centers])
                losses, _ = center_cross_entropy(
                    ops.convert_to_tensor(labels),
                    rows,
                    centers,
                    lambda own: (own, ops.ones_like(own)),
                    scale=9.0,
                    chunk_classes=chunk,
                )
                total = ops.sum(losses)
            return tape.gradient(total, [rows, centers])

        specs = [tf.TensorSpec(x.shape) for x in (rows, centers)]
        collect(tf.function(step).get_concrete_function(*specs).graph)
        return max(found)

    assert sizes(None) == rows.shape[0] * 4096
    assert sizes(512) == centers.size


def test_traced_for_any_number_of_rows():
    keras.utils.set_random_seed(0)
    labels, rows, centers = center_heads.head(6, 9, 4)

    @tf.function(
        input_signature=[tf.TensorSpec((None,), tf.int32), tf.TensorSpec((None, 4), tf.float32)]
    )
    def losses(labels, rows):
        change = ARCFACE.own_alone(labels, 9)[1]
        return center_cross_entropy(labels, rows, centers, change, scale=SCALE, chunk_classes=4)[0]

    expected = center_heads.expected(labels, rows, centers)
    for count in (6, 2):
        np.testing.assert_allclose(
            losses(labels[:count], rows[:count]), expected[:count], rtol=2e-5, atol=1e-6
        )
