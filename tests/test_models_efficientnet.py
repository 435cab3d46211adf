"""EfficientNet-B0: counts, table 1 of its paper, and three other programs' own networks."""

from __future__ import annotations

import hashlib

import keras
import numpy as np
import pytest

from landmarks_tf.models import (
    build_embedder,
    build_landmark_model,
    count_parameters,
    create_backbone,
)
from landmarks_tf.models.efficientnet import (
    EFFICIENTNETS,
    lukemelas_module,
    torchvision_module,
)
from tests import contracts, seeded_weights
from tests.torch_twins import check_twin, twin

pytestmark = contracts.IGNORE_ARRAY_COPY


@pytest.fixture(scope="module")
def backbones():
    keras.utils.set_random_seed(0)
    return {name: create_backbone(name, image_size=64) for name in EFFICIENTNETS}


def images(batch=6, size=64):
    shape = (batch, size, size, 3)
    return np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)


def weighted(model):
    return [layer for layer in model.layers if layer.weights]


@pytest.mark.parametrize("name", EFFICIENTNETS)
def test_counts(name, backbones):
    """Section 1.8: 5,147,638 at 890 classes; the paper's 5.3M at 1000 are 5,288,548."""
    backbone = backbones[name]
    assert count_parameters(backbone.model)["trainable"] == 4_007_548
    embedder = build_embedder(backbone)
    for num_classes, learned in ((890, 5_147_638), (1000, 5_288_548)):
        model = build_landmark_model(
            embedder, backbone, num_classes=num_classes, head="softmax", head_dropout=0.0
        )
        assert count_parameters(model.trainer)["trainable"] == learned


@pytest.mark.parametrize("name", EFFICIENTNETS)
def test_table_1_of_the_paper(name):
    """Sides and channels at 224 px: what each stage, the stem and the head hand on."""
    with seeded_weights.no_initial_values():
        model = create_backbone(name, image_size=224).model
    stages = [
        ("bn1.act", 112, 32),
        ("blocks.0.0.bn2", 112, 16),
        ("blocks.1.1.add", 56, 24),
        ("blocks.2.1.add", 28, 40),
        ("blocks.3.2.add", 14, 80),
        ("blocks.4.2.add", 14, 112),
        ("blocks.5.3.add", 7, 192),
        ("blocks.6.0.bn3", 7, 320),
        ("bn2.act", 7, 1280),
    ]
    for layer, side, channels in stages:
        assert model.get_layer(layer).output.shape == (None, side, side, channels), layer
    assert len([y for y in model.layers if y.name.endswith(".conv_dw")]) == 16


def test_squeezes_are_a_quarter_of_the_blocks_input(backbones):
    model = backbones["efficientnet_b0"].model
    widths = [y.filters for y in model.layers if y.name.endswith(".se.conv_reduce")]
    assert widths == [8, 4, 6, 6, 10, 10, 20, 20, 20, 28, 28, 28, 48, 48, 48, 48]
    for part in ("conv_reduce", "conv_expand"):
        assert model.get_layer(f"blocks.3.1.se.{part}").use_bias


def test_norms_are_the_sources(backbones):
    def norms(name):
        layers = backbones[name].model.layers
        found = [y for y in layers if isinstance(y, keras.layers.BatchNormalization)]
        assert len(found) == 49
        return {(y.epsilon, y.momentum) for y in found}

    assert norms("efficientnet_b0") == {(1e-3, 0.99)}
    assert norms("efficientnet_b0_torchvision") == {(1e-5, 0.9)}


@pytest.mark.parametrize("name", EFFICIENTNETS)
def test_drop_connect_rises_linearly_over_the_blocks(name, backbones):
    model = backbones[name].model
    rates = {y.name: y.rate for y in model.layers if isinstance(y, keras.layers.Dropout)}
    # The blocks that keep their map's shape, by their place among the sixteen.
    places = {"1.1": 2, "2.1": 4, "3.1": 6, "3.2": 7, "4.1": 9, "4.2": 10}
    places |= {"5.1": 12, "5.2": 13, "5.3": 14}
    expected = {f"blocks.{block}.drop_path": 0.2 * at / 16 for block, at in places.items()}
    assert rates == pytest.approx(expected)


