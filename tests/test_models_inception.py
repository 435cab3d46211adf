"""The Inception family: shapes, blocks, initial values, and numbers from torchvision's network."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from landmarks_tf.models import create_backbone
from landmarks_tf.models.inception import (
    INCEPTIONS,
    auxiliary_head,
    inception_features,
    torchvision_module,
)
from landmarks_tf.models.torch_files import read_state_dict
from landmarks_tf.models.torch_weights import assign_state_dict
from tests import contracts, networks, seeded_weights
from tests.torch_twins import check_twin, twin

pytestmark = contracts.IGNORE_ARRAY_COPY


@pytest.fixture(scope="module")
def trunks():
    """Every member at the source's 299 px; the kernels are zeros."""
    return {name: networks.trunk_of(networks.inception(name)) for name in INCEPTIONS}


@pytest.fixture(scope="module")
def with_heads(trunks):
    """V200 and V3 with 7 classes: (pixels) -> logits, auxiliary logits."""
    return {name: _with_heads(trunks[name]) for name in ("inception_v3", "inception_v200")}


def _with_heads(trunk):
    features, tap = trunk.outputs
    pooled = keras.layers.GlobalAveragePooling2D()(features)
    logits = keras.layers.Dense(7, name="logits")(pooled)
    with seeded_weights.no_initial_values():
        return keras.Model(trunk.input, [logits, auxiliary_head(tap, 7)])


# reproduction.md section 1.2 and 1.3, at 299 px.
SHAPES = {
    "stem_1a_relu": (149, 149, 32),
    "stem_2a_relu": (147, 147, 32),
    "stem_2b_relu": (147, 147, 64),
    "stem_pool1": (73, 73, 64),
    "stem_3b_relu": (73, 73, 80),
    "stem_4a_relu": (71, 71, 192),
    "stem_pool2": (35, 35, 192),
    "mixed_5b_concat": (35, 35, 256),
    "mixed_5c_concat": (35, 35, 288),
    "mixed_5d_concat": (35, 35, 288),
    "mixed_6a_concat": (17, 17, 768),
    "mixed_6b_concat": (17, 17, 768),
    "mixed_6c_concat": (17, 17, 768),
    "mixed_6e_concat": (17, 17, 768),
    "mixed_7a_concat": (8, 8, 1280),
    "mixed_7b_concat": (8, 8, 2048),
    "mixed_7c_concat": (8, 8, 2048),
}


@pytest.mark.parametrize("name", INCEPTIONS)
def test_shapes_of_the_feature_maps(name, trunks):
    for layer, shape in SHAPES.items():
        assert trunks[name].get_layer(layer).output.shape == (None, *shape), layer
    assert [o.shape for o in trunks[name].outputs] == [(None, 8, 8, 2048), (None, 17, 17, 768)]


def test_blocks_are_named_by_the_source(trunks):
    def blocks(name):
        return [
            layer.name.split("_")[1]
            for layer in trunks[name].layers
            if layer.name.startswith("mixed") and layer.name.count("_") == 2
            if layer.name.endswith("_concat")
        ]

    four = ["5b", "5c", "5d", "6a", "6b", "6c", "6d", "6e", "7a", "7b", "7c"]
    three = [block for block in four if block != "6d"]
    for name in INCEPTIONS:
        assert blocks(name) == (three if "v200" in name else four), name


def test_channels_of_the_middle_blocks(trunks):
    def channels(name):
        return [
            layer.filters
            for layer in trunks[name].layers
            if layer.name.startswith("mixed_6") and layer.name.endswith("_7x7_1_conv")
        ]

    for name in INCEPTIONS:
        expected = [128, 160, 192] if "v200" in name else [128, 160, 160, 192]
        assert channels(name) == expected, name


PLAIN = [((3, 3), 384, (2, 2), (17, 17))]
ENHANCED = [
    ((1, 3), 288, (1, 1), (35, 35)),
    ((3, 1), 384, (1, 1), (35, 35)),
    ((3, 3), 384, (2, 2), (17, 17)),
]
# The kernels and their order are the figure's; filters and strides are ours.
FIGURE_7 = [
    ((1, 1), 288, (1, 1), (35, 35)),
    ((1, 3), 288, (1, 2), (35, 17)),
    ((3, 1), 384, (2, 1), (17, 17)),
]
FIRST_BRANCHES = {
    "inception_v3": PLAIN,
    "inception_v100": ENHANCED,
    "inception_v100_figure7": FIGURE_7,
    "inception_v200": ENHANCED,
    "inception_v200_figure6": PLAIN,
}


@pytest.mark.parametrize("name", INCEPTIONS)
def test_first_branch_of_the_reduction(name, trunks):
    """Walked from the block's output upwards, so the order is what the graph computes."""
    seen, tensor = [], trunks[name].get_layer("mixed_6a_concat").input[0]
    start = trunks[name].get_layer("mixed_5d_concat").output
    while tensor is not start:
        layer, _, _ = tensor._keras_history
        if isinstance(layer, keras.layers.Conv2D):
            grid = layer.output.shape[1:3]
            seen.insert(0, (layer.kernel_size, layer.filters, layer.strides, grid))
        tensor = layer.input
    assert seen == FIRST_BRANCHES[name]


