"""Backbones from files of weights: built, compared, refused, for the tests of `weights`."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from landmarks_tf.models import create_backbone
from landmarks_tf.models.preprocessing import PREPROCESSINGS
from tests import seeded_weights


def mobilenet(seed: int = 3, **options) -> keras.Model:
    """A MobileNetV2 of `keras.applications` with random weights."""
    keras.utils.set_random_seed(seed)
    options = {"include_top": False, **options}
    return keras.applications.MobileNetV2((32, 32, 3), weights=None, **options)


def create(weights, *, name: str = "mobilenet_v2", image_size: int = 32, **options) -> keras.Model:
    """Our backbone with the weights of a file or a row; random ones for None."""
    if weights is None:
        return create_backbone(name, image_size=image_size, **options).model
    # What the file lacks would stay zero.
    with seeded_weights.no_initial_values():
        return create_backbone(name, image_size=image_size, weights=str(weights), **options).model


def same(model, other) -> bool:
    """Whether two models hold the same numbers, weight by weight."""
    pairs = zip(model.weights, other.weights, strict=True)
    return all(np.array_equal(np.asarray(a), np.asarray(b)) for a, b in pairs)


def refusal(path, **options) -> str:
    """What `create` says, in one line, of weights that it refuses."""
    with pytest.raises(ValueError) as caught:
        create(path, **options)
    message = str(caught.value)
    assert "\n" not in message
    return message


def read_scaling(model) -> tuple:
    """What a backbone does to the values of its pictures."""
    layer = model.get_layer("preprocessing")
    return layer.scale, layer.offset, layer.reverse_channels


def expected_scaling(name) -> tuple:
    """What the preprocessing of that name should do to them."""
    layer = PREPROCESSINGS[name].layer()
    return layer.scale, layer.offset, layer.reverse_channels
