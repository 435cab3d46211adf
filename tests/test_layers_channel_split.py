"""Cutting channels: parts, names, saving, and inputs that cannot be cut."""

from __future__ import annotations

import json

import keras
import numpy as np

from landmarks_tf.layers import ChannelSplit
from tests import contracts

pytestmark = contracts.IGNORE_ARRAY_COPY


def test_parts_in_order():
    x = np.arange(24, dtype=np.float32).reshape(2, 1, 1, 12)
    parts = ChannelSplit(3)(x)
    assert len(parts) == 3
    for number, part in enumerate(parts):
        np.testing.assert_array_equal(part, x[..., 4 * number : 4 * (number + 1)])


def test_symbolic_shapes_are_the_real_ones():
    parts = ChannelSplit(4)(keras.Input((None, 5, 8)))
    assert [part.shape for part in parts] == [(None, None, 5, 2)] * 4


def test_a_saved_network_and_a_new_one_share_no_name(tmp_path):
    """What the layer is for: nodes of `keras.ops.split` are named by a counter."""

    def network(name):
        pixels = keras.Input((2, 2, 4))
        first, second = ChannelSplit(2, name=f"{name}.split")(pixels)
        return keras.Model(pixels, keras.layers.Subtract(name=f"{name}.less")([first, second]))

    network("a").save(tmp_path / "a.keras")
    loaded = keras.saving.load_model(tmp_path / "a.keras")
    x = np.random.default_rng(0).normal(size=(3, 2, 2, 4)).astype(np.float32)
    expected = x[..., :2] - x[..., 2:]
    np.testing.assert_array_equal(loaded.predict(x, verbose=0), expected)
    pixels = keras.Input((2, 2, 4))
    both = keras.Model(pixels, [loaded(pixels), network("b")(pixels)])
    for output in both(x):
        np.testing.assert_array_equal(output, expected)


def test_config():
    config = keras.saving.serialize_keras_object(ChannelSplit(4, name="split"))
    twin = keras.saving.deserialize_keras_object(json.loads(json.dumps(config)))
    assert (twin.parts, twin.name) == (4, "split")


def test_mixed_precision():
    for policy in contracts.MIXED_POLICIES:
        parts = ChannelSplit(2, dtype=policy)(np.ones((1, 2), np.float32))
        assert keras.backend.standardize_dtype(parts[0].dtype) == policy.removeprefix("mixed_")


def test_refusals():
    contracts.check_refusals(
        {
            "at least 2 parts. Received: parts=1": lambda: ChannelSplit(1),
            "7 channels cannot be cut into 2 equal parts: the input has the shape (2, 7)": lambda: (
                ChannelSplit(2)(np.zeros((2, 7), np.float32))
            ),
        }
    )
