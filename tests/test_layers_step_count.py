"""The count of training steps: when it counts, where it is kept."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from landmarks_tf.layers import StepCount
from landmarks_tf.training.checkpoints import training_state
from tests import contracts

pytestmark = contracts.IGNORE_ARRAY_COPY


def counted():
    pixels = keras.Input((3,))
    layer = StepCount(name="training_steps")
    model = keras.Model(pixels, keras.layers.Dense(2)(layer(pixels)))
    model.compile(keras.optimizers.SGD(0.1), "mse")
    return model, layer


def test_it_counts_training_steps_and_nothing_else():
    model, layer = counted()
    x, y = np.ones((8, 3), np.float32), np.zeros((8, 2), np.float32)
    model.predict(x, verbose=0)
    model.evaluate(x, y, verbose=0)
    assert int(layer.count) == 0
    model.fit(x, y, batch_size=2, epochs=3, verbose=0)
    assert int(layer.count) == 12
    model.predict(x, verbose=0)
    model.train_on_batch(x, y)
    assert int(layer.count) == 13


def test_it_passes_its_input_on_in_float32():
    rows = np.random.default_rng(0).normal(size=(4, 3)).astype(np.float32)
    for policy in ("float32", *contracts.MIXED_POLICIES):
        with contracts.global_policy(policy):
            passed = StepCount()(rows, training=True)
        np.testing.assert_array_equal(np.asarray(passed), rows)
        assert passed.dtype == "float32"


def test_the_count_is_in_the_checkpoint_and_in_the_saved_model(tmp_path):
    model, layer = counted()
    x, y = np.ones((8, 3), np.float32), np.zeros((8, 2), np.float32)
    model.fit(x, y, batch_size=2, verbose=0)
    keys = [key for key in training_state(model) if key.endswith("training_steps/count")]
    assert len(keys) == 1
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    assert int(again.get_layer("training_steps").count) == 4
    assert not layer.trainable_weights


def test_config_and_refusals():
    layer = StepCount(calls_per_step=3)
    assert StepCount.from_config(layer.get_config()).calls_per_step == 3
    with pytest.raises(ValueError, match="Received: calls_per_step=0"):
        StepCount(calls_per_step=0)
    with pytest.raises(ValueError, match="float32 under every policy"):
        StepCount(dtype="float16")