def test_drop_connect_drops_whole_pictures_in_training_only(backbones):
    layer = backbones["efficientnet_b0"].model.get_layer("blocks.5.3.drop_path")
    maps = np.ones((400, 2, 2, 192), np.float32)
    np.testing.assert_array_equal(layer(maps, training=False), maps)
    dropped = np.asarray(layer(maps, training=True)).reshape(400, -1)
    assert (dropped == dropped[:, :1]).all()
    np.testing.assert_allclose(np.unique(dropped), [0, 1 / (1 - 0.175)], rtol=1e-6)
    # 70 of 400 are expected, with a deviation of 7.6.
    assert 40 <= (dropped[:, 0] == 0).sum() <= 100


def test_initial_values_are_each_programs(backbones):
    def deviation(name, layer):
        return np.asarray(backbones[name].model.get_layer(layer).weights[0]).std()

    # PyTorch's default: uniform within 1/sqrt(fan-in), a deviation of 1/sqrt(3 fan-in).
    for layer, fan_in in (("blocks.5.1.conv_pw", 192), ("blocks.5.1.conv_dw", 25)):
        expected = (3 * fan_in) ** -0.5
        np.testing.assert_allclose(deviation("efficientnet_b0", layer), expected, rtol=0.02)
    bias = np.asarray(
        backbones["efficientnet_b0"].model.get_layer("blocks.5.1.se.conv_expand").bias
    )
    assert 0.9 * 48**-0.5 < np.abs(bias).max() <= 48**-0.5

    # torchvision: normal with variance 2 / (kernel's area x outputs).
    other = "efficientnet_b0_torchvision"
    for layer, fan_out in (("blocks.5.1.conv_pw", 1152), ("blocks.5.1.conv_dw", 25 * 1152)):
        np.testing.assert_allclose(deviation(other, layer), (2 / fan_out) ** 0.5, rtol=0.02)
    assert not np.asarray(backbones[other].model.get_layer("blocks.5.1.se.conv_expand").bias).any()


@pytest.mark.parametrize("size", [64, 75])
def test_keras_own_network_is_the_same_trunk(size):
    """TensorFlow's paddings at even and odd sides; Keras' own standardisation starts as x / 255."""
    with seeded_weights.no_initial_values():
        theirs = keras.applications.EfficientNetB0(
            include_top=False, weights=None, input_shape=(size, size, 3)
        )
        backbone = create_backbone("efficientnet_b0", image_size=size)
    rng = np.random.default_rng(0)
    kept = [y for y in weighted(theirs) if not isinstance(y, keras.layers.Normalization)]
    for mine, other in zip(weighted(backbone.model), kept, strict=True):
        assert isinstance(mine, type(other))  # our batch norm is a kind of Keras'
        values = [0.1 * rng.normal(size=w.shape) for w in mine.weights]
        if isinstance(mine, keras.layers.BatchNormalization):
            values = [1 + values[0], values[1], values[2], np.exp(values[3])]
        mine.set_weights(values)
        other.set_weights(values)
    pixels = images(2, size).astype(np.float32)
    network = keras.Model(backbone.model.get_layer("preprocessing").output, backbone.model.output)
    expected = np.asarray(theirs(pixels, training=False))
    actual = np.asarray(network(pixels / 255, training=False))
    np.testing.assert_allclose(actual, expected, atol=1e-5 * np.abs(expected).max())


def test_contract(tmp_path):
    keras.utils.set_random_seed(0)
    embedder = build_embedder(create_backbone("efficientnet_b0", image_size=64))
    contracts.check_model(embedder, images(), tmp_path)
    contracts.check_step_of_model(embedder, images())


