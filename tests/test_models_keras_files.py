"""Keras' weight files: layers and arrays of each format, and no way out of the file."""

from __future__ import annotations

import zipfile

import h5py
import keras
import ml_dtypes
import numpy as np
import pytest
from keras import layers

from landmarks_tf.models.keras_files import class_keys, names_in, numbers_of, open_layers
from tests import contracts

pytestmark = contracts.IGNORE_ARRAY_COPY


def network() -> keras.Model:
    keras.utils.set_random_seed(0)
    x = inputs = keras.Input((8, 8, 3), name="image")
    x = layers.Conv2D(4, 3, name="first.conv")(x)
    x = layers.BatchNormalization(name="first.bn")(x)
    x = layers.Dropout(0.5, name="dropout")(x)
    x = layers.DepthwiseConv2D(3, name="second")(x)
    x = layers.Conv2D(5, 1, name="third")(layers.ReLU(name="relu")(x))
    return keras.Model(inputs, x)


@pytest.fixture(scope="module")
def model():
    return network()


def save(model: keras.Model, path):
    """As Keras 1 and 2 (.h5), or 3 (.weights.h5, .keras) wrote a file."""
    if path.name.endswith(".weights.h5"):
        model.save_weights(path)
    else:
        model.save(path)
    return path


ENDINGS = (".h5", ".weights.h5", ".keras")


@pytest.mark.parametrize("ending", ENDINGS)
def test_every_layer_and_array(model, ending, tmp_path):
    path = save(model, tmp_path / f"file{ending}")
    other = path.rename(tmp_path / "weights")  # what it is shows in its contents
    expected = {y.name: [np.asarray(w) for w in y.weights] for y in model.layers if y.weights}
    assert sorted(names_in(other)) == sorted(expected)
    with open_layers(other) as found:
        for layer in found:
            assert layer.shapes == [array.shape for array in expected[layer.name]]
            for array, value in zip(layer.arrays, expected[layer.name], strict=True):
                np.testing.assert_array_equal(numbers_of(array), value)


def test_a_compiled_and_trained_models_file_holds_the_layers_alone(model, tmp_path):
    trained = network()
    trained.compile("adam", "mse")
    trained.train_on_batch(np.zeros((1, 8, 8, 3)), np.zeros((1, 4, 4, 5)))
    path = save(trained, tmp_path / "a.weights.h5")
    with h5py.File(path) as file:
        assert "optimizer" in file
    assert names_in(path) == names_in(save(model, tmp_path / "b.weights.h5"))


def test_a_model_inside_a_model(model, tmp_path):
    inputs = keras.Input((8, 8, 3))
    outer = keras.Model(inputs, layers.Conv2D(2, 1, name="outer")(model(inputs)))
    path = save(outer, tmp_path / "a.weights.h5")
    inner = {layer.name for layer in model.layers if layer.weights}
    assert set(names_in(path)) == inner | {"outer"}


def test_bfloat16(tmp_path):
    with contracts.global_policy("bfloat16"):
        low = network()
    with open_layers(save(low, tmp_path / "a.weights.h5")) as found:
        (third,) = (layer for layer in found if layer.name == "third")
        array = numbers_of(third.arrays[0])
    assert array.dtype == np.float32
    expected = np.asarray(low.get_layer("third").kernel.value.numpy())
    np.testing.assert_array_equal(array, expected.astype(ml_dtypes.bfloat16).astype(np.float32))


def test_names_too_long_for_one_attribute(tmp_path):
    # Keras cuts such a list into layer_names0, layer_names1, ...
    with h5py.File(tmp_path / "a.h5", "w") as file:
        for number, name in enumerate(("b", "a", "c")):
            file.attrs[f"layer_names{number}"] = [name.encode()]
            file.create_group(name).attrs["weight_names"] = [f"{name}/kernel:0".encode()]
            file[f"{name}/{name}/kernel:0"] = np.full(2, number)
    with open_layers(tmp_path / "a.h5") as found:
        assert [(y.name, numbers_of(y.arrays[0])[0]) for y in found] == [
            ("b", 0),
            ("a", 1),
            ("c", 2),
        ]


def test_class_keys_are_keras_own(model, tmp_path):
    path = save(model, tmp_path / "a.weights.h5")
    keys = class_keys([type(layer).__name__ for layer in model.layers])
    with h5py.File(path) as file:
        assert set(keys) >= set(file["layers"])
        for key, layer in zip(keys, model.layers, strict=True):
            if layer.weights:
                assert file[f"layers/{key}/vars"].attrs["name"] == layer.name


def test_more_than_ten_arrays_come_in_their_order(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        for number in range(12):
            file[f"layers/dense/vars/{number}"] = np.full(1, number)
    with open_layers(tmp_path / "a.h5") as (found,):
        assert found.name is None
        assert [numbers_of(array)[0] for array in found.arrays] == list(range(12))


def refusal(path) -> str:
    with pytest.raises(ValueError) as caught:
        names_in(path)
    message = str(caught.value)
    assert message.startswith(f"{path} is no Keras weights file that can be read: ")
    assert "\n" not in message
    return message


@pytest.mark.parametrize("ending", ENDINGS)
def test_a_file_cut_short_anywhere(model, ending, tmp_path):
    whole = save(model, tmp_path / f"whole{ending}").read_bytes()
    path = tmp_path / f"cut{ending}"
    for length in [*range(0, len(whole), len(whole) // 150), len(whole) - 1]:
        path.write_bytes(whole[:length])
        refusal(path)


def test_other_files(tmp_path):
    path = tmp_path / "a.h5"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("readme", b"")
    assert "it is a zip without 'model.weights.h5'" in refusal(path)
    with h5py.File(path, "w") as file:
        file["numbers"] = np.zeros(3)
    assert "it is HDF5, but holds no layers" in refusal(path)
    with pytest.raises(FileNotFoundError):
        names_in(tmp_path / "absent.h5")


@pytest.fixture
def secret(tmp_path):
    """A file that a weights file must not lead to."""
    with h5py.File(tmp_path / "secret.h5", "w") as file:
        file["numbers"] = np.arange(4.0)
    (tmp_path / "secret.bin").write_bytes(bytes(16))
    return tmp_path / "secret.h5"


def test_links_out_of_the_file(secret, tmp_path):
    def write(member, value):
        with h5py.File(tmp_path / "a.h5", "w") as file:
            file.create_group("layers/dense/vars")
            file[member] = value
        return tmp_path / "a.h5"

    outside = h5py.ExternalLink(str(secret), "numbers")
    for link in (outside, h5py.SoftLink("/layers")):
        assert "is missing or only a link" in refusal(write("layers/dense/vars/0", link))
        assert "is missing or only a link" in refusal(write("layers/other", link))
    group = write("layers/dense/vars/0/deeper", np.zeros(1))
    assert "its part '0' is no dataset" in refusal(group)


def test_numbers_that_lie_in_another_file(secret, tmp_path):
    path = tmp_path / "a.h5"
    layout = h5py.VirtualLayout((4,), "f8")
    layout[:] = h5py.VirtualSource(str(secret), "numbers", (4,))
    with h5py.File(path, "w") as file:
        file.create_group("layers/dense/vars").create_virtual_dataset("0", layout)
    assert "the numbers of its part '0' lie in another file" in refusal(path)
    with h5py.File(path, "w") as file:
        where = [(str(secret.with_suffix(".bin")), 0, 16)]
        file.create_group("layers/dense/vars").create_dataset("0", (4,), "f4", external=where)
    assert "the numbers of its part '0' lie in another file" in refusal(path)
