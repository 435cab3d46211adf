"""Keras files and layers: by name, by class, by order, and what is said where they do not fit."""

from __future__ import annotations

import h5py
import keras
import numpy as np
import pytest
from keras import layers

from landmarks_tf.models.keras_weights import read_keras_weights
from tests import contracts

pytestmark = contracts.IGNORE_ARRAY_COPY


def network(prefix: str = "", *, seed: int = 0, width: int = 4, extra: bool = False):
    keras.utils.set_random_seed(seed)
    x = inputs = keras.Input((8, 8, 3), name="image")
    x = layers.Conv2D(3, 1, name=f"{prefix}zeroth")(x)
    x = layers.Conv2D(width, 3, name=f"{prefix}first")(x)
    x = layers.BatchNormalization(name=f"{prefix}norm")(x)
    x = layers.Conv2D(5, 1, name=f"{prefix}second")(x)
    if extra:
        x = layers.Dense(7, name="predictions")(layers.GlobalAveragePooling2D()(x))
    return keras.Model(inputs, x)


@pytest.fixture(scope="module")
def model():
    return network()


def save(model, path):
    if path.name.endswith(".weights.h5"):
        model.save_weights(path)
    else:
        model.save(path)
    return path


def same(values, other: keras.Model) -> bool:
    return all(
        np.array_equal(array, np.asarray(weight))
        for (_, array), weight in zip(values, other.weights, strict=True)
    )


@pytest.mark.parametrize("ending", [".h5", ".weights.h5", ".keras"])
def test_every_array_finds_its_weight(model, ending, tmp_path):
    other = network(seed=1)
    before = [np.array(weight) for weight in model.weights]
    values = read_keras_weights(model, save(other, tmp_path / f"file{ending}"))
    assert [weight.path for weight, _ in values] == [weight.path for weight in model.weights]
    assert same(values, other) and not same(values, model)
    for weight, old in zip(model.weights, before, strict=True):
        np.testing.assert_array_equal(np.asarray(weight), old)  # nothing is assigned


def test_a_file_of_keras_3_without_names(model, tmp_path):
    other = network(seed=1)
    path = save(other, tmp_path / "file.weights.h5")
    with h5py.File(path, "r+") as file:
        for key in file["layers"]:
            del file[f"layers/{key}/vars"].attrs["name"]
    assert same(read_keras_weights(model, path), other)


def test_other_names_in_the_same_order(model, tmp_path):
    other = network("older_", seed=1)
    path = save(other, tmp_path / "file.h5")
    with pytest.raises(ValueError, match="layer 'zeroth' has weights of shapes"):
        read_keras_weights(model, path)
    assert same(read_keras_weights(model, path, by_order=True), other)


def test_a_file_of_keras_3_has_no_order(model, tmp_path):
    path = save(network("older_"), tmp_path / "file.weights.h5")
    with pytest.raises(ValueError, match="the file has no layer of that name"):
        read_keras_weights(model, path, by_order=True)


def refusal(model, other, path, **options) -> str:
    with pytest.raises(ValueError) as caught:
        read_keras_weights(model, save(other, path), **options)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("ending", [".h5", ".weights.h5", ".keras"])
def test_the_first_layer_that_differs_with_both_shapes(model, ending, tmp_path):
    message = refusal(model, network(width=6), tmp_path / f"file{ending}", by_order=True)
    assert message == (
        "layer 'first' has weights of shapes (3, 3, 3, 4), (4,), the file's are (3, 3, 3, 6), "
        "(6,) (expected 4 layers, found 4)"
    )


@pytest.mark.parametrize("ending", [".h5", ".weights.h5", ".keras"])
def test_a_classifier_on_top(model, ending, tmp_path):
    message = refusal(model, network(extra=True), tmp_path / f"file{ending}", by_order=True)
    assert message == (
        "the file's layer 'predictions' has weights of shapes (5, 7), (7,), the network has no "
        "layer of that name (expected 4 layers, found 5)"
    )


def test_too_few_layers(tmp_path, model):
    message = refusal(network(extra=True), model, tmp_path / "file.h5")
    assert message == (
        "layer 'predictions' has weights of shapes (5, 7), (7,), the file has no layer of that "
        "name (expected 5 layers, found 4)"
    )


def test_two_layers_of_one_name(model, tmp_path):
    path = save(model, tmp_path / "file.weights.h5")
    with h5py.File(path, "r+") as file:
        file["layers/conv2d_1/vars"].attrs["name"] = "zeroth"
    with pytest.raises(ValueError, match="the file holds two layers 'zeroth'"):
        read_keras_weights(model, path)
