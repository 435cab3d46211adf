"""Softmax from the class centres on Keras' JAX backend: numbers, memory, and a training."""

from __future__ import annotations

import json

import numpy as np
import pytest

from tests import center_heads
from tests.test_backends import run

pytest.importorskip("jax", reason="JAX, the second Keras backend, is not installed (extra `jax`)")

CHECKS = """
import json
import jax
import numpy as np
from keras import ops
from landmarks_tf.layers import CenterCosines, ClassCenters, CosineClassifier
from landmarks_tf.losses import ArcFaceLoss, CenterLoss, MarginSchedule, center_cross_entropy
from landmarks_tf.layers import StepCount

given, out = np.load(sys.argv[1]), {}
labels, factor = given["labels"], given["factor"]
loss = ArcFaceLoss(0.5, 12.0)

def total(rows, centers, chunk):
    change = loss.own_alone(labels, 7)[1]
    losses, hits = center_cross_entropy(
        labels, rows, centers, change, scale=12.0, subcenters=2, label_smoothing=0.1,
        chunk_classes=chunk,
    )
    return ops.sum(losses * factor), (losses, hits)

for chunk in (0, 2, 3):
    step = jax.jit(jax.value_and_grad(total, argnums=(0, 1), has_aux=True), static_argnums=2)
    (_, (losses, _)), slopes = step(given["rows"], given["centers"], chunk or None)
    out |= {f"losses{chunk}": losses, f"rows{chunk}": slopes[0], f"centers{chunk}": slopes[1]}
np.savez(sys.argv[2], **{name: np.asarray(value) for name, value in out.items()})

# What is held besides the arguments and the results, in tensors of the scores' size.
B, D, N, held = 64, 16, 40_000, {}
rows, centers = np.ones((B, D), np.float32), np.ones((N, D), np.float32)
for chunk in (None, 1000):
    def mean(rows, centers):
        return ops.mean(center_cross_entropy(
            np.arange(B, dtype=np.int32), rows, centers, lambda own: (own, ops.ones_like(own)),
            scale=9.0, chunk_classes=chunk,
        )[0])
    plan = jax.jit(jax.grad(mean, argnums=(0, 1))).lower(rows, centers).compile()
    held[str(chunk)] = plan.memory_analysis().temp_size_in_bytes / (B * N * 4)

# Keras' own training loop: the same as with the layer and the loss apart.
x = np.random.default_rng(0).normal(size=(32, 5)).astype(np.float32)
y = np.arange(32) % 8
def train(head, loss, **options):
    keras.utils.set_random_seed(0)
    inputs = keras.Input((5,))
    rows = StepCount(name="steps")(keras.layers.Dense(6)(inputs))
    model = keras.Model(inputs, head(rows))
    for number, weight in enumerate(model.trainable_weights):
        weight.assign(np.random.default_rng(number).normal(size=weight.shape))
    margin = loss.loss.margin if isinstance(loss, CenterLoss) else loss.margin
    margin.follow(model.get_layer("steps"))
    if isinstance(loss, CenterLoss):
        loss.follow(head)
    model.compile(keras.optimizers.SGD(0.3), loss, **options)
    history = model.fit(x, y, batch_size=16, epochs=4, shuffle=False, verbose=0).history
    return model, history

def arcface():
    return ArcFaceLoss(MarginSchedule([0.1, 0.4], [0, 5], "linear"), 12.0)

apart, expected = train(CosineClassifier(8, 2), arcface(), metrics=[
    keras.metrics.SparseCategoricalAccuracy(name="accuracy")])
for form in ("fused", "streamed"):
    together, found = train(ClassCenters(8, 2), CenterLoss(arcface(), form))
    for name in ("loss", "accuracy"):
        np.testing.assert_allclose(found[name], expected[name], rtol=1e-4)
    for left, right in zip(together.trainable_weights, apart.trainable_weights):
        np.testing.assert_allclose(left, right, atol=1e-4)
head = ClassCenters(8, sample_rate=0.5, seed=1)
model, found = train(head, CenterLoss(arcface()))
assert found["loss"][-1] < found["loss"][0], found
before = np.array(head.seed_generator.state)
model.train_on_batch(x[:4], y[:4])
assert not np.array_equal(before, np.array(head.seed_generator.state))
first, second = (model.evaluate(x, y, batch_size=16, verbose=0) for _ in range(2))
assert first == second  # of all classes
print(json.dumps(held))
"""


def test_the_same_numbers_and_trainings_on_jax_without_tensorflow(tmp_path):
    labels, rows, centers = center_heads.head(6, 7, 4, 2)
    factor = np.float32([1, 0.5, 2, 0, 1, -1])
    given = {"labels": labels, "rows": rows, "centers": centers, "factor": factor}
    np.savez(tmp_path / "given.npz", **given)
    done = run(CHECKS, tmp_path / "given.npz", tmp_path / "out.npz")
    out = np.load(tmp_path / "out.npz")
    options = {"subcenters": 2, "smoothing": 0.1}
    expected = center_heads.expected(labels, rows, centers, **options)
    by_rows, by_centers = center_heads.expected_gradients(labels, rows, centers, factor, **options)
    for chunk in (0, 2, 3):
        np.testing.assert_allclose(out[f"losses{chunk}"], expected, rtol=2e-5, atol=1e-6)
        turning = center_heads.tangent(rows, out[f"rows{chunk}"])
        np.testing.assert_allclose(turning, by_rows, rtol=1e-3, atol=2e-4)
        np.testing.assert_allclose(out[f"centers{chunk}"], by_centers, rtol=1e-3, atol=2e-4)

    held = json.loads(done.stdout.splitlines()[-1])
    print(held)
    assert held["None"] < 3.1, held
    assert held["1000"] < 0.3, held
