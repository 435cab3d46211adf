"""Keras' files into networks: the right one whole, the wrong ones with the reason."""

from __future__ import annotations

import h5py
import keras
import numpy as np
import pytest

from tests import contracts
from tests.conftest import ROOT
from tests.weight_files import create, mobilenet, refusal, same

pytestmark = contracts.IGNORE_ARRAY_COPY

WEIGHTS = ROOT.parent / "shared" / "weights"
REAL = WEIGHTS / "mobilenet_v2_1.0_224_tfhub_dequant_no_top.h5"


@pytest.fixture(scope="module")
def real_weights():
    if not REAL.is_file():
        pytest.skip(f"the ImageNet weights ({REAL.name} in ../shared/weights) are not here")
    return REAL


@pytest.fixture(scope="module")
def twin():
    """A MobileNetV2 of `keras.applications` with random weights."""
    return mobilenet()


@pytest.fixture(scope="module")
def own_weights(twin, tmp_path_factory):
    """Its file, as Keras 3 writes it."""
    path = tmp_path_factory.mktemp("weights") / "mobilenet.weights.h5"
    twin.save_weights(path)
    return path


def test_a_keras_file_is_read_whole(twin, own_weights):
    keras.utils.set_random_seed(4)
    assert same(create(own_weights, image_size=64), twin)


@pytest.mark.parametrize("ending", [".h5", ".keras", ".weights.h5"])
def test_every_format_of_keras(twin, ending, tmp_path):
    path = tmp_path / f"twin{ending}"
    if ending == ".weights.h5":
        twin.save_weights(path)
    else:
        twin.save(path)
    assert same(create(path), twin)


def test_a_file_of_our_own_backbone(tmp_path):
    keras.utils.set_random_seed(5)
    model = create(None)
    model.save_weights(tmp_path / "own.weights.h5")
    model.save(tmp_path / "own.keras")
    for file in ("own.weights.h5", "own.keras"):
        assert same(create(tmp_path / file), model)


def test_a_torch_named_backbone_reads_its_own_keras_file(tmp_path):
    keras.utils.set_random_seed(5)
    model = create(None, name="vgg16")
    model.save_weights(tmp_path / "vgg.weights.h5")
    assert same(create(tmp_path / "vgg.weights.h5", name="vgg16"), model)


def test_real_weights_arrive_array_by_array(real_weights):
    model = create(real_weights, image_size=96)
    compared = 0
    with h5py.File(real_weights) as file:
        for name in file.attrs["layer_names"]:
            group = file[name]
            stored = [np.asarray(group[key]) for key in group.attrs["weight_names"]]
            weights = model.get_layer(_text(name)).weights if stored else []
            for weight, array in zip(weights, stored, strict=True):
                np.testing.assert_array_equal(np.asarray(weight), array)
                compared += array.size
    assert compared == 2_257_984  # MobileNetV2 1.0 without its classifier, statistics included


def _text(name) -> str:
    return name.decode() if isinstance(name, bytes) else str(name)


def test_a_legacy_file_under_the_new_ending(real_weights, tmp_path):
    # Keras itself would warn a hundred times and leave every layer at random.
    path = tmp_path / "renamed.weights.h5"
    path.symlink_to(real_weights)
    assert same(create(path), create(real_weights))


def test_a_truncated_file(own_weights, tmp_path):
    half = tmp_path / "half.weights.h5"
    half.write_bytes(own_weights.read_bytes()[: own_weights.stat().st_size // 2])
    message = refusal(half)
    assert message.startswith(f"{half} is no Keras weights file that can be read: ")
    assert "truncated file" in message


def test_a_truncated_real_file(real_weights, tmp_path):
    half = tmp_path / "half.h5"
    half.write_bytes(real_weights.read_bytes()[:4_000_000])
    assert "truncated file" in refusal(half)


def test_weights_with_the_classifier(tmp_path):
    path = tmp_path / "top.h5"
    mobilenet(include_top=True, classes=7).save(path)
    message = refusal(path)
    assert message.startswith(
        f"{path} does not hold the weights of mobilenet_v2 without its classifier: the file's "
        f"layer 'predictions' has weights of shapes (1280, 7), (7,), the network has no layer of "
        f"that name (expected 104 layers, found 105). "
    )
    assert "It seems to be MobileNetV2 of keras.applications." in message


def test_real_weights_with_the_classifier(real_weights):
    message = refusal(WEIGHTS / "mobilenet_v2_1.0_224_tfhub_dequant.h5")
    assert "layer 'predictions' has weights of shapes (1280, 1000), (1000,)" in message
    assert "expected 104 layers, found 105" in message


def test_a_narrower_mobilenet(tmp_path):
    path = tmp_path / "narrow.weights.h5"
    mobilenet(alpha=0.5).save_weights(path)
    assert (
        "layer 'Conv1' has weights of shapes (3, 3, 3, 32), the file's are (3, 3, 3, 16) (expected "
        "104 layers, found 104). It seems to be MobileNetV2 of keras.applications."
    ) in refusal(path)


def test_another_networks_weights(tmp_path, own_weights):
    other = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)])
    other.save_weights(tmp_path / "other.weights.h5")
    message = refusal(tmp_path / "other.weights.h5")
    assert (
        "other.weights.h5 does not hold the weights of mobilenet_v2 without its classi" in message
    )
    assert "layer 'Conv1' has weights of shapes (3, 3, 3, 32), the file has no layer" in message
    assert "It seems" not in message
    message = refusal(own_weights, name="resnet50")
    assert "layer 'conv1' has weights of shapes (7, 7, 3, 64), the file has no layer" in message
    assert "It seems to be MobileNetV2 of keras.applications." in message


def test_numbers_that_are_not_finite(own_weights, tmp_path):
    path = tmp_path / "nan.weights.h5"
    path.write_bytes(own_weights.read_bytes())
    with h5py.File(path, "r+") as file:
        kernel = file["layers/conv2d/vars/0"]
        kernel[0, 0, 0, 0] = np.nan
    assert "the numbers for Conv1/kernel are not all finite" in refusal(path)
