"""What each set of weights reads, against the frameworks' own functions and by hand."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from landmarks_tf.models.preprocessing import PREPROCESSINGS, find_preprocessing


@pytest.fixture(scope="module")
def pixels():
    shape = (2, 5, 4, 3)
    return np.random.default_rng(0).integers(0, 256, shape).astype(np.float32)


def prepared(name, pixels):
    return np.asarray(find_preprocessing(name).layer()(pixels))


@pytest.mark.parametrize(
    ("name", "keras_mode"),
    [("imagenet", "torch"), ("plus_minus_one", "tf"), ("caffe", "caffe")],
)
def test_keras_own_preprocessing(name, keras_mode, pixels):
    # Keras' function is TensorFlow-free for arrays; its modes are named by where they come from.
    expected = keras.applications.imagenet_utils.preprocess_input(pixels.copy(), mode=keras_mode)
    np.testing.assert_allclose(prepared(name, pixels), expected, atol=1e-4)


def test_the_units_by_hand(pixels):
    np.testing.assert_allclose(prepared("unit", pixels), pixels / 255, atol=1e-6)
    np.testing.assert_allclose(prepared("bgr_unit", pixels), pixels[..., ::-1] / 255, atol=1e-6)


def test_every_layer_is_named_and_saved(pixels):
    for name in PREPROCESSINGS:
        layer = find_preprocessing(name).layer()
        assert layer.name == "preprocessing"
        twin = type(layer).from_config(layer.get_config())
        np.testing.assert_array_equal(twin(pixels), layer(pixels))


def test_an_unknown_one():
    with pytest.raises(ValueError, match=r"among imagenet, .* Received: 'vgg'"):
        find_preprocessing("vgg")
