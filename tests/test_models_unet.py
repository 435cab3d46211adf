"""S1's U-Net: counts, what it draws, and who it refuses."""

from __future__ import annotations

from functools import partial

import keras
import numpy as np

from landmarks_tf.models import (
    build_embedder,
    build_landmark_model,
    count_parameters,
    create_backbone,
)
from landmarks_tf.models.backbones import BACKBONES, BackboneEntry
from landmarks_tf.models.resnet import ResNetConfig, resnet_features
from landmarks_tf.models.unet import decode
from tests import contracts, seeded_weights

pytestmark = contracts.IGNORE_ARRAY_COPY


def unet_of(name):
    backbone = create_backbone(name, image_size=64, preprocessing="bgr_unit")
    embedder = build_embedder(backbone)
    return build_landmark_model(embedder, backbone, num_classes=2, head="reconstruction")


def images(batch=2, size=64):
    shape = (batch, size, size, 3)
    return np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)


def test_counts():
    """Section 2.4: decoder 17,394,371, in all 59,894,531; the embedding is 2048 wide."""
    with seeded_weights.no_initial_values():
        unet = unet_of("resnet101")
    counts = count_parameters(unet.trainer)
    assert counts["trainable"] == 59_894_531
    decoder = [layer for layer in unet.trainer.layers if layer.name.startswith("decoder")]
    learned = sum(int(np.prod(w.shape)) for y in decoder for w in y.trainable_weights)
    assert learned == 17_394_371
    assert unet.embedder.output_shape == (None, 2048)


def test_shapes_of_section_2_4():
    """At 224 px: 7 -> 14 -> 28 -> 56 -> 112 -> 224."""
    skips = [keras.Input((s, s, c)) for s, c in ((112, 64), (56, 256), (28, 512), (14, 1024))]
    last = keras.Input((7, 7, 2048))
    with seeded_weights.no_initial_values():
        model = keras.Model([last, *skips], decode(last, skips))
    concatenated = [model.get_layer(f"decoder{n}.concat").output.shape[1:] for n in (1, 2, 3, 4)]
    assert concatenated == [(14, 14, 1536), (28, 28, 768), (56, 56, 384), (112, 112, 128)]
    assert model.output.shape == (None, 224, 224, 3)


def test_the_output_is_the_drawing_minus_the_networks_input(monkeypatch):
    entry = BackboneEntry(partial(resnet_features, ResNetConfig((1, 1, 1, 1))))
    monkeypatch.setitem(BACKBONES, "small", entry)
    keras.utils.set_random_seed(0)
    unet = unet_of("small")
    x = images()
    drawing = keras.Model(unet.trainer.input, unet.trainer.get_layer("decoder.out").output)
    expected = np.asarray(drawing(x, training=False)) - x[..., ::-1] / 255
    np.testing.assert_allclose(unet.trainer(x, training=False), expected, atol=1e-5)


def small_unet():
    pixels = keras.Input((32, 32, 3), name="image")
    maps = resnet_features(ResNetConfig((1, 1, 1, 1)), pixels)
    return keras.Model(pixels, decode(maps.last, maps.skips))


def test_contract(tmp_path):
    keras.utils.set_random_seed(0)
    model = small_unet()
    contracts.check_model(model, images(4, 32) // 64, tmp_path)
    contracts.check_gradients_of_model(model, images(4, 32) / 255)


def test_half_precision_draws_in_float32():
    with contracts.global_policy("mixed_bfloat16"):
        model = small_unet()
    assert model.output.dtype == "float32"


def test_it_learns_to_draw_one_picture():
    keras.utils.set_random_seed(0)
    # Narrow maps to draw from: a ResNet's make most of the decoder's seventeen million numbers.
    maps = [keras.Input((32, 32, 3))]
    for width in (8, 8, 8, 8, 16):
        narrow = keras.layers.Conv2D(width, 3, strides=2, padding="same", activation="relu")
        maps.append(narrow(maps[-1]))
    model = keras.Model(maps[0], decode(maps[-1], maps[1:-1]))
    model.compile(keras.optimizers.Adam(3e-3), "mse")
    # A smooth picture: the mean alone is wrong by its variance.
    ramp = np.linspace(0, 1, 32, dtype=np.float32)
    picture = np.broadcast_to(ramp[None, :, None, None] * ramp[None, None, :, None], (2, 32, 32, 3))
    losses = [float(model.train_on_batch(picture, picture)) for _ in range(20)]
    assert losses[-1] < 0.25 * picture.var() < losses[0]


def test_refusals():
    with seeded_weights.no_initial_values():
        inception = create_backbone("inception_v200", image_size=75)
        odd = create_backbone("resnet50", image_size=75)

    def trained(backbone):
        return build_landmark_model(
            build_embedder(backbone), backbone, num_classes=2, head="reconstruction"
        )

    contracts.check_refusals(
        {
            "a ResNet, and an image size that is a multiple of 32. Received maps of sides []": (
                lambda: trained(inception)
            ),
            "Received maps of sides [5, 10, 19, 38]": lambda: trained(odd),
        }
    )
