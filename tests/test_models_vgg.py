"""VGG16: counts, S2's head, and torchvision's own network."""

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
from tests import contracts, seeded_weights
from tests.torch_twins import check_twin

pytestmark = contracts.IGNORE_ARRAY_COPY


@pytest.fixture(scope="module")
def backbone():
    keras.utils.set_random_seed(0)
    return create_backbone("vgg16", image_size=64)


def images(batch=4):
    return np.random.default_rng(0).integers(0, 256, (batch, 64, 64, 3), dtype=np.uint8)


def test_trunk_has_as_many_parameters_as_keras_own(backbone):
    with seeded_weights.no_initial_values():
        theirs = keras.applications.VGG16(include_top=False, weights=None)
    counts = count_parameters(backbone.model)
    assert counts["trainable"] == counts["total"] == theirs.count_params() == 14_714_688


def test_s2s_network_at_224_px_and_890_classes():
    """Section 1.6: 137,906,874, of which the head has 25,088 -> 4096 -> 4096 -> 890."""
    with seeded_weights.no_initial_values():
        backbone = create_backbone("vgg16", image_size=224)
    neck = ("dense:4096", "relu", "dropout:0.5") * 2
    embedder = build_embedder(backbone, pooling="flatten", neck=neck)
    assert embedder.get_layer("pool").output.shape == (None, 25_088)
    model = build_landmark_model(
        embedder, backbone, num_classes=890, head="softmax", head_dropout=0.0
    )
    assert count_parameters(model.trainer)["trainable"] == 137_906_874
    order = [type(layer).__name__ for layer in model.trainer.layers][-8:]
    assert order == ["Flatten", *["Dense", "ReLU", "Dropout"] * 2, "Dense"]
    # PyTorch's default bound, 1/sqrt(fan-in), for the dense layers too.
    for name, fan_in in (("neck_dense", 25_088), ("neck_dense_2", 4096), ("logits", 4096)):
        for weight in model.trainer.get_layer(name).weights:
            largest = float(keras.ops.max(keras.ops.abs(weight)))
            assert 0.98 * fan_in**-0.5 < largest <= fan_in**-0.5 * (1 + 1e-6)


def test_layers_are_numbered_as_torchvisions(backbone):
    numbered = {
        int(y.name.removeprefix("features.")): type(y).__name__
        for y in backbone.model.layers
        if y.name.startswith("features.")
    }
    pools = [4, 9, 16, 23, 30]
    assert sorted(numbered) == list(range(31))
    assert [n for n, kind in numbered.items() if kind == "MaxPooling2D"] == pools
    convolutions = [n for n, kind in numbered.items() if kind == "Conv2D"]
    assert convolutions == [0, 2, 5, 7, 10, 12, 14, 17, 19, 21, 24, 26, 28]
    assert all(numbered[n + 1] == "ReLU" for n in convolutions)


def test_convolutions_start_from_pytorchs_default(backbone):
    for name, fan_in in (("features.10", 9 * 128), ("features.28", 9 * 512)):
        layer = backbone.model.get_layer(name)
        np.testing.assert_allclose(np.asarray(layer.kernel).std(), (3 * fan_in) ** -0.5, rtol=0.01)
        assert 0.9 * fan_in**-0.5 < np.abs(np.asarray(layer.bias)).max() <= fan_in**-0.5


def test_contract(backbone, tmp_path):
    embedder = build_embedder(backbone)
    assert embedder.output_shape == (None, 512)
    contracts.check_model(embedder, images(), tmp_path)
    contracts.check_step_of_model(embedder, images())


def awake():
    """Kernels as wide as He's, biases at 0: PyTorch's default lets the pictures fade away."""
    embedder = build_embedder(create_backbone("vgg16", image_size=64))
    for layer in embedder.layers:
        if isinstance(layer, keras.layers.Conv2D):
            layer.kernel.assign(layer.kernel * 6**0.5)
            layer.bias.assign(layer.bias * 0)
    return embedder


def test_half_precision():
    keras.utils.set_random_seed(0)
    contracts.check_half_precision(awake, images())


@pytest.mark.peers
@pytest.mark.parametrize(("size", "policies"), [(64, ("float64", "float32")), (75, ("float64",))])
def test_torchvisions_own_network(size, policies):
    """Its dense layers' entries, `classifier.0` and `classifier.3`, are left out."""
    check_twin("vgg16", size=size, policies=policies)