@pytest.mark.parametrize("name", INCEPTIONS)
def test_batch_norms_and_convolutions_are_the_sources(name, trunks):
    layers = trunks[name].layers
    norms = [layer for layer in layers if isinstance(layer, keras.layers.BatchNormalization)]
    convolutions = [layer for layer in layers if isinstance(layer, keras.layers.Conv2D)]
    assert len(norms) == len(convolutions) > 80
    for norm in norms:
        assert (norm.epsilon, norm.momentum) == (1e-3, 0.9)
        assert norm.scale and norm.center
    assert not any(convolution.use_bias for convolution in convolutions)


def test_average_pooling_counts_the_padding_as_zeros(trunks):
    # By hand: at a corner 4 of the 9 pixels are real ones, at an edge 6.
    expected = np.array([[4, 6, 6, 4], [6, 9, 9, 6], [6, 9, 9, 6], [4, 6, 6, 4]]) / 9
    trunk = trunks["inception_v200"]
    blocks = ("5b", "5c", "5d", "6b", "6c", "6e", "7b", "7c")
    for block in blocks:
        pad = trunk.get_layer(f"mixed_{block}_avgpool.pad")
        pool = trunk.get_layer(f"mixed_{block}_avgpool")
        assert pool.input is pad.output
        pooled = pool(pad(np.ones((1, 4, 4, 1), np.float32)))
        np.testing.assert_allclose(np.asarray(pooled)[0, :, :, 0], expected, rtol=1e-6)
    pools = [y for y in trunk.layers if isinstance(y, keras.layers.AveragePooling2D)]
    assert len(pools) == len(blocks)


def test_initial_values_are_the_sources():
    keras.utils.set_random_seed(0)
    pixels, tap = keras.Input((75, 75, 3)), keras.Input((17, 17, 768))
    last = inception_features(INCEPTIONS["inception_v200"], pixels).last
    aux = keras.Model(tap, auxiliary_head(tap, 7))
    # Cut at two sigma, a normal of sigma 0.1 has a deviation of 0.08796 (scipy's truncnorm).
    for layer in [*keras.Model(pixels, last).layers, *aux.layers]:
        if isinstance(layer, keras.layers.Conv2D):
            kernel = np.asarray(layer.kernel)
            assert np.abs(kernel).max() <= 0.2 + 1e-7
            if kernel.size > 100_000:
                assert np.abs(kernel).max() > 0.19
                np.testing.assert_allclose(kernel.std(), 0.08796, rtol=0.01)
        if isinstance(layer, keras.layers.BatchNormalization):
            assert (np.asarray(layer.gamma) == 1).all()
            assert (np.asarray(layer.beta) == 0).all()
    dense = aux.get_layer("aux_logits")
    kernel, bias = np.asarray(dense.kernel), np.asarray(dense.bias)
    assert 0.0018 < np.abs(kernel).max() <= 0.002
    assert 0 < np.abs(bias).max() <= 768**-0.5


# Logits and auxiliary logits of torchvision 0.28.0's Inception3 (torch 2.13.0, float64) in
# evaluation mode; for V200 with Mixed_6d replaced by Identity and Mixed_6a's first branch by
# BasicConv2d 1x3 (288, padding (0, 1)), 3x1 (384, padding (1, 0)), 3x3 (384, stride 2). The
# weights and the input come from `torchvision_values` and RandomState(1000), in PyTorch's layout.
GOLDEN = {
    "inception_v3": (
        [1.424637, 2.812568, -0.648477, -1.365982, 1.575756, -0.736798, 1.430917],
        [1.856572, -3.119052, 0.636015, 0.309592, -1.498745, 1.342932, -2.503039],
    ),
    "inception_v200": (
        [0.030735, 1.455449, -3.570671, 2.288161, 2.293479, -1.742508, 2.045929],
        [2.033061, -3.535505, -0.818682, 0.020975, -2.28754, -1.389115, -2.384493],
    ),
}


def set_torchvision_values(model) -> None:
    """Weights by the rank of a convolution's name, as the golden script set them."""
    names = sorted(
        layer.name.removesuffix("_conv")
        for layer in _leaves(model)
        if isinstance(layer, keras.layers.Conv2D)
    )
    layers = {layer.name: layer for layer in _leaves(model)}
    for number, name in enumerate(names):
        # RandomState's streams are frozen: NumPy promises never to change them.
        random = np.random.RandomState(number)
        height, width, inputs, outputs = layers[f"{name}_conv"].kernel.shape
        kernel = random.standard_normal((outputs, inputs, height, width))
        kernel *= np.sqrt(2 / (inputs * height * width))
        layers[f"{name}_conv"].kernel.assign(kernel.transpose(2, 3, 1, 0))
        norm = layers[f"{name}_bn"]
        norm.gamma.assign(1 + 0.1 * random.standard_normal(outputs))
        norm.beta.assign(0.1 * random.standard_normal(outputs))
        norm.moving_mean.assign(0.1 * random.standard_normal(outputs))
        norm.moving_variance.assign(np.exp(0.1 * random.standard_normal(outputs)))
    for seed, name in ((1001, "logits"), (1002, "aux_logits")):
        random, dense = np.random.RandomState(seed), layers[name]
        inputs, outputs = dense.kernel.shape
        dense.kernel.assign(random.standard_normal((outputs, inputs)).T / np.sqrt(inputs))
        dense.bias.assign(random.standard_normal(outputs))


