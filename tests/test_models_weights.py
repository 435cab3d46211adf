"""Weight files: the right one, and what is said about the wrong ones."""

from __future__ import annotations

import h5py
import keras
import numpy as np
import pytest

from landmarks_tf.models import create_backbone
from landmarks_tf.models.weights import check_weights, load_or_explain
from tests import contracts
from tests.conftest import ROOT

pytestmark = contracts.IGNORE_ARRAY_COPY

WEIGHTS = ROOT.parent / "shared" / "weights"
REAL = WEIGHTS / "mobilenet_v2_1.0_224_tfhub_dequant_no_top.h5"


@pytest.fixture(scope="module")
def real_weights():
    if not REAL.is_file():
        pytest.skip(f"the ImageNet weights ({REAL.name} in ../shared/weights) are not here")
    return REAL


@pytest.fixture(scope="module")
def own_weights(tmp_path_factory):
    """A file of random MobileNetV2 weights, as Keras writes it."""
    keras.utils.set_random_seed(3)
    model = keras.applications.MobileNetV2((32, 32, 3), include_top=False, weights=None)
    path = tmp_path_factory.mktemp("weights") / "mobilenet.weights.h5"
    model.save_weights(path)
    return path


def refusal(path) -> str:
    with pytest.raises(ValueError) as caught:
        create_backbone("mobilenet_v2", image_size=32, weights=str(path))
    return str(caught.value)


def test_a_file_of_ours_is_read_whole(own_weights):
    keras.utils.set_random_seed(4)
    backbone = create_backbone("mobilenet_v2", image_size=64, weights=str(own_weights))
    keras.utils.set_random_seed(3)
    original = keras.applications.MobileNetV2((32, 32, 3), include_top=False, weights=None)
    pairs = zip(backbone.model.weights, original.weights, strict=True)
    assert all(np.array_equal(np.asarray(a), np.asarray(b)) for a, b in pairs)


def test_real_weights_arrive_array_by_array(real_weights):
    backbone = create_backbone("mobilenet_v2", image_size=96, weights=str(real_weights))
    trunk = next(y for y in backbone.model.layers if isinstance(y, keras.Model))
    compared = 0
    with h5py.File(real_weights) as file:
        for name in file.attrs["layer_names"]:
            group = file[name]
            stored = [np.asarray(group[key]) for key in group.attrs["weight_names"]]
            weights = trunk.get_layer(_text(name)).weights if stored else []
            for weight, array in zip(weights, stored, strict=True):
                np.testing.assert_array_equal(np.asarray(weight), array)
                compared += array.size
    assert compared == 2_257_984  # MobileNetV2 1.0 without its classifier, statistics included


def _text(name) -> str:
    return name.decode() if isinstance(name, bytes) else str(name)


def test_a_truncated_file(own_weights, tmp_path):
    half = tmp_path / "half.weights.h5"
    half.write_bytes(own_weights.read_bytes()[: own_weights.stat().st_size // 2])
    message = refusal(half)
    assert message.startswith(f"{half} does not hold the weights of MobileNetV2 without its class")
    assert "truncated file" in message
    assert "\n" not in message


def test_a_truncated_real_file(real_weights, tmp_path):
    half = tmp_path / "half.h5"
    half.write_bytes(real_weights.read_bytes()[:4_000_000])
    assert "truncated file" in refusal(half)


def test_weights_with_the_classifier(real_weights):
    message = refusal(WEIGHTS / "mobilenet_v2_1.0_224_tfhub_dequant.h5")
    assert "expected 104 layers, found 105" in message
    assert "keras.applications.MobileNetV2(include_top=False) wrote" in message


def test_another_networks_weights(tmp_path):
    other = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)])
    other.save_weights(tmp_path / "other.weights.h5")
    message = refusal(tmp_path / "other.weights.h5")
    assert "other.weights.h5 does not hold the weights of MobileNetV2" in message
    assert "\n" not in message  # Keras lists every layer


def test_a_legacy_file_under_the_new_ending(real_weights, tmp_path):
    # Keras warns a hundred times and leaves every layer at random.
    path = tmp_path / "renamed.weights.h5"
    path.symlink_to(real_weights)
    assert "retain their freshly-initialized weights" in refusal(path)


def test_no_weights_format(tmp_path):
    path = tmp_path / "weights.txt"
    path.write_text("weights")
    assert "File format not supported" in refusal(path)


def test_numbers_that_are_not_finite(own_weights, tmp_path):
    path = tmp_path / "nan.weights.h5"
    path.write_bytes(own_weights.read_bytes())
    with h5py.File(path, "r+") as file:
        kernels = []
        file.visititems(lambda _, node: kernels.append(node) if hasattr(node, "shape") else None)
        kernels[0][...] = np.full(kernels[0].shape, np.nan)
    assert "is not finite" in refusal(path)


@pytest.mark.parametrize("path", ["/no/such/file.h5", "", "/tmp"])
def test_no_file(path):
    with pytest.raises(ValueError, match=rf"no weights file at '{path}'.*'imagenet' \(downloaded"):
        check_weights(path)


def test_none_and_imagenet_pass_and_home_is_found(tmp_path, monkeypatch):
    assert check_weights(None) is None
    assert check_weights("imagenet") == "imagenet"
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "w.h5").write_bytes(b"")
    assert check_weights("~/w.h5") == str(tmp_path / "w.h5")


def test_a_failed_download_says_what_else_there_is():
    def unreachable(weights):
        raise Exception(f"URL fetch failure on {weights}:\nName or service not known")

    with pytest.raises(OSError, match=r"ImageNet weights of Net could not.*fetch failure.*path of"):
        load_or_explain(unreachable, "Net", "imagenet")


def test_errors_of_a_network_without_weights_are_its_own():
    def broken(weights):
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        load_or_explain(broken, "Net", None)
