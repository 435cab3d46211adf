"""Names that tell one well-known network from another."""

from __future__ import annotations

import keras
import pytest

from landmarks_tf.models.known_networks import guess_network
from landmarks_tf.models.torch_files import read_state_dict
from tests import seeded_weights
from tests.torch_twins import twin


@pytest.mark.parametrize(
    ("function", "guess"),
    [
        ("MobileNetV2", "MobileNetV2 of keras.applications"),
        ("ResNet50", "ResNet50 of keras.applications"),
        ("ResNet101", "ResNet101 of keras.applications"),
        ("VGG16", "VGG16 of keras.applications"),
        ("VGG19", "VGG19 of keras.applications"),
    ],
)
def test_keras_networks(function, guess):
    build = getattr(keras.applications, function)
    with seeded_weights.no_initial_values():
        model = build(include_top=False, weights=None, input_shape=(32, 32, 3))
    assert guess_network({layer.name for layer in model.layers}) == guess


@pytest.mark.peers
@pytest.mark.parametrize(
    ("name", "guess"),
    [
        ("resnet50", "ResNet-50 as torchvision has it"),
        ("resnet101", "ResNet-101 as torchvision has it"),
        ("se_resnext101", "SE-ResNeXt101 as timm has it"),
    ],
)
def test_pytorch_networks(name, guess):
    assert guess_network(read_state_dict(twin(name, batch=0).state)) == guess


def test_no_well_known_network():
    assert guess_network({"dense", "dense_1"}) is None
    assert guess_network(()) is None