def test_half_precision():
    keras.utils.set_random_seed(0)
    contracts.check_half_precision(
        lambda: build_embedder(create_backbone("efficientnet_b0", image_size=64)), images(8)
    )


@pytest.mark.peers
@pytest.mark.parametrize(("size", "policies"), [(64, ("float64", "float32")), (65, ("float64",))])
def test_timms_own_network(size, policies):
    """Maps of even sides throughout, and of odd ones."""
    check_twin("efficientnet_b0", size=size, policies=policies)


@pytest.mark.peers
@pytest.mark.parametrize(("size", "policies"), [(64, ("float64", "float32")), (75, ("float64",))])
def test_torchvisions_own_network(size, policies):
    check_twin(
        "efficientnet_b0_torchvision", size=size, module_of=torchvision_module, policies=policies
    )


@pytest.mark.peers
def test_kernels_start_as_spread_as_torchvisions(backbones):
    values = twin("efficientnet_b0_torchvision").values
    compared = 0
    for layer in weighted(backbones["efficientnet_b0_torchvision"].model):
        kernel = np.asarray(layer.weights[0])
        if kernel.ndim == 4 and kernel.size > 5000:
            theirs = values[f"spread:{torchvision_module(layer.name)}"]
            np.testing.assert_allclose(kernel.std(), theirs, rtol=0.1, err_msg=layer.name)
            compared += 1
    assert compared > 40


@pytest.mark.parametrize(
    ("layer", "torchvisions", "lukemelas"),
    [
        ("conv_stem", "features.0.0", "_conv_stem"),
        ("blocks.0.0.conv_pw", "features.1.0.block.2.0", "_blocks.0._project_conv"),
        ("blocks.0.0.bn1", "features.1.0.block.0.1", "_blocks.0._bn1"),
        ("blocks.2.1.conv_pw", "features.3.1.block.0.0", "_blocks.4._expand_conv"),
        ("blocks.2.1.bn1", "features.3.1.block.0.1", "_blocks.4._bn0"),
        ("blocks.6.0.se.conv_reduce", "features.7.0.block.2.fc1", "_blocks.15._se_reduce"),
        ("bn2", "features.8.1", "_bn1"),
        ("logits", "logits", "logits"),
        ("blocks.2.1.conv_other", "blocks.2.1.conv_other", "blocks.2.1.conv_other"),
    ],
)
def test_names_of_the_other_programs(layer, torchvisions, lukemelas):
    assert torchvision_module(layer) == torchvisions
    assert lukemelas_module(layer) == lukemelas


# SHA-256 of the sorted lines "entry shape" of efficientnet_pytorch 0.7.1's state dict of
# `EfficientNet.from_name("efficientnet-b0")`, joined by newlines: 360 entries.
LUKEMELAS_ENTRIES = "46d4a316864cc7cb2f6ff126d7cfb14ab510e6d12516273ce028d291267cd978"


def test_every_entry_of_efficientnet_pytorch_has_its_layer(backbones):
    shapes = {"_fc.weight": (1000, 1280), "_fc.bias": (1000,)}
    for layer in weighted(backbones["efficientnet_b0"].model):
        suffixes = ["weight", "bias"]
        given = [tuple(w.shape) for w in layer.weights]
        if isinstance(layer, keras.layers.BatchNormalization):
            suffixes += ["running_mean", "running_var", "num_batches_tracked"]
            given.append(())
        else:
            height, width, inputs, outputs = given[0]
            depthwise = isinstance(layer, keras.layers.DepthwiseConv2D)
            channels = (inputs, outputs) if depthwise else (outputs, inputs)
            given[0] = (*channels, height, width)
        module = lukemelas_module(layer.name)
        shapes |= {f"{module}.{s}": g for s, g in zip(suffixes, given, strict=False)}
    assert len(shapes) == 360
    lines = "\n".join(sorted(f"{entry} {shape}" for entry, shape in shapes.items()))
    assert hashlib.sha256(lines.encode()).hexdigest() == LUKEMELAS_ENTRIES
