"""Blocks of small networks, read back and compared with what was built."""

from __future__ import annotations

import keras
import pytest
from keras import layers

from landmarks_tf.plots.block_graph import Box, Fork, boxes_of, read_block, read_blocks


def conv(x, filters, kernel, name, **options):
    x = layers.Conv2D(filters, kernel, name=f"{name}_conv", **options)(x)
    x = layers.BatchNormalization(name=f"{name}_bn")(x)
    return layers.ReLU(name=f"{name}_relu")(x)


@pytest.fixture(scope="module")
def network():
    """stem -> body (a nested fork and a pool) -> tail (a residual), 16 px in."""
    pixels = keras.Input((16, 16, 3), name="image")
    x = conv(pixels, 4, 3, "stem_1", padding="same")
    wide = conv(x, 5, 1, "body_a1")
    wide = layers.Concatenate(name="body_a_concat")(
        [
            conv(wide, 6, (1, 3), "body_a2", padding="same", strides=2),
            conv(wide, 7, (3, 1), "body_a3", padding="same", strides=2),
        ]
    )
    pooled = layers.ZeroPadding2D(1, name="body_pad")(x)
    pooled = layers.AveragePooling2D(3, strides=2, name="body_pool")(pooled)
    x = layers.Concatenate(name="body_concat")([wide, pooled])
    y = layers.DepthwiseConv2D(3, padding="same", name="tail.depthwise")(x)
    x = layers.Add(name="tail.add")([x, y])
    return keras.Model(pixels, layers.GlobalAveragePooling2D(name="pool")(x), name="network")


THEN = ("batch norm", "ReLU")


def test_a_nested_fork_is_read_in_the_order_of_its_joins(network):
    block = read_block(network, "body")
    first = (
        Box("body_a1_conv", "1x1 conv", "5 filters, stride 1", (16, 16, 5), THEN),
        Fork(
            (
                (Box("body_a2_conv", "1x3 conv", "6 filters, stride 2", (8, 8, 6), THEN),),
                (Box("body_a3_conv", "3x1 conv", "7 filters, stride 2", (8, 8, 7), THEN),),
            ),
            Box("body_a_concat", "concat", "6 + 7 channels", (8, 8, 13)),
        ),
    )
    second = (Box("body_pool", "3x3 average pool", "stride 2, zero-padded", (8, 8, 4)),)
    join = Box("body_concat", "concat", "13 + 4 channels", (8, 8, 17))
    assert block.steps == (Fork((first, second), join),)
    assert (block.entrance, block.exit) == ((16, 16, 4), (8, 8, 17))
    # Kernels and biases, then a scale and a shift a channel.
    convolutions = (4 * 5 + 5) + (3 * 5 * 6 + 6) + (3 * 5 * 7 + 7)
    assert block.parameters == convolutions + 2 * (5 + 6 + 7)
    names = [[box.layer for box in branch] for branch in block.branches]
    assert names == [["body_a1_conv", "body_a2_conv", "body_a3_conv"], ["body_pool"]]


def test_strides_that_differ_and_lines_of_a_box():
    pixels = keras.Input((6, 6, 1))
    thin = layers.Conv2D(2, (1, 3), strides=(1, 2), name="b.thin")(pixels)
    block = read_block(keras.Model(pixels, thin), "b")
    (box,) = boxes_of(block.steps)
    assert box.lines() == ("1x3 conv", "2 filters, stride 1x2", "6x2x2")
    assert box.then == ()
    assert block.branches == ((box,),)


def test_a_shortcut_is_an_empty_branch(network):
    (fork,) = read_block(network, "tail").steps
    assert fork.branches == ((), (Box("tail.depthwise", "DepthwiseConv2D", "", (8, 8, 17)),))
    assert fork.join.lines() == ("Add", "8x8x17")


def test_blocks_of_a_pattern_come_in_the_networks_order(network):
    blocks = read_blocks(network, "tail|body|stem")
    assert [block.name for block in blocks] == ["stem", "body", "tail"]
    assert [block.exit for block in blocks] == [(16, 16, 4), (8, 8, 17), (8, 8, 17)]


def test_what_is_no_block_is_refused(network):
    with pytest.raises(ValueError, match="network has no layer whose name begins with 'mixed'"):
        read_block(network, "mixed")
    pixels = keras.Input((6, 6, 1))
    outputs = [layers.Conv2D(1, 1, name=f"b_{number}")(pixels) for number in range(2)]
    with pytest.raises(ValueError, match=r"one exit\. The layers of two .* have 1 and 2"):
        read_block(keras.Model(pixels, outputs, name="two"), "b")
