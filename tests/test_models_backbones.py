"""The table of backbones: what each reads, and what is said about what it cannot."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from landmarks_tf.models import BACKBONES, create_backbone
from tests import contracts

pytestmark = contracts.IGNORE_ARRAY_COPY


@pytest.fixture(scope="module")
def mobilenet():
    keras.utils.set_random_seed(0)
    return create_backbone("mobilenet_v2", image_size=32)


@pytest.fixture(scope="module")
def inception():
    keras.utils.set_random_seed(0)
    return create_backbone("inception_v200", image_size=75)


def images(size, batch=2):
    shape = (batch, size, size, 3)
    return np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)


def after_preprocessing(backbone):
    """The network behind its "preprocessing" layer."""
    return keras.Model(backbone.model.get_layer("preprocessing").output, backbone.model.output)


def test_mobilenet_sees_minus_one_to_one(mobilenet):
    pixels = images(32).astype(np.float32)
    prepared = keras.applications.mobilenet_v2.preprocess_input(pixels.copy())
    expected = after_preprocessing(mobilenet)(prepared, training=False)
    np.testing.assert_allclose(mobilenet.model(pixels, training=False), expected, atol=1e-4)
    assert (prepared.min(), prepared.max()) == (-1, 1)


def test_inception_sees_torchvisions_standardisation(inception):
    pixels = images(75)
    prepared = (pixels / 255 - (0.485, 0.456, 0.406)) / (0.229, 0.224, 0.225)
    expected = after_preprocessing(inception)(prepared.astype(np.float32), training=False)
    actual = np.asarray(inception.model(pixels, training=False))
    np.testing.assert_allclose(actual, expected, atol=1e-4 * np.abs(actual).max())


def test_another_preprocessing_on_request():
    backbone = create_backbone("mobilenet_v2", image_size=32, preprocessing="bgr_unit")
    pixels = images(32)
    seen = keras.Model(backbone.model.input, backbone.model.get_layer("preprocessing").output)
    np.testing.assert_allclose(seen(pixels), pixels[..., ::-1] / 255, atol=1e-6)
    with pytest.raises(ValueError, match="a preprocessing among imagenet"):
        create_backbone("mobilenet_v2", image_size=32, preprocessing="zero_one")


def test_what_a_backbone_is(mobilenet, inception):
    assert mobilenet.model.output.shape == (None, 1, 1, 1280)
    assert mobilenet.auxiliary_tap is None
    assert (mobilenet.dense_init, inception.dense_init) == ("keras", "inception")
    assert inception.model.output.shape == (None, 1, 1, 2048)
    assert inception.auxiliary_tap.shape == (None, 3, 3, 768)
    for name, entry in BACKBONES.items():
        assert entry.has_auxiliary_tap == name.startswith("inception")


@pytest.mark.parametrize("name", BACKBONES)
def test_too_small_an_image_is_refused_with_the_reason(name):
    least = BACKBONES[name].min_image_size
    with pytest.raises(
        ValueError,
        match=f"{name} needs images of at least {least} px: there its last feature map has "
        f"shrunk to 1x1. Received: image_size={least - 1}",
    ):
        create_backbone(name, image_size=least - 1)


@pytest.mark.parametrize(
    ("wrong", "nearest"),
    [
        ("inception_v2000", "Nearest: inception_v200, "),
        ("mobilenetv2", "Nearest: mobilenet_v2"),
        ("InceptionV3", "inception_v3"),
    ],
)
def test_an_unknown_name_is_told_its_nearest(wrong, nearest):
    with pytest.raises(ValueError, match=f"no backbone '{wrong}'") as caught:
        create_backbone(wrong, image_size=299)
    assert nearest in str(caught.value)
    assert str(caught.value).endswith(f"Known: {', '.join(sorted(BACKBONES))}.")


def test_a_name_like_no_other():
    with pytest.raises(ValueError, match=r"no backbone 'zzz'\. Known: "):
        create_backbone("zzz", image_size=299)


def test_inception_has_no_published_weights():
    with pytest.raises(ValueError, match=r"from scratch.*Received: weights='imagenet'"):
        create_backbone("inception_v200", image_size=75, weights="imagenet")
