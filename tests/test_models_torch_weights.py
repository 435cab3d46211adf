"""State dicts and layers: the layouts, and what is said where they do not fit."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from keras import layers

from landmarks_tf.models.torch_weights import (
    assign_state_dict,
    best_module_of,
    match_state_dict,
    same_name,
)
from tests import contracts

pytestmark = contracts.IGNORE_ARRAY_COPY


@pytest.fixture(scope="module")
def network():
    """One layer of each kind; every size is another, so that no transposition goes unseen."""
    x = inputs = keras.Input((16, 16, 4))
    x = layers.Conv2D(6, (2, 3), groups=2, use_bias=False, name="0.conv")(x)
    x = layers.BatchNormalization(name="0.bn")(x)
    x = layers.ReLU(name="0.relu")(x)
    x = layers.DepthwiseConv2D((3, 5), name="1")(x)
    x = layers.GlobalAveragePooling2D(name="pool")(x)
    return keras.Model(inputs, layers.Dense(7, name="2")(x))


def entries() -> dict[str, np.ndarray]:
    """As PyTorch has them: kernels (out, in / groups, h, w), dense (out, in)."""
    shapes = {
        "0.conv.weight": (6, 2, 2, 3),
        **{f"0.bn.{name}": (6,) for name in ("weight", "bias", "running_mean", "running_var")},
        "1.weight": (6, 1, 3, 5),
        "1.bias": (6,),
        "2.weight": (7, 6),
        "2.bias": (7,),
    }
    rng = np.random.default_rng(0)
    return {name: rng.normal(size=shape).astype(np.float32) for name, shape in shapes.items()}


def test_every_number_in_its_place(network):
    state = entries()
    assign_state_dict(network, state | {"0.bn.num_batches_tracked": np.array(3)})
    conv, norm, depthwise, dense = (network.get_layer(n) for n in ("0.conv", "0.bn", "1", "2"))
    kernel = np.asarray(conv.kernel)
    for out, channel, row, column in np.ndindex(6, 2, 2, 3):
        at = out, channel, row, column
        assert kernel[row, column, channel, out] == state["0.conv.weight"][at]
    kernel = np.asarray(depthwise.kernel)
    for channel, row, column in np.ndindex(6, 3, 5):
        assert kernel[row, column, channel, 0] == state["1.weight"][channel, 0, row, column]
    np.testing.assert_array_equal(np.asarray(dense.kernel), state["2.weight"].T)
    np.testing.assert_array_equal(np.asarray(dense.bias), state["2.bias"])
    np.testing.assert_array_equal(np.asarray(depthwise.bias), state["1.bias"])
    np.testing.assert_array_equal(np.asarray(norm.gamma), state["0.bn.weight"])
    np.testing.assert_array_equal(np.asarray(norm.beta), state["0.bn.bias"])
    np.testing.assert_array_equal(np.asarray(norm.moving_mean), state["0.bn.running_mean"])
    np.testing.assert_array_equal(np.asarray(norm.moving_variance), state["0.bn.running_var"])


@pytest.mark.parametrize(
    "entry", ["fc.weight", "classifier.6.bias", "head.fc.weight", "AuxLogits.conv0.conv.weight"]
)
def test_classifiers_are_left_out(network, entry):
    assert len(match_state_dict(network, entries() | {entry: np.zeros(3)})) == 9


def refusal(network, state) -> str:
    before = [np.array(weight) for weight in network.weights]
    with pytest.raises(ValueError) as caught:
        assign_state_dict(network, state)
    for weight, old in zip(network.weights, before, strict=True):
        np.testing.assert_array_equal(np.asarray(weight), old)
    return str(caught.value)


def test_a_missing_entry_and_no_half_assigned_network(network):
    state = entries()
    del state["2.weight"]
    assert refusal(network, state) == (
        "layer '2' has a kernel of shape (6, 7), the file has no entry '2.weight'"
    )


def test_another_shape_names_both(network):
    state = entries()
    state["1.bias"] = np.zeros(5)
    state["0.conv.weight"] = np.zeros((6, 4, 2, 3))
    assert refusal(network, state) == (
        "layer '0.conv' has a kernel of shape (2, 3, 2, 6), the file's entry '0.conv.weight' is "
        "(6, 4, 2, 3) in PyTorch's order, (2, 3, 4, 6) in Keras'"
    )
    state["0.conv.weight"] = entries()["0.conv.weight"]
    assert refusal(network, state) == (
        "layer '1' has a bias of shape (6,), the file's entry '1.bias' is (5,)"
    )


def test_entries_of_another_network(network):
    state = entries() | {"3.weight": np.zeros((2, 3)), "4.weight": np.zeros(1)}
    assert refusal(network, state) == (
        "the file's entry '3.weight', of shape (2, 3), has no layer in the network (2 entries have "
        "none)"
    )


def test_a_layer_that_pytorch_has_not():
    inputs = keras.Input((4,))
    model = keras.Model(inputs, layers.LayerNormalization(name="norm")(inputs))
    with pytest.raises(ValueError, match="layer 'norm', a LayerNormalization, has no PyTorch twin"):
        match_state_dict(model, {})


def test_another_programs_names(network):
    def theirs(name):
        return f"features.{name}"

    def nobodys(name):
        return f"blocks.{name}"

    ours, renamed = entries(), {theirs(name): array for name, array in entries().items()}
    candidates = [same_name, nobodys, theirs]
    assert best_module_of(network, ours, candidates) is same_name
    assert best_module_of(network, renamed, candidates) is theirs
    assert best_module_of(network, {}, candidates) is same_name
    found = match_state_dict(network, renamed, theirs)
    for (_, array), (_, expected) in zip(found, match_state_dict(network, ours), strict=True):
        np.testing.assert_array_equal(array, expected)
