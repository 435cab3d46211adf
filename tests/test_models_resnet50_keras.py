"""S4's baseline: the ResNet50 of keras.applications, its head, and what is frozen."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from landmarks_tf.models import (
    build_embedder,
    build_landmark_model,
    count_parameters,
    create_backbone,
)
from landmarks_tf.models.freezing import freeze_except
from tests import contracts, seeded_weights

pytestmark = contracts.IGNORE_ARRAY_COPY

NORM = "batch_norm:0.99:0.001"
NECK = (NORM, "dense:1024", "relu", "dropout", NORM, "dense:512", "relu", NORM)


@pytest.fixture(scope="module")
def backbone():
    """Whoever freezes a part of it thaws it again."""
    keras.utils.set_random_seed(0)
    return create_backbone("resnet50_keras", image_size=64)


@pytest.fixture
def freeze(backbone):
    """`freeze_except` for the time of a test."""
    yield lambda *stages: freeze_except(backbone.model, stages)
    for layer in backbone.model.layers:
        layer.trainable = True


def images(batch=4):
    return np.random.default_rng(0).integers(0, 256, (batch, 64, 64, 3), dtype=np.uint8)


def with_s4s_head(backbone):
    embedder = build_embedder(backbone, neck=NECK)
    return build_landmark_model(
        embedder, backbone, num_classes=943, head="softmax", head_dropout=0.0
    ).trainer


def test_counts_of_section_3_2(backbone):
    assert count_parameters(backbone.model)["total"] == 23_587_712
    model = with_s4s_head(backbone)
    assert count_parameters(model)["total"] == 26_708_783
    # The table, layer by layer.
    sizes = [layer.count_params() for layer in model.layers if layer.name.startswith("neck_")]
    assert [n for n in sizes if n] == [8_192, 2_098_176, 4_096, 524_800, 2_048]
    assert model.get_layer("logits").count_params() == 483_759


@pytest.mark.parametrize(
    ("trained", "learned"), [("conv5", 26_708_783 - 8_618_880), ("conv5_block3", 7_579_567)]
)
def test_counts_with_frozen_stages(trained, learned, backbone, freeze):
    """S4's rule, which leaves 8,618,880 frozen, and one that section 3.2 names as another."""
    model = with_s4s_head(backbone)
    freeze(trained)
    assert count_parameters(model)["trainable"] == learned
    frozen = sum(int(np.prod(weight.shape)) for weight in model.non_trainable_weights)
    assert frozen == 26_708_783 - learned


def test_it_is_keras_own_network_on_keras_own_preprocessing(backbone):
    with seeded_weights.no_initial_values():
        theirs = keras.applications.ResNet50(
            include_top=False, weights=None, input_shape=(64, 64, 3)
        )
    theirs.set_weights(backbone.model.get_weights())
    prepared = keras.applications.resnet50.preprocess_input(images().astype(np.float32))
    expected = np.asarray(theirs(prepared, training=False))
    actual = np.asarray(backbone.model(images(), training=False))
    np.testing.assert_allclose(actual, expected, atol=1e-5 * np.abs(expected).max())


def test_heads_dense_layers_start_as_keras_does(backbone):
    dense = with_s4s_head(backbone).get_layer("neck_dense")
    assert np.abs(np.asarray(dense.kernel)).max() <= (6 / (2048 + 1024)) ** 0.5
    assert not np.asarray(dense.bias).any()


def test_contract(backbone, tmp_path):
    embedder = build_embedder(backbone)
    contracts.check_model(embedder, images(), tmp_path)
    contracts.check_step_of_model(embedder, images())


def test_a_step_leaves_the_frozen_stages_as_they_are(backbone, freeze):
    freeze("conv5")
    contracts.check_step_of_model(build_embedder(backbone, neck=NECK), images())


def test_half_precision():
    keras.utils.set_random_seed(0)
    contracts.check_half_precision(
        lambda: build_embedder(create_backbone("resnet50_keras", image_size=64)), images(8)
    )
