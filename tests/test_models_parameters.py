"""Parameter counts against the table of reproduction.md section 1.5."""

from __future__ import annotations

import keras
import pytest

from landmarks_tf.models import build_embedder, build_landmark_model, count_parameters
from tests.networks import inception


def counts_of(name, num_classes, auxiliary=False):
    backbone = inception(name)
    embedder = build_embedder(backbone)
    model = build_landmark_model(
        embedder, backbone, num_classes=num_classes, head="softmax", auxiliary=auxiliary
    )
    return count_parameters(model.trainer)


# name, classes, learnable without auxiliary head, of that head, with it, all stored without it.
TABLE = [
    ("inception_v3", 890, 23_609_178, 3_242_106, 26_851_284, 23_643_610),
    ("inception_v100", 890, 24_522_906, 3_242_106, 27_765_012, 24_558_682),
    ("inception_v200", 890, 22_831_898, 3_242_106, 26_074_004, 22_864_218),
    ("inception_v200_figure6", 890, 21_918_170, 3_242_106, 25_160_276, 21_949_146),
    ("inception_v3", 1000, 23_834_568, 3_326_696, 27_161_264, None),
    ("inception_v100", 1000, 24_748_296, 3_326_696, 28_074_992, None),
    ("inception_v200", 1000, 23_057_288, 3_326_696, 26_383_984, None),
    # Not in the table: V100 with Figure 7's module, see `test_figure_7s_module_by_hand`.
    ("inception_v100_figure7", 890, 23_278_554, 3_242_106, 26_520_660, 23_314_138),
]


@pytest.mark.parametrize(("name", "classes", "plain", "head", "whole", "stored"), TABLE)
def test_counts_of_the_table(name, classes, plain, head, whole, stored):
    without = counts_of(name, classes)
    assert without["trainable"] == plain
    if stored is not None:
        assert without["total"] == stored
    with_auxiliary = counts_of(name, classes, auxiliary=True)
    assert with_auxiliary["trainable"] == whole
    assert with_auxiliary["by_block"]["aux"] == head


def test_blocks_of_v100():
    assert counts_of("inception_v100", 890)["by_block"] == {
        "stem": 172_672,
        "mixed_5b": 255_904,
        "mixed_5c": 277_472,
        "mixed_5d": 285_152,
        "mixed_6a": 2_067_008,
        "mixed_6b": 1_297_408,
        "mixed_6c": 1_691_008,
        "mixed_6d": 1_691_008,
        "mixed_6e": 2_141_952,
        "mixed_7a": 1_698_304,
        "mixed_7b": 5_044_608,
        "mixed_7c": 6_076_800,
        "logits": 1_823_610,
    }


def test_blocks_of_v200_are_v100s_without_6d():
    v100 = counts_of("inception_v100", 890)["by_block"]
    v200 = counts_of("inception_v200", 890)["by_block"]
    assert v200 == {block: size for block, size in v100.items() if block != "mixed_6d"}


def test_the_enhanced_reduction_costs_913_728():
    enhanced = counts_of("inception_v200", 890)["by_block"]["mixed_6a"]
    plain = counts_of("inception_v200_figure6", 890)["by_block"]["mixed_6a"]
    assert (plain, enhanced - plain) == (1_153_280, 913_728)


def test_figure_7s_module_by_hand():
    """A convolution of k inputs and n filters learns its kernel, and n scales and n shifts."""
    first = (288 * 288 + 2 * 288) + (3 * 288 * 288 + 2 * 288) + (3 * 288 * 384 + 2 * 384)
    second = (288 * 64 + 2 * 64) + (9 * 64 * 96 + 2 * 96) + (9 * 96 * 96 + 2 * 96)
    assert (first, second) == (665_472, 157_184)
    blocks = counts_of("inception_v100_figure7", 890)["by_block"]
    assert blocks["mixed_6a"] == first + second
    v100 = counts_of("inception_v100", 890)["by_block"]
    assert blocks == v100 | {"mixed_6a": 822_656}
    # The whole: V100 with one block for the other.
    assert 24_522_906 - 2_067_008 + 822_656 == 23_278_554
    # Stored besides, two statistics a channel: V100's 35,776 with 288, 288, 384 channels in the
    # branch for its 288, 384, 384.
    assert 23_278_554 + 35_776 + 2 * (288 - 384) == 23_314_138


def test_v3_is_keras_applications_own_with_a_scale_in_every_norm():
    """Section 1.5: 21,785,568 here, 21,768,352 there; the 17,216 between are the scales."""
    theirs = keras.applications.InceptionV3(weights=None, include_top=False)
    trunk = inception("inception_v3").model
    scales = [y.gamma for y in trunk.layers if isinstance(y, keras.layers.BatchNormalization)]
    gammas = sum(gamma.shape[0] for gamma in scales)
    counts = [count_parameters(model)["trainable"] for model in (trunk, theirs)]
    assert (*counts, gammas) == (21_785_568, 21_768_352, 17_216)


def test_blocks_of_networks_named_as_pytorchs_are():
    """By hand: a dense layer of 1 input and n units learns 2 n numbers."""
    widths = {
        "conv_stem": 1,
        "conv1": 2,
        "conv1.3": 3,
        "layer1.0.conv1": 4,
        "layer1.1.downsample.0": 5,
        "blocks.0.0.conv_dw": 6,
        "blocks.0.1.se.conv_reduce": 7,
        "blocks.1.0.conv_dw": 8,
        "features.10": 9,
        "conv_head": 10,
        "logits": 11,
    }
    entrance = keras.Input((1,))
    branches = [keras.layers.Dense(width, name=name)(entrance) for name, width in widths.items()]
    model = keras.Model(entrance, branches)
    assert count_parameters(model)["by_block"] == {
        "conv_stem": 2,
        "conv1": 10,
        "layer1": 18,
        "blocks.0": 26,
        "blocks.1": 16,
        "features.10": 18,
        "conv_head": 20,
        "logits": 22,
    }


def test_blocks_add_up_and_frozen_layers_do_not_count():
    counts = count_parameters(build_embedder(inception("inception_v200")))
    assert sum(counts["by_block"].values()) == counts["trainable"]
    small = keras.Sequential(
        [
            keras.Input((3,)),
            keras.layers.Dense(2, name="block_1_dense"),
            keras.layers.BatchNormalization(name="block_1_bn"),
            keras.layers.Dropout(0.5, name="drop"),
            keras.layers.Dense(5, name="head_logits", trainable=False),
        ]
    )
    # By hand: 3 * 2 + 2 and 2 + 2 are learned, 2 + 2 statistics and 2 * 5 + 5 are stored only.
    assert count_parameters(small) == {
        "trainable": 12,
        "total": 12 + 4 + 15,
        "by_block": {"block_1": 12},
    }
