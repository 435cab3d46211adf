"""Which file of weights is meant, and what is said where there is none."""

from __future__ import annotations

from dataclasses import replace

import pytest

from landmarks_tf.models.pretrained import PRETRAINED
from landmarks_tf.models.published_weights import digests_of
from landmarks_tf.models.weights import check_weights, find_weights
from tests import contracts
from tests.weight_files import create, expected_scaling, mobilenet, read_scaling, refusal, same

pytestmark = contracts.IGNORE_ARRAY_COPY


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


def test_what_would_not_be_found_is_refused_without_a_download(own_weights, tmp_path, monkeypatch):
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    page = tmp_path / "weights.h5"
    page.write_bytes(b"<!DOCTYPE html>")
    for weights in (None, "imagenet", "mobilenet_v2_keras", str(own_weights)):
        check_weights("mobilenet_v2", weights)
    for weights, told in (
        ("imagnet", "Did you mean 'imagenet'"),
        ("vgg16_torchvision", "belong to vgg16"),
        (str(tmp_path), "no weights file at"),
        (str(page), "is no weights file: it starts with"),
    ):
        with pytest.raises(ValueError, match=told):
            check_weights("mobilenet_v2", weights)
    assert not (tmp_path / "keras").exists()
