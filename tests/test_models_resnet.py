"""ResNets: shapes, counts of reproduction.md, and PyTorch's own networks."""

from __future__ import annotations

from dataclasses import replace

import keras
import numpy as np
import pytest

from landmarks_tf.models import (
    Backbone,
    build_embedder,
    build_landmark_model,
    count_parameters,
    create_backbone,
)
from landmarks_tf.models.resnet import RESNETS, ResNetConfig, resnet_features
from tests import contracts, seeded_weights
from tests.torch_twins import check_twin

pytestmark = contracts.IGNORE_ARRAY_COPY

# reproduction.md sections 1.7, 2.1 and 3.2; resnet50 is torchvision's 25,557,032 less its
# classifier of 1000.
LEARNED = {
    "resnet50": 25_557_032 - 2049 * 1000,
    "resnet50_v1": 23_508_032,
    "resnet101": 42_500_160,
    "se_resnext101": 46_906_416,
}


@pytest.fixture(scope="module")
def backbones():
    """Their graphs; the kernels are zeros."""
    with seeded_weights.no_initial_values():
        return {name: create_backbone(name, image_size=64) for name in RESNETS}


def counts_of(backbone, embedder, **head):
    with seeded_weights.no_initial_values():  # a hundred million numbers for a wide head
        model = build_landmark_model(embedder, backbone, **head)
    return count_parameters(model.trainer)


def small(size=64, **fields):
    """A block or two a stage, for what costs a hundred layers' time otherwise."""
    pixels = keras.Input((size, size, 3))
    maps = resnet_features(ResNetConfig(**{"blocks": (1, 2, 1, 1)} | fields), pixels)
    return keras.Model(pixels, maps.last)


@pytest.mark.parametrize("name", RESNETS)
def test_counts(name, backbones):
    assert count_parameters(backbones[name].model)["trainable"] == LEARNED[name]


def test_a_1000_way_head_makes_the_published_sizes():
    with_head = LEARNED["se_resnext101"] + 2049 * 1000
    assert with_head == 48_955_416
    assert LEARNED["resnet101"] + 2049 * 1000 == 44_549_160  # torchvision's own figure


def test_maps_for_a_decoder(backbones):
    backbone = backbones["resnet101"]
    shapes = [skip.shape[1:] for skip in backbone.skips]
    assert shapes == [(32, 32, 64), (16, 16, 256), (8, 8, 512), (4, 4, 1024)]
    assert backbone.model.output.shape == (None, 2, 2, 2048)


def test_where_the_stride_sits(backbones):
    def strides(name):
        model = backbones[name].model
        return [model.get_layer(f"layer2.0.conv{n}").strides[0] for n in (1, 2, 3)]

    assert strides("resnet50_v1") == [2, 1, 1]
    assert strides("resnet50") == strides("resnet101") == strides("se_resnext101") == [1, 2, 1]


def test_s1s_encoder_and_projection(backbones):
    """Section 2.1: 43,550,272, and 85,182,528 with the 81,313-class head."""
    backbone = backbones["resnet101"]
    embedder = build_embedder(backbone, dim=512, neck=("dropout", "dense", "batch_norm"))
    assert count_parameters(embedder)["trainable"] == 43_550_272
    counts = counts_of(backbone, embedder, num_classes=81_313, head="cosine")
    assert counts["trainable"] == 85_182_528


def test_s1s_classification_baseline(backbones):
    """Section 2.5: the head 166,610,337, in all 209,110,497."""
    backbone = backbones["resnet101"]
    counts = counts_of(backbone, build_embedder(backbone), num_classes=81_313, head="softmax")
    assert counts["by_block"]["logits"] == 166_610_337
    assert counts["trainable"] == 209_110_497


def test_s2s_resnet50_with_its_8192_wide_head(backbones):
    """Section 1.7: 30,799,802 at 890 classes and 64 px."""
    backbone = backbones["resnet50_v1"]
    embedder = build_embedder(backbone, pooling="padded_avg_flatten")
    assert embedder.output_shape == (None, 8192)
    counts = counts_of(backbone, embedder, num_classes=890, head="softmax", head_dropout=0.0)
    assert counts["trainable"] == 30_799_802


def small_backbone(size):
    """Its last map is as wide and as high as resnet50_v1's."""
    return Backbone("small", small(size, stride_on_3x3=False, he_init=False))


@pytest.mark.parametrize("size", [64, 96])
def test_s2s_head_fits_64_to_96_px(size):
    backbone = small_backbone(size)
    assert build_embedder(backbone, pooling="padded_avg_flatten").output_shape == (None, 8192)


def test_s2s_head_at_224_px_is_refused():
    backbone = small_backbone(224)
    with pytest.raises(ValueError, match=r"at 64 to 96 px .*Received: a map of 7x7"):
        build_embedder(backbone, pooling="padded_avg_flatten")


@pytest.mark.parametrize(
    "fields", [{}, {"groups": 32, "width_per_group": 4, "squeeze_ratio": 16}], ids=["plain", "se"]
)
def test_contract(fields, tmp_path):
    keras.utils.set_random_seed(0)
    model = small(**fields)
    images = np.random.default_rng(0).integers(0, 256, (6, 64, 64, 3), dtype=np.uint8)
    contracts.check_model(model, images // 64, tmp_path)
    contracts.check_gradients_of_model(model, images / 64)


def test_norms_are_pytorchs(backbones):
    for backbone in backbones.values():
        norms = [y for y in backbone.model.layers if isinstance(y, keras.layers.BatchNormalization)]
        assert len(norms) > 50
        assert {(norm.epsilon, norm.momentum) for norm in norms} == {(1e-5, 0.9)}


def test_torchvision_starts_from_he_and_s2_from_pytorchs_default():
    keras.utils.set_random_seed(0)

    def deviation(name):
        model = small(**vars(replace(RESNETS[name], blocks=(1, 2, 1, 1))))
        return np.asarray(model.get_layer("layer3.0.conv2").kernel).std()

    # 256 channels in and out, 3x3: He over fan-out, and uniform within 1/sqrt(fan-in).
    np.testing.assert_allclose(deviation("resnet50"), (2 / 2304) ** 0.5, rtol=0.01)
    np.testing.assert_allclose(deviation("resnet50_v1"), (1 / 2304 / 3) ** 0.5, rtol=0.01)


@pytest.mark.peers
@pytest.mark.parametrize("name", RESNETS)
def test_pytorchs_own_network(name):
    # The other two round as resnet50 does.
    both = name in ("resnet50", "se_resnext101")
    check_twin(name, policies=("float64", "float32") if both else ("float64",))


@pytest.mark.peers
def test_odd_sizes_are_padded_as_pytorch_does():
    check_twin("resnet50", size=75, policies=("float64",))
