"""PyTorch's files into networks: the right one whole, the wrong ones with the reason."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import safetensors.numpy

from landmarks_tf.models import efficientnet, inception
from landmarks_tf.models.torch_files import read_state_dict
from landmarks_tf.models.weights import load_weights
from tests import contracts
from tests.torch_twins import twin as torch_twin
from tests.torch_writer import state_dict, write_stream, write_zip
from tests.weight_files import create, refusal

pytestmark = contracts.IGNORE_ARRAY_COPY


def vgg_entries(seed: int = 0) -> dict[str, np.ndarray]:
    """A VGG16 as torchvision names and lays it out, with a small classifier on top."""
    rng = np.random.default_rng(seed)
    groups = ((64, 64), (128, 128), (256, 256, 256), (512, 512, 512), (512, 512, 512))
    entries, number, before = {}, 0, 3
    for group in groups:
        for width in group:
            shape = (width, before, 3, 3)
            entries[f"features.{number}.weight"] = rng.normal(size=shape).astype(np.float32)
            entries[f"features.{number}.bias"] = rng.normal(size=width).astype(np.float32)
            number, before = number + 2, width
        number += 1
    return entries | {"classifier.6.weight": np.zeros((10, 4), np.float32)}


@pytest.fixture(scope="module")
def vgg():
    return vgg_entries()


@pytest.mark.parametrize("kind", ["zip", "stream", "safetensors"])
def test_a_pytorch_file_of_each_format(vgg, kind, tmp_path):
    path = tmp_path / "vgg16.bin"
    if kind == "safetensors":
        safetensors.numpy.save_file(vgg, path)
    else:
        (write_zip if kind == "zip" else write_stream)(path, state_dict(vgg))
    model = create(path, name="vgg16")
    for layer in (layer for layer in model.layers if layer.weights):
        kernel, bias = map(np.asarray, layer.weights)
        expected = vgg[f"{layer.name}.weight"].transpose(2, 3, 1, 0)
        np.testing.assert_array_equal(kernel, expected)
        np.testing.assert_array_equal(bias, vgg[f"{layer.name}.bias"])
    assert sum(bool(layer.weights) for layer in model.layers) == 13


def test_a_pytorch_file_that_does_not_fit(vgg, tmp_path):
    path = tmp_path / "vgg16.pth"
    wrong = vgg | {"features.2.weight": np.zeros((64, 64, 1, 1), np.float32)}
    message = refusal(write_zip(path, state_dict(wrong)), name="vgg16")
    assert (
        "layer 'features.2' has a kernel of shape (3, 3, 64, 64), the file's entry "
        "'features.2.weight' is (64, 64, 1, 1) in PyTorch's order, (1, 1, 64, 64) in Keras'. It "
        "seems to be VGG16 as torchvision has it. Expected"
    ) in message
    message = refusal(write_zip(path, state_dict(vgg)), name="mobilenet_v2")
    assert "layer 'Conv1' has a kernel of shape (3, 3, 3, 32), the file has no entry" in message


def test_pytorchs_numbers_that_are_not_finite(vgg, tmp_path):
    wrong = vgg | {"features.28.bias": np.full(512, np.inf, np.float32)}
    message = refusal(write_zip(tmp_path / "a.pth", state_dict(wrong)), name="vgg16")
    assert "the numbers for features.28/bias are not all finite" in message


def test_nothing_is_assigned_by_halves(vgg, tmp_path):
    model = create(None, name="vgg16")
    before = [np.array(weight) for weight in model.weights]
    wrong = vgg | {"features.28.bias": np.full(512, np.inf, np.float32)}
    lacking = {name: array for name, array in vgg.items() if name != "features.28.bias"}
    for entries in (wrong, lacking):
        path = write_zip(tmp_path / "a.pth", state_dict(entries))
        with pytest.raises(ValueError, match=r"features\.28"):
            load_weights(model, "vgg16", str(path))
        for weight, old in zip(model.weights, before, strict=True):
            np.testing.assert_array_equal(np.asarray(weight), old)


def test_another_programs_names(vgg, tmp_path):
    renamed = {name.replace("features.", "conv_"): array for name, array in vgg.items()}
    path = write_zip(tmp_path / "a.pth", state_dict(renamed))
    model = create(None, name="vgg16")
    modules = {
        "nobody's": lambda name: f"blocks.{name}",
        "theirs": lambda name: name.replace("features.", "conv_"),
    }
    load_weights(model, "vgg16", str(path), modules)
    bias = model.get_layer("features.28").bias
    np.testing.assert_array_equal(np.asarray(bias), vgg["features.28.bias"])
    with pytest.raises(ValueError, match=r"has no entry 'features\.0\.weight'"):
        load_weights(model, "vgg16", str(path))


@pytest.mark.peers
@pytest.mark.parametrize(
    ("name", "size", "module_of"),
    [
        ("inception_v3", 107, inception.torchvision_module),
        ("efficientnet_b0_torchvision", 64, efficientnet.torchvision_module),
    ],
)
def test_torchvisions_names_where_they_are_not_ours(name, size, module_of):
    state = torch_twin(name, size=size).state
    model = create(state, name=name, image_size=size)
    entries = read_state_dict(state)
    norms = [y for y in model.layers if isinstance(y, keras.layers.BatchNormalization)]
    assert len(norms) > 40
    for layer in norms:
        mean = entries[f"{module_of(layer.name)}.running_mean"]
        np.testing.assert_array_equal(np.asarray(layer.moving_mean), mean)
