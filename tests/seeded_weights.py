"""The same weights on every backend, without carrying gigabytes from one process to the other."""

from __future__ import annotations

import contextlib
import zlib
from collections.abc import Iterator
from unittest import mock

import keras
import numpy as np

_DRAWN = (
    keras.initializers.VarianceScaling,
    keras.initializers.RandomUniform,
    keras.initializers.TruncatedNormal,
)


@contextlib.contextmanager
def no_initial_values() -> Iterator[None]:
    """Build networks with zeros for kernels, where `fill` or a file replaces them anyway.

    Drawing them is more than half of the time that building takes on TensorFlow, and most of it on
    JAX, which compiles for each shape.
    """
    with contextlib.ExitStack() as stack:
        for initializer in _DRAWN:
            zeros = mock.patch.object(initializer, "__call__", _zeros)
            stack.enter_context(zeros)
        yield


def _zeros(initializer, shape, dtype=None):
    return np.zeros(shape, dtype)


def fill(model: keras.Model) -> None:
    """Give every weight numbers that follow from its path alone.

    Kernels are He's normal, scales lie in 0.5..1.5, biases and offsets around 0. Moving statistics
    are left as they are.
    """
    for weight in model.weights:
        if "moving_" in weight.path or "seed" in weight.path:
            continue
        random = np.random.default_rng(zlib.crc32(weight.path.encode()))
        if len(weight.shape) > 1:
            fan_in = np.prod(weight.shape[:-1])
            values = random.standard_normal(weight.shape, np.float32) * np.sqrt(2 / fan_in)
        elif weight.path.endswith("gamma"):
            values = random.uniform(0.5, 1.5, weight.shape)
        else:
            values = random.normal(0, 0.1, weight.shape)
        weight.assign(values.astype(np.float32))


def settle(model: keras.Model, pixels: np.ndarray) -> dict[str, np.ndarray]:
    """Set the moving statistics to those of a batch, and return them by path.

    So that activations stay of order one through a hundred layers. Half is added to the variances:
    where the last maps are single pixels, a few of them have next to none.
    """
    norms = [y for y in model.layers if isinstance(y, keras.layers.BatchNormalization)]
    momenta = [norm.momentum for norm in norms]
    for norm in norms:
        norm.momentum = 0.0
    model(pixels, training=True)
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum
        norm.moving_variance.assign(norm.moving_variance + 0.5)
    return {
        weight.path: np.asarray(weight)
        for norm in norms
        for weight in (norm.moving_mean, norm.moving_variance)
    }
