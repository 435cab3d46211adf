"""The benchmark of the networks: its counts by hand and as published, and the command itself."""

from __future__ import annotations

import json

import keras
import pytest
from keras import layers

from experiments.benchmarks import networks
from experiments.benchmarks.comparison import Setting
from experiments.benchmarks.multiply_adds import count_multiply_adds
from landmarks_tf.models import create_backbone
from landmarks_tf.models.blocks import convolution
from tests import seeded_weights


def test_multiply_adds_by_hand():
    x = keras.Input((8, 8, 4))
    y = convolution(x, 6, 3, stride=2, padding=1, name="a")  # 4 * 4 * 6 outputs of 3 * 3 * 4
    y = layers.DepthwiseConv2D(3, padding="same")(y)  # 4 * 4 * 6 outputs of 3 * 3
    y = convolution(y, 8, 1, groups=2, name="b")  # 4 * 4 * 8 outputs of 3
    y = layers.Dense(5)(layers.Flatten()(layers.ReLU()(y)))  # 5 outputs of 4 * 4 * 8
    expected = 96 * 36 + 96 * 9 + 128 * 3 + 5 * 128
    assert count_multiply_adds(keras.Model(x, y)) == expected


def test_an_unknown_kernel_is_not_counted_as_nothing():
    x = keras.Input((8, 4))
    model = keras.Model(x, layers.Conv1D(3, 2)(x))
    with pytest.raises(ValueError, match=r"multiply-adds of a Conv1D .* are not known"):
        count_multiply_adds(model)


def test_torchvisions_published_count():
    # torchvision states 4.089 billion for ResNet50 at 224 px, classifier included.
    with seeded_weights.no_initial_values():
        trunk = create_backbone("resnet50", image_size=224).model
    assert round((count_multiply_adds(trunk) + 2048 * 1000) / 1e9, 3) == 4.089


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--networks", "resnet5"], "There is no backbone 'resnet5'. Nearest: resnet50"),
        (["--image-size", "64", "--networks", "inception_v3"], "at least 75 px. Received: --image"),
        (["--batch", "0"], "batch_size must be at least 1. Received: 0"),
        (["--seconds", "-1"], "seconds must not be negative"),
    ],
)
def test_mistakes_are_told(arguments, message, capsys):
    assert networks.main(arguments) == 2
    assert message in capsys.readouterr().err


def test_settings_are_checked():
    with pytest.raises(ValueError, match="repeats must be at least 1"):
        Setting(repeats=0)


@pytest.mark.slow
def test_the_command(tmp_path, capsys):
    # Its thirteen convolutions are compiled soonest.
    arguments = ["--networks", "vgg16", "--image-size", "32", "--batch", "2"]
    arguments += ["--repeats", "2", "--seconds", "0", "--json", "--out", str(tmp_path)]
    assert networks.main(arguments) == 0
    printed = json.loads(capsys.readouterr().out)
    assert printed == json.loads((tmp_path / "networks.json").read_text())
    (entry,) = printed["networks"]
    assert entry["name"] == "vgg16"
    assert entry["parameters"] == entry["twin"]["parameters"] == 14_714_688
    assert entry["multiply_adds"] == entry["twin"]["multiply_adds"] > 0
    for mode in ("inference", "training"):
        assert entry[mode]["images_per_s"] > 0
        assert len(entry[mode]["seconds_per_step"]) == 2
        assert entry["ratio"][mode]["median"] > 0
        assert entry["memory"][f"{mode}_mib"] > 0
    assert "keras.applications.VGG16" in (tmp_path / "networks.md").read_text()