def _leaves(model):
    for layer in model.layers:
        if isinstance(layer, keras.Model):
            yield from _leaves(layer)
        else:
            yield layer


@pytest.mark.parametrize("name", GOLDEN)
def test_outputs_equal_torchvisions(name, trunks, with_heads, request):
    before = [np.array(w) for w in with_heads[name].weights]
    set_torchvision_values(with_heads[name])
    pixels = np.random.RandomState(1000).standard_normal((1, 3, 299, 299)).astype(np.float32)
    outputs = with_heads[name](pixels.transpose(0, 2, 3, 1), training=False)
    for weight, value in zip(with_heads[name].weights, before, strict=True):
        weight.assign(value)
    for ours, theirs in zip(outputs, GOLDEN[name], strict=True):
        np.testing.assert_allclose(np.asarray(ours)[0], theirs, atol=5e-5)


def test_refusals():
    config = INCEPTIONS["inception_v200"]
    contracts.check_refusals(
        {
            "at least 75 px, because their last grid has no pixel left below that. "
            "Received: image_size=74": lambda: inception_features(config, keras.Input((74, 74, 3))),
            "at least 17x17 (a 299 px input); this one is 16x16. Use image_size=299": lambda: (
                auxiliary_head(keras.Input((16, 16, 768)), 10)
            ),
        }
    )


@pytest.mark.parametrize("name", ["inception_v100_figure7", "inception_v200"])
def test_75_px_is_really_the_smallest(name):
    # By hand: 75 -> 37 -> 35 -> 35 -> 17 -> 17 -> 15 -> 7 (stem), 7 -> 3 -> 1 (reductions).
    with seeded_weights.no_initial_values():
        maps = inception_features(INCEPTIONS[name], keras.Input((75, 75, 3)))
    assert (maps.last.shape, maps.auxiliary.shape) == ((None, 1, 1, 2048), (None, 3, 3, 768))


@pytest.mark.parametrize(
    ("layer", "module"),
    [
        ("stem_1a_conv", "Conv2d_1a_3x3.conv"),
        ("stem_3b_bn", "Conv2d_3b_1x1.bn"),
        ("mixed_5b_pool_conv", "Mixed_5b.branch_pool.conv"),
        ("mixed_6a_3x3_conv", "Mixed_6a.branch3x3.conv"),
        ("mixed_6a_1x3_bn", "Mixed_6a.branch1x3.bn"),
        ("mixed_6b_7x7dbl_5_bn", "Mixed_6b.branch7x7dbl_5.bn"),
        ("mixed_7a_7x7x3_4_conv", "Mixed_7a.branch7x7x3_4.conv"),
        ("mixed_7c_3x3dbl_3b_conv", "Mixed_7c.branch3x3dbl_3b.conv"),
        ("aux_5x5_conv", "AuxLogits.conv1.conv"),
        ("aux_logits", "AuxLogits.fc"),
        ("logits", "fc"),
        ("preprocessing", "preprocessing"),
    ],
)
def test_modules_are_torchvisions(layer, module):
    assert torchvision_module(layer) == module


@pytest.mark.peers
@pytest.mark.slow
@pytest.mark.parametrize("name", INCEPTIONS)
def test_a_small_picture_as_torchvision_sees_it(name):
    # All have the same kinds of layers.
    both = name == "inception_v200"
    policies = ("float64", "float32") if both else ("float64",)
    check_twin(name, size=107, module_of=torchvision_module, policies=policies)


@pytest.mark.peers
@pytest.mark.slow
def test_both_heads_are_torchvisions():
    """At 299 px, where its whole state dict loads, heads included: both give its logits."""
    theirs = twin("inception_v3_with_heads", size=299, batch=2)
    with contracts.global_policy("float64"), seeded_weights.no_initial_values():
        trunk = networks.trunk_of(create_backbone("inception_v3", image_size=299))
        features, tap = trunk.outputs
        pooled = keras.layers.GlobalAveragePooling2D()(features)
        logits = keras.layers.Dense(1000, name="logits")(pooled)
        model = keras.Model(trunk.input, [logits, auxiliary_head(tap, 1000)])
    assign_state_dict(model, read_state_dict(theirs.state), torchvision_module)
    pixels = theirs.values["pixels"].astype("float64")
    main, _ = model(pixels, training=False)
    np.testing.assert_allclose(main, theirs.values["logits"], atol=1e-9)
    _, auxiliary = model(pixels, training=True)
    # The head's last layer computes in float32 whatever the policy is.
    np.testing.assert_allclose(auxiliary, theirs.values["training_auxiliary"], atol=1e-4)
