"""What in one picture matches another: the cosine of two descriptors, spread over positions.

An embedder pools a feature map, applies its neck and divides by the length. Before the division the
product of a picture's vector with another's descriptor is a sum over the positions of its feature
map: each position counts with the gradient of that product by its activations, times the
activations. The sum is the cosine itself for average, maximum and GeM pooling (all homogeneous of
degree one) and a neck that is linear, up to what the neck's biases add, which is given apart.

Sources: class activation maps (Zhou et al., CVPR 2016) and Grad-CAM (Selvaraju et al., ICCV 2017),
carried over to similarities of embeddings by Stylianou et al., "Visualizing Deep Similarity
Networks" (WACV 2019). The gradient is written out, so that it works on any backend of Keras.
"""

from __future__ import annotations

from dataclasses import dataclass

import keras
import numpy as np
from keras import layers

from landmarks_tf.layers import GeMPooling2D
from landmarks_tf.models.position_centres import position_centres

# Of the cosine of a picture with itself, by the neck's precision.
_TOLERANCE, _TOLERANCE_HALF = 1e-4, 2e-2


@dataclass(frozen=True)
class Described:
    """Pictures as the embedder sees them.

    Attributes:
        features: (B, h, w, C) float32, the map that is pooled.
        descriptors: (B, D) float32 unit rows.
    """

    features: np.ndarray
    descriptors: np.ndarray


class SimilarityMaps:
    """Explains the similarities of one embedder.

    Args:
        embedder: from `build_embedder`, or such a one saved and loaded: its layer "pool" is
            average, maximum or GeM pooling or a flattening, its neck a chain of dense layers, batch
            norms, ReLUs and dropouts, its layer "embedding" the normalisation.

    Attributes:
        centres: rows (h,) and columns (w,) of the picture, in pixels, that the positions look at;
            None where they are not known.

    Raises:
        ValueError: another kind of network, naming the layer.
    """

    def __init__(self, embedder: keras.Model):
        pool = _layer(embedder, "pool")
        self._shares = _pooling(pool)
        self._flat = isinstance(pool, layers.Flatten)
        self._neck = _neck(embedder, pool)
        self._maps = keras.Model(embedder.input, [pool.input, embedder.output])
        self.centres = position_centres(embedder, pool.input)
        full = all(layer.compute_dtype == "float32" for layer in self._neck)
        self._tolerance = _TOLERANCE if full else _TOLERANCE_HALF

    def describe(self, images) -> Described:
        """Feature maps and descriptors of (B, S, S, 3) pictures, 0..255."""
        features, descriptors = self._maps.predict_on_batch(np.asarray(images))
        return Described(np.asarray(features, np.float32), np.asarray(descriptors, np.float32))

    def contributions(self, features, other) -> tuple[np.ndarray, float]:
        """What each position of a picture adds to its cosine with another.

        Args:
            features: (h, w, C), of `describe`.
            other: (D,), the other picture's descriptor.

        Returns:
            (h, w) float64 contributions, and what no position adds (biases of the neck). All
            together they are the cosine.

        Raises:
            ValueError: a descriptor of another width.
        """
        features = np.asarray(features, np.float64)
        other = np.asarray(other, np.float64)
        shares = self._shares(features)
        inputs, vector = [], shares.ravel() if self._flat else shares.sum(axis=(0, 1))
        for layer in self._neck:
            inputs.append(vector)
            vector = _forward(layer, vector)
        if other.shape != vector.shape:
            raise ValueError(
                f"expected a descriptor of {vector.shape}, received {other.shape}: it is of "
                f"another network"
            )
        length = np.linalg.norm(vector)
        if not length:
            return np.zeros(features.shape[:2]), 0.0
        weights = other / length
        for layer, at in zip(reversed(self._neck), reversed(inputs), strict=True):
            weights = _backward(layer, weights, at)
        if self._flat:
            weights = weights.reshape(shares.shape)
        positions = (shares * weights).sum(axis=-1)
        return positions, float(other @ vector / length - positions.sum())

    def check(self, described: Described) -> None:
        """Compare the descriptors with those that the maps give by the written-out arithmetic.

        Raises:
            ValueError: they differ: the network does something after pooling that this module does
                not know of.
        """
        for features, descriptor in zip(described.features, described.descriptors, strict=True):
            positions, rest = self.contributions(features, descriptor)
            if abs(positions.sum() + rest - 1) > self._tolerance:
                raise ValueError(
                    f"the similarity map of a picture with itself adds up to "
                    f"{positions.sum() + rest:.4f}, expected 1: this network's descriptors are "
                    f"not those of its pooling and neck"
                )


