"""The embedder and the heads over it: the model contract, and each option by its numbers."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from landmarks_tf.layers import CosineClassifier
from landmarks_tf.losses import ArcFaceLoss
from landmarks_tf.models import build_embedder, build_landmark_model, create_backbone
from landmarks_tf.models.backbones import Backbone
from tests import contracts, networks, seeded_weights
from tests.reference import ge2e as reference

pytestmark = contracts.IGNORE_ARRAY_COPY


def images(size, batch=4):
    shape = (batch, size, size, 3)
    return np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)


def tiny_backbone(channels=6):
    """(B, 8, 8, 3) -> (B, 4, 4, channels), signed."""
    pixels = keras.Input((8, 8, 3), name="image")
    scaled = keras.layers.Rescaling(1 / 127.5, -1.0)(pixels)
    features = keras.layers.Conv2D(channels, 2, strides=2, name="features")(scaled)
    return Backbone("tiny", keras.Model(pixels, features, name="tiny"))


def mobilenet_arcface():
    # 64 px leave a 2x2 map: over a single pixel GeM's exponent has no gradient.
    backbone = create_backbone("mobilenet_v2", image_size=64)
    embedder = build_embedder(
        backbone, dim=16, pooling="gem", neck=("dropout", "dense", "batch_norm"), dropout=0.2
    )
    return build_landmark_model(embedder, backbone, num_classes=5, head="cosine", subcenters=2)


def inception_softmax():
    backbone = create_backbone("inception_v200", image_size=75)
    return build_landmark_model(build_embedder(backbone), backbone, num_classes=7, head="softmax")


@pytest.fixture(scope="module")
def mobilenet():
    keras.utils.set_random_seed(0)
    return mobilenet_arcface()


@pytest.fixture(scope="module")
def inception():
    keras.utils.set_random_seed(0)
    return inception_softmax()


def test_contract_of_mobilenet_with_a_cosine_head(mobilenet, tmp_path):
    contracts.check_model(mobilenet.trainer, images(64), tmp_path)
    contracts.check_outputs(mobilenet.embedder, images(64))
    assert mobilenet.embedder.output_shape == (None, 16)
    assert mobilenet.trainer.output_shape == (None, 5)
    contracts.check_gradients_of_model(mobilenet.trainer, images(64, batch=24))


def test_contract_of_an_embedder_alone(tmp_path):
    keras.utils.set_random_seed(0)
    neck = ("dropout", "dense", "batch_norm")
    embedder = build_embedder(tiny_backbone(), dim=4, pooling="gem", neck=neck)
    contracts.check_model(embedder, images(8), tmp_path)
    assert embedder.output_shape == (None, 4)


def test_contract_of_inception_with_a_softmax_head(inception, tmp_path):
    contracts.check_model(inception.trainer, images(75), tmp_path)
    assert inception.embedder.output_shape == (None, 2048)
    assert inception.trainer.output_shape == (None, 7)
    contracts.check_gradients_of_model(inception.trainer, images(75, batch=6))


@pytest.mark.parametrize("policy", contracts.MIXED_POLICIES)
def test_half_precision_inside_float32_outside(policy):
    with contracts.global_policy(policy):
        model = mobilenet_arcface()
        softmax = build_landmark_model(
            build_embedder(tiny_backbone()), tiny_backbone(), num_classes=3, head="softmax"
        )
    inside = model.trainer.get_layer("out_relu").output
    assert keras.backend.standardize_dtype(inside.dtype) == policy.removeprefix("mixed_")
    for network in (model.embedder, model.trainer, softmax.embedder, softmax.trainer):
        assert keras.backend.standardize_dtype(network.output.dtype) == "float32"
    if policy == "mixed_bfloat16":  # float16 convolutions are emulated on a CPU
        rows = model.embedder.predict(images(64), verbose=0)
        np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1, atol=1e-6)


def test_unit_rows_from_any_picture(mobilenet):
    extremes = np.stack([np.zeros((64, 64, 3)), np.full((64, 64, 3), 255), *images(64)])
    rows = mobilenet.embedder.predict(extremes.astype(np.float32), verbose=0)
    np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1, atol=1e-6)


def test_trainer_and_embedder_share_their_weights():
    keras.utils.set_random_seed(0)
    backbone = tiny_backbone()
    model = build_landmark_model(
        build_embedder(backbone, dim=4, neck=("dense",)), backbone, num_classes=3, head="cosine"
    )
    before = model.embedder.predict(images(8), verbose=0)
    model.trainer.compile(keras.optimizers.SGD(0.5), ArcFaceLoss())
    model.trainer.fit(images(8), np.array([0, 1, 2, 0]), epochs=1, verbose=0)
    after = model.embedder.predict(images(8), verbose=0)
    assert np.abs(after - before).max() > 1e-3


def test_softmax_reads_the_pooled_features_before_normalisation():
    backbone = tiny_backbone()
    embedder = build_embedder(backbone)
    model = build_landmark_model(embedder, backbone, num_classes=3, head="softmax")
    x = images(8)
    pooled = np.asarray(backbone.model(x)).mean(axis=(1, 2))
    dense = model.trainer.get_layer("logits")
    expected = pooled @ np.asarray(dense.kernel) + np.asarray(dense.bias)
    np.testing.assert_allclose(model.trainer(x, training=False), expected, rtol=1e-4, atol=1e-5)
    unit = pooled / np.linalg.norm(pooled, axis=1, keepdims=True)
    np.testing.assert_allclose(embedder(x), unit, rtol=1e-4, atol=1e-5)


def test_cosine_head_reads_the_unit_rows(mobilenet):
    head = mobilenet.trainer.get_layer("cosines")
    assert isinstance(head, CosineClassifier)
    x = images(64).astype(np.float32)
    rows = mobilenet.embedder(x, training=False)
    np.testing.assert_allclose(mobilenet.trainer(x, training=False), head(rows), atol=1e-6)


def test_embedding_head_is_the_embedder():
    backbone = tiny_backbone()
    embedder = build_embedder(backbone)
    model = build_landmark_model(embedder, backbone, num_classes=3, head="embedding")
    x = images(8)
    np.testing.assert_array_equal(
        model.trainer.predict(x, verbose=0), model.embedder.predict(x, verbose=0)
    )
    assert model.trainer.count_params() == model.embedder.count_params()


def test_ge2e_head_compares_the_rows_of_a_batch():
    backbone = tiny_backbone()
    embedder = build_embedder(backbone)
    model = build_landmark_model(embedder, backbone, num_classes=3, head="ge2e", images_per_class=2)
    x = images(8, batch=6)
    rows = model.embedder.predict(x, verbose=0)
    expected = reference.similarities(rows, 2)
    np.testing.assert_allclose(model.trainer.predict(x, verbose=0), expected, atol=1e-4)
    assert model.trainer.count_params() == model.embedder.count_params() + 2


def test_head_of_s2_starts_from_its_truncated_normal(inception):
    dense = inception.trainer.get_layer("logits")
    kernel, bias = np.asarray(dense.kernel), np.asarray(dense.bias)
    assert 0.19 < np.abs(kernel).max() <= 0.2 + 1e-7
    assert 0 < np.abs(bias).max() <= 2048**-0.5
    assert inception.trainer.get_layer("head_dropout").rate == 0.5


def test_dropout_acts_in_training_only():
    backbone = tiny_backbone()
    model = build_landmark_model(
        build_embedder(backbone), backbone, num_classes=3, head="softmax", head_dropout=0.9
    )
    x = images(8).astype(np.float32)
    assert np.ptp([np.asarray(model.trainer(x, training=True)) for _ in range(5)], axis=0).max() > 0
    np.testing.assert_array_equal(
        model.trainer(x, training=False), model.trainer(x, training=False)
    )


def test_auxiliary_head_at_299_px():
    backbone = networks.inception("inception_v200")
    model = build_landmark_model(
        build_embedder(backbone), backbone, num_classes=4, head="softmax", auxiliary=True
    )
    shapes = {name: output.shape for name, output in model.trainer.output.items()}
    assert shapes == {"main": (None, 4), "auxiliary": (None, 4)}
    aux = {layer.name: layer for layer in model.trainer.layers if layer.name.startswith("aux")}
    assert aux["aux_avgpool"].output.shape == (None, 5, 5, 768)
    assert aux["aux_1x1_conv"].output.shape == (None, 5, 5, 128)
    assert aux["aux_5x5_conv"].output.shape == (None, 1, 1, 768)


def test_refusals(inception):
    backbone = tiny_backbone()
    embedder = build_embedder(backbone)
    with seeded_weights.no_initial_values():
        small = create_backbone("inception_v200", image_size=75)

    def head(**options):
        return build_landmark_model(
            embedder, backbone, **{"num_classes": 3, "head": "softmax"} | options
        )

    contracts.check_refusals(
        {
            "among softmax, cosine, embedding, ge2e, reconstruction. Received: 'arcface'": (
                lambda: head(head="arcface")
            ),
            "Received: images_per_class=0": lambda: head(head="ge2e"),
            "at least 2 classes. Received: num_classes=1": lambda: head(num_classes=1),
            "Received maps of sides [] over a last map of side 4": lambda: head(
                head="reconstruction"
            ),
            "Received: auxiliary=True with tiny": lambda: head(auxiliary=True),
            "at least 17x17 (a 299 px input); this one is 3x3": lambda: build_landmark_model(
                build_embedder(small), small, num_classes=3, head="softmax", auxiliary=True
            ),
        }
    )
