"""A cosine spread over positions: it adds up, and it is the gradient's, by finite differences."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from keras import layers

from landmarks_tf.layers import L2Normalization
from landmarks_tf.models.neck import apply_neck
from landmarks_tf.models.pooling import pool
from landmarks_tf.models.similarity_maps import SimilarityMaps
from tests.contracts import IGNORE_ARRAY_COPY
from tests.reference.finite_differences import gradient

pytestmark = IGNORE_ARRAY_COPY  # tests read weights and save

POOLINGS = ("avg", "max", "gem:2.5", "gem_fixed:3", "flatten")


def embedder(pooling, neck=(), dim=None):
    """4x4 pictures, a map of 4x4x5, and weights that are nothing special."""
    keras.utils.set_random_seed(3)
    inputs = layers.Input((4, 4, 3))
    features = layers.Conv2D(5, 1, activation="relu", name="features")(inputs)
    x = apply_neck(pool(features, pooling), neck, dim=dim)
    model = keras.Model(inputs, L2Normalization(name="embedding")(x), name="small")
    rng = np.random.default_rng(0)
    model.set_weights([rng.uniform(0.2, 1.0, w.shape) * rng.choice([-1, 1], w.shape)
                       if w.ndim > 1 else rng.uniform(0.4, 1.6, w.shape)
                       for w in model.get_weights()])  # fmt: skip
    for layer in model.layers:
        if layer.name == "pool" and hasattr(layer, "p"):
            layer.p.assign(float(pooling.partition(":")[2]))
    return model


def pictures(count=3):
    return np.random.default_rng(1).uniform(0, 1, (count, 4, 4, 3)).astype(np.float32)


@pytest.mark.parametrize("neck", [(), ("dropout", "dense", "batch_norm")], ids=["bare", "neck"])
@pytest.mark.parametrize("pooling", POOLINGS)
def test_contributions_add_up_to_the_cosine(pooling, neck):
    model = embedder(pooling, neck, 6 if neck else None)
    maps = SimilarityMaps(model)
    described = maps.describe(pictures())
    maps.check(described)
    np.testing.assert_array_equal(described.descriptors, model.predict_on_batch(pictures()))
    for one, other in ((0, 1), (1, 0), (2, 1)):
        cosine = described.descriptors[one] @ described.descriptors[other]
        spread, rest = maps.contributions(described.features[one], described.descriptors[other])
        assert spread.shape == (4, 4)
        assert spread.sum() + rest == pytest.approx(cosine, abs=1e-5)
        assert neck or rest == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize("pooling", ["avg", "gem:2.5", "flatten"])
def test_a_contribution_is_gradient_times_activation(pooling):
    """By central differences of the product before the division by the length, in float64."""
    neck = ("dense:7", "relu", "dense", "batch_norm")
    model = embedder(pooling, neck, 6)
    maps = SimilarityMaps(model)
    described = maps.describe(pictures())
    features = described.features[0].astype(np.float64) + 0.1
    other = described.descriptors[1].astype(np.float64)
    dense, dense_2 = (
        [w.astype(np.float64) for w in model.get_layer(name).get_weights()]
        for name in ("neck_dense", "neck_dense_2")
    )
    gamma, beta, mean, variance = (
        w.astype(np.float64) for w in model.get_layer("neck_batch_norm").get_weights()
    )

    def vector(x):
        if pooling == "avg":
            x = x.mean(axis=(0, 1))
        elif pooling == "flatten":
            x = x.ravel()
        else:
            x = (x**2.5).mean(axis=(0, 1)) ** (1 / 2.5)
        x = np.maximum(x @ dense[0] + dense[1], 0) @ dense_2[0] + dense_2[1]
        return gamma * (x - mean) / np.sqrt(variance + 1e-5) + beta

    length = np.linalg.norm(vector(features))
    slopes = gradient(lambda x: float(vector(x) @ other / length), features)
    spread, rest = maps.contributions(features, other)
    np.testing.assert_allclose(spread, (features * slopes).sum(axis=-1), rtol=1e-6, atol=1e-9)
    assert spread.sum() + rest == pytest.approx(float(vector(features) @ other / length))


def test_what_one_position_alone_has_counts_there_alone():
    """By hand: average pooling, no neck; channel 0 lives at one corner, the other picture has it
    and channel 1 in equal parts."""
    maps = SimilarityMaps(embedder("avg"))
    features = np.zeros((4, 4, 5))
    features[0, 0, 0] = 16.0  # pools to 1
    features[:, :, 1] = 1.0  # pools to 1: the vector is (1, 1, 0, 0, 0)
    spread, rest = maps.contributions(features, np.array([1, 0, 0, 0, 0]))
    expected = np.zeros((4, 4))
    expected[0, 0] = np.sqrt(0.5)
    np.testing.assert_allclose(spread, expected, atol=1e-15)
    assert rest == pytest.approx(0)
    spread, _ = maps.contributions(features, np.array([0, 1, 0, 0, 0]))
    np.testing.assert_allclose(spread, np.full((4, 4), np.sqrt(0.5) / 16))


def test_a_maximum_that_stands_twice_is_shared():
    maps = SimilarityMaps(embedder("max"))
    features = np.zeros((2, 2, 5))
    features[0, 0, 0] = features[1, 1, 0] = 3.0
    spread, _ = maps.contributions(features, np.array([1.0, 0, 0, 0, 0]))
    np.testing.assert_allclose(spread, [[0.5, 0], [0, 0.5]])


def test_dead_pictures_have_no_map():
    maps = SimilarityMaps(embedder("avg"))
    spread, rest = maps.contributions(np.zeros((4, 4, 5)), np.eye(5)[0])
    assert not spread.any()
    assert rest == 0


def test_it_survives_saving(tmp_path):
    model = embedder("gem:2.5", ("dense",), 6)
    model.save(tmp_path / "model.keras")
    again = SimilarityMaps(keras.saving.load_model(tmp_path / "model.keras", compile=False))
    for maps in (SimilarityMaps(model), again):
        described = maps.describe(pictures())
        maps.check(described)
    first = SimilarityMaps(model).contributions(described.features[0], described.descriptors[1])[0]
    second = again.contributions(described.features[0], described.descriptors[1])[0]
    np.testing.assert_allclose(first, second, atol=1e-7)


def test_refusals():
    inputs = layers.Input((4, 4, 3))
    with pytest.raises(ValueError, match=r"no layer 'pool'"):
        SimilarityMaps(keras.Model(inputs, layers.Flatten()(inputs), name="other"))

    def network(pooled, after):
        x = pooled(inputs)
        return keras.Model(inputs, L2Normalization(name="embedding")(after(x)))

    odd = layers.AveragePooling2D(2, name="pool")
    with pytest.raises(ValueError, match=r"layer 'pool', a AveragePooling2D"):
        SimilarityMaps(network(odd, layers.Flatten()))
    pool_of_average = layers.GlobalAveragePooling2D(name="pool")
    with pytest.raises(ValueError, match=r"layer 'bend', a Activation"):
        SimilarityMaps(network(pool_of_average, layers.Activation("tanh", name="bend")))
    maps = SimilarityMaps(embedder("avg"))
    with pytest.raises(ValueError, match=r"descriptor of \(5,\), received \(4,\)"):
        maps.contributions(np.ones((4, 4, 5)), np.ones(4))
    lies = maps.describe(pictures())
    lies.descriptors[0] *= -1
    with pytest.raises(ValueError, match=r"adds up to -1.0000, expected 1"):
        maps.check(lies)