def _layer(embedder: keras.Model, name: str) -> layers.Layer:
    try:
        return embedder.get_layer(name)
    except ValueError:
        raise ValueError(
            f"similarity maps need an embedder as build_embedder makes it. Received: "
            f"{embedder.name!r}, which has no layer {name!r}."
        ) from None


def _pooling(pool: layers.Layer):
    """(h, w, C) activations -> (h, w, C) shares, which add up to the pooled values.

    A share is the activation times the derivative of the pooled value by it.
    """
    if isinstance(pool, layers.GlobalAveragePooling2D):
        return lambda x: x / (x.shape[0] * x.shape[1])
    if isinstance(pool, layers.GlobalMaxPooling2D):
        return _shares_of_maximum
    if isinstance(pool, GeMPooling2D):
        exponent = float(_values(pool.p))
        return lambda x: _shares_of_mean(np.maximum(x, pool.epsilon), exponent)
    if isinstance(pool, layers.Flatten):
        return lambda x: x
    raise ValueError(
        f"similarity maps know average, maximum and GeM pooling and flattening. Received: the "
        f"layer {pool.name!r}, a {type(pool).__name__}."
    )


def _shares_of_maximum(x: np.ndarray) -> np.ndarray:
    largest = x == x.max(axis=(0, 1))
    return np.where(largest, x, 0.0) / largest.sum(axis=(0, 1))


def _shares_of_mean(x: np.ndarray, exponent: float) -> np.ndarray:
    """Of (mean x^p)^(1/p): x times its derivative is the mean's own value by x^p / sum x^p."""
    peak = x.max(axis=(0, 1))
    powers = (x / peak) ** exponent
    pooled = peak * powers.mean(axis=(0, 1)) ** (1 / exponent)
    return pooled * powers / powers.sum(axis=(0, 1))


def _neck(embedder: keras.Model, pool: layers.Layer) -> list[layers.Layer]:
    """The layers between the pooling and the normalisation, in order."""
    last = _layer(embedder, "embedding")
    at = embedder.layers.index(pool)
    chain = embedder.layers[at + 1 : embedder.layers.index(last)]
    for before, layer in zip([pool, *chain], [*chain, last], strict=True):
        if layer.input is not before.output:
            raise ValueError(
                f"similarity maps follow a neck that is a chain. Received: the layer "
                f"{layer.name!r} does not read {before.name!r}."
            )
    for layer in chain:
        _kind(layer)
    return chain


def _kind(layer: layers.Layer) -> str:
    kinds = {
        layers.Dense: "dense",
        layers.BatchNormalization: "norm",
        layers.ReLU: "relu",
        layers.Dropout: "dropout",
    }
    for kind, name in kinds.items():
        if isinstance(layer, kind):
            return name
    raise ValueError(
        f"similarity maps know dense layers, batch norms, ReLUs and dropouts between pooling and "
        f"embedding. Received: the layer {layer.name!r}, a {type(layer).__name__}."
    )


def _forward(layer: layers.Layer, x: np.ndarray) -> np.ndarray:
    kind = _kind(layer)
    if kind == "dense":
        kernel, bias = (_values(weight) for weight in (layer.kernel, layer.bias))
        return x @ kernel + bias
    if kind == "norm":
        return (x - _values(layer.moving_mean)) * _slope(layer) + _values(layer.beta)
    return np.maximum(x, 0.0) if kind == "relu" else x


def _backward(layer: layers.Layer, gradient: np.ndarray, x: np.ndarray) -> np.ndarray:
    """The gradient by the layer's input `x`, from that by its output."""
    kind = _kind(layer)
    if kind == "dense":
        return _values(layer.kernel) @ gradient
    if kind == "norm":
        return gradient * _slope(layer)
    return gradient * (x > 0) if kind == "relu" else gradient


def _slope(norm: layers.Layer) -> np.ndarray:
    return _values(norm.gamma) / np.sqrt(_values(norm.moving_variance) + norm.epsilon)


def _values(weight) -> np.ndarray:
    return keras.ops.convert_to_numpy(keras.ops.convert_to_tensor(weight)).astype(np.float64)
