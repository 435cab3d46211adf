"""A batch in parts on one device; tests/test_training_distribution.py has two, _mesh.py has JAX."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf

from landmarks_tf.training.micro_batches import use_micro_batches
from tests import contracts
from tests import tiny_replicas as tiny

pytestmark = contracts.IGNORE_ARRAY_COPY


class Doubled(keras.Model):
    """A network that computes its loss itself: twice that of the rows, plus one."""

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        return 2 * super().compute_loss(x, y, y_pred, sample_weight, training) + 1


def two_headed(kind=keras.Model, jit=False):
    """(B, 3) -> {"main": (B, 2), "other": (B, 2)}, with a weight for each head's loss."""
    keras.utils.set_random_seed(0)
    rows = keras.Input((3,))
    x = keras.layers.Dense(4, activation="tanh")(rows)
    heads = {name: keras.layers.Dense(2, name=name)(x) for name in ("main", "other")}
    model = kind(rows, heads)
    model.compile(
        loss={name: keras.losses.SparseCategoricalCrossentropy(from_logits=True) for name in heads},
        loss_weights={"main": 1.0, "other": 0.3},
        metrics={"main": [keras.metrics.SparseCategoricalAccuracy(name="accuracy")]},
        optimizer=keras.optimizers.SGD(0.5),
        jit_compile=jit,
    )
    return model


def data(with_weights: bool):
    random = np.random.default_rng(0)
    x = random.normal(size=(12, 3)).astype(np.float32)
    y = {"main": random.integers(0, 2, 12), "other": random.integers(0, 2, 12)}
    w = {"main": random.uniform(0, 2, 12), "other": random.uniform(0, 2, 12)}
    parts = (x, y, w) if with_weights else (x, y)
    return tf.data.Dataset.from_tensors(parts)


@pytest.mark.parametrize(
    ("kind", "with_weights", "jit"),
    [(keras.Model, True, False), (Doubled, False, False), (Doubled, False, True)],
)
def test_three_parts_are_the_undivided_batch(kind, with_weights, jit):
    whole, parted = two_headed(kind), two_headed(kind, jit)
    use_micro_batches(parted, 3)
    logs = [m.fit(data(with_weights), shuffle=False, verbose=0).history for m in (whole, parted)]
    assert logs[0].keys() == logs[1].keys() and "loss" in logs[0] and "main_accuracy" in logs[0]
    for key, (value,) in logs[0].items():
        assert value == pytest.approx(logs[1][key][0], rel=1e-5), key
    for left, right in zip(whole.weights, parted.weights, strict=True):
        np.testing.assert_allclose(left, right, rtol=1e-5, atol=1e-6)


def test_scaled_losses_of_half_precision():
    with contracts.global_policy("mixed_float16"):
        models = [two_headed() for _ in range(2)]
        # Found by Keras for this policy: gradients are those of a loss 32,768 times as large.
        for model in models:
            model.optimizer = keras.optimizers.LossScaleOptimizer(keras.optimizers.SGD(0.5))
        use_micro_batches(models[1], 3)
        for model in models:
            model.fit(data(False), shuffle=False, verbose=0)
    moved = [np.asarray(model.layers[1].kernel) for model in models]
    start = np.asarray(two_headed().layers[1].kernel)
    assert np.abs(moved[0] - start).max() > 0.01
    np.testing.assert_allclose(moved[0], moved[1], atol=2e-3)


def test_one_part_holds_one_parts_activations():
    """The next part does not begin before the last one's gradients are there."""
    model = two_headed()
    use_micro_batches(model, 3)
    dataset = data(False)
    model.fit(dataset, shuffle=False, verbose=0)
    spec = dataset.element_spec
    graph = tf.function(model.train_step).get_concrete_function(spec).graph
    waiting = [op for op in graph.get_operations() if op.type == "Identity" and op.control_inputs]
    copies = [op for op in waiting if op.inputs[0].op.type == "Placeholder"]
    # x and the two labels, of the second and of the third part.
    assert len(copies) == 6
    # Each waits for the gradients of two kernels and two biases, and of the shared layer.
    assert all(len(op.control_inputs) == 6 for op in copies)


def test_batches_that_do_not_divide():
    model = two_headed()
    use_micro_batches(model, 5)
    with pytest.raises(ValueError, match="must be evenly divisible by 15 but is 36"):
        model.fit(data(False), shuffle=False, verbose=0)


def test_no_part():
    with pytest.raises(ValueError, match=r"at least 1 part\. Received: parts=0"):
        use_micro_batches(tiny.compiled("triplet"), 0)
