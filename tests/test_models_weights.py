"""Weights into networks: the right file whole, the wrong ones with the reason."""

from __future__ import annotations

from dataclasses import replace

import h5py
import keras
import numpy as np
import pytest
import safetensors.numpy

from landmarks_tf.models import create_backbone, efficientnet, inception
from landmarks_tf.models.preprocessing import PREPROCESSINGS
from landmarks_tf.models.pretrained import PRETRAINED, digests_of
from landmarks_tf.models.torch_files import read_state_dict
from landmarks_tf.models.weights import find_weights, load_weights
from tests import contracts, seeded_weights
from tests.conftest import ROOT
from tests.file_server import file_server
from tests.torch_twins import twin as torch_twin
from tests.torch_writer import state_dict, write_stream, write_zip

pytestmark = contracts.IGNORE_ARRAY_COPY

WEIGHTS = ROOT.parent / "shared" / "weights"
REAL = WEIGHTS / "mobilenet_v2_1.0_224_tfhub_dequant_no_top.h5"


@pytest.fixture(scope="module")
def real_weights():
    if not REAL.is_file():
        pytest.skip(f"the ImageNet weights ({REAL.name} in ../shared/weights) are not here")
    return REAL


def mobilenet(seed: int = 3, **options) -> keras.Model:
    keras.utils.set_random_seed(seed)
    options = {"include_top": False, **options}
    return keras.applications.MobileNetV2((32, 32, 3), weights=None, **options)


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


def create(weights, *, name: str = "mobilenet_v2", image_size: int = 32, **options) -> keras.Model:
    if weights is None:
        return create_backbone(name, image_size=image_size, **options).model
    # What the file lacks would stay zero.
    with seeded_weights.no_initial_values():
        return create_backbone(name, image_size=image_size, weights=str(weights), **options).model


def same(model, other) -> bool:
    pairs = zip(model.weights, other.weights, strict=True)
    return all(np.array_equal(np.asarray(a), np.asarray(b)) for a, b in pairs)


def refusal(path, **options) -> str:
    with pytest.raises(ValueError) as caught:
        create(path, **options)
    message = str(caught.value)
    assert "\n" not in message
    return message


# --- Keras' files ---------------------------------------------------------------------------------


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


# --- PyTorch's files ------------------------------------------------------------------------------


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


# --- which file -----------------------------------------------------------------------------------


def test_no_weights_format(tmp_path):
    for content, told in ((b"weights", "starts with b'weights'"), (b"", "is empty")):
        path = tmp_path / "weights.txt"
        path.write_bytes(content)
        assert f"{path} is no weights file: it {told}. Expected the contents of a .h5" in refusal(
            path
        )


@pytest.mark.parametrize("path", ["/no/such/file.h5", "", "/tmp"])
def test_no_file(path):
    message = refusal(path)
    assert message.startswith(f"There is no weights file at {path!r}. Expected None (random)")
    assert "'imagenet' (downloaded by Keras), one of mobilenet_v2_keras (likewise), or" in message


def test_a_mistyped_name():
    assert "Did you mean 'imagenet'? Expected" in refusal("imagnet")
    assert "Did you mean 'resnet50_torchvision_v2'?" in refusal(
        "resnet50_torchvision_2", name="resnet50"
    )


def test_home_is_found(own_weights, twin, monkeypatch):
    monkeypatch.setenv("HOME", str(own_weights.parent))
    assert same(create(f"~/{own_weights.name}"), twin)


def test_networks_without_published_weights():
    message = refusal("imagenet", name="inception_v100", image_size=96)
    assert message.startswith(
        "No published ImageNet weights are known for inception_v100; they are for efficientnet_b0,"
    )
    message = refusal("imagenet", name="res2net200_vd", image_size=64)
    assert "PaddleClas publishes a .pdparams file alone, which is not read here" in message


def test_weights_of_another_row():
    message = refusal("vgg16_torchvision", name="resnet50")
    assert message == (
        "The weights 'vgg16_torchvision' belong to vgg16, not to resnet50. Its own: "
        "resnet50_torchvision_v1, resnet50_torchvision_v2."
    )


# --- downloads ------------------------------------------------------------------------------------


@pytest.fixture
def published(twin, tmp_path, monkeypatch):
    """The row of MobileNetV2, its file on a server of this machine."""
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    twin.save(tmp_path / "twin.h5")
    with file_server((tmp_path / "twin.h5").read_bytes()) as server:
        row = replace(PRETRAINED["mobilenet_v2_keras"], url=f"{server.url}/mobilenet.h5")
        monkeypatch.setitem(PRETRAINED, row.name, row)
        yield server, tmp_path / "keras" / "models" / "mobilenet.h5"


def test_imagenet_and_the_rows_name_download(published, twin):
    server, cached = published
    for weights in ("imagenet", "mobilenet_v2_keras", "imagenet"):
        assert same(create(weights), twin)
    assert cached.is_file() and server.asked == ["/mobilenet.h5"]


def test_a_failed_download_says_what_else_there_is(published):
    published[0].manner = "missing"
    with pytest.raises(OSError, match=r"ImageNet weights of mobilenet_v2 could not.*404.*path of"):
        create("imagenet")


def test_a_wrong_file_without_a_published_hash_does_not_stay(published, twin):
    server, cached = published
    right, server.content = server.content, b"<!DOCTYPE html><p>Please log in"
    message = refusal("imagenet")
    assert message.startswith(f"{cached} is no weights file: it starts with b'<!DOCTYPE html>")
    assert message.endswith("It was removed from Keras' cache.")
    server.content = right
    assert same(create("imagenet"), twin)


# --- the preprocessing that belongs to the weights ------------------------------------------------


def read_scaling(model) -> tuple:
    layer = model.get_layer("preprocessing")
    return layer.scale, layer.offset, layer.reverse_channels


def expected_scaling(name) -> tuple:
    layer = PREPROCESSINGS[name].layer()
    return layer.scale, layer.offset, layer.reverse_channels


def test_a_row_brings_its_preprocessing(published, monkeypatch):
    assert read_scaling(create("imagenet")) == expected_scaling("plus_minus_one")
    row = replace(PRETRAINED["mobilenet_v2_keras"], preprocessing="caffe")
    monkeypatch.setitem(PRETRAINED, row.name, row)
    assert read_scaling(create("imagenet")) == expected_scaling("caffe")
    assert read_scaling(create(None)) == expected_scaling("plus_minus_one")


def test_a_local_file_is_recognised_whatever_its_name(own_weights, monkeypatch):
    assert find_weights("mobilenet_v2", str(own_weights)).row is None
    row = replace(
        PRETRAINED["mobilenet_v2_keras"],
        published_hash=f"md5:{digests_of(own_weights)['md5']}",
        preprocessing="unit",
    )
    monkeypatch.setitem(PRETRAINED, row.name, row)
    assert read_scaling(create(own_weights)) == expected_scaling("unit")
    asked_for = create(own_weights, preprocessing="bgr_unit")
    assert read_scaling(asked_for) == expected_scaling("bgr_unit")
    # A known file that does not fit is called by its name.
    assert ("It seems to be the weights mobilenet_v2_keras of mobilenet_v2. Expected") in refusal(
        own_weights, name="vgg16"
    )
