"""Losses over class scores without TensorFlow, on Keras' JAX backend: numbers and memory."""

from __future__ import annotations

import json

import numpy as np
import pytest

from tests.reference import arcface, class_sizes, cosine_softmax
from tests.reference.finite_differences import gradient
from tests.test_backends import run

pytest.importorskip("jax", reason="JAX, the second Keras backend, is not installed (extra `jax`)")

LOSSES = """
import jax
import numpy as np
from landmarks_tf.losses import (
    AdaCosLoss, ArcFaceLoss, ClassWeightedLoss, CosFaceLoss, CrossEntropyLoss, NormSoftmaxLoss,
    class_weights, dynamic_margins,
)
sizes = np.array([1, 16, 81, 16, 200])
losses = {
    "arcface_hard": ArcFaceLoss(0.5, 12.0),
    "arcface_easy": ArcFaceLoss(0.5, 12.0, "easy"),
    "arcface_plain": ArcFaceLoss(0.5, 12.0, "plain"),
    "arcface_by_size": ArcFaceLoss(dynamic_margins(sizes), 12.0),
    "cosface": CosFaceLoss(0.2, 12.0),
    "adacos": AdaCosLoss(),
    "adacos_adaptive": AdaCosLoss(adaptive=True),
    "norm_softmax": NormSoftmaxLoss(0.1, label_smoothing=0.1),
    "weighted": ClassWeightedLoss(CrossEntropyLoss(), class_weights(sizes)),
}
"""

# Compiled with static shapes, as training does; values and derivatives go to the parent.
VALUES = (
    LOSSES
    + """
given, out = np.load(sys.argv[1]), {}
labels, cosines = given["labels"], given["cosines"]
for name, loss in losses.items():
    compiled = jax.jit(jax.value_and_grad(lambda x: loss(labels, x)))
    out[name], out[name + ":slope"] = compiled(cosines)
    for cosine in (1.0, -1.0, 1.0 + 1e-6):
        value, slope = compiled(np.full_like(cosines, cosine))
        assert np.isfinite(value) and np.isfinite(slope).all(), (name, cosine)
    rows = jax.jit(loss.call)(np.float32([-1, 5, 1.5, np.nan, np.inf, 0]), cosines)
    assert np.isnan(rows).tolist() == [True] * 5 + [False], (name, rows)
np.savez(sys.argv[2], **{name: np.asarray(value) for name, value in out.items()})
"""
)

# What a compiled loss and its gradient hold besides the cosines and that gradient.
MEMORY = (
    LOSSES
    + """
import json
B, N, found = 16, 20_000, {}
losses["arcface_by_size"] = ArcFaceLoss(np.linspace(0, 0.5, N))
losses["weighted"] = ClassWeightedLoss(CrossEntropyLoss(0.1), np.ones(N))
labels, cosines = np.arange(B), np.zeros((B, N), np.float32)
for name, loss in losses.items():
    step = jax.jit(jax.value_and_grad(lambda x: loss(labels, x)))
    memory = step.lower(cosines).compile().memory_analysis()
    found[name] = memory.temp_size_in_bytes / cosines.nbytes
print(json.dumps(found))
"""
)


def test_the_same_losses_and_gradients_on_jax_without_tensorflow(tmp_path):
    cosines = np.random.default_rng(0).uniform(-1, 1, (6, 5)).astype(np.float32)
    labels, sizes = np.array([0, 4, 2, 2, 1, 3]), [1, 16, 81, 16, 200]
    np.savez(tmp_path / "given.npz", labels=labels, cosines=cosines)
    run(VALUES, tmp_path / "given.npz", tmp_path / "out.npz")
    out = np.load(tmp_path / "out.npz")

    scale = fixed = cosine_softmax.adacos_fixed_scale(5)
    for _ in range(3):
        scale = cosine_softmax.adacos_scale(labels, cosines, scale)
    margins = class_sizes.dynamic_margins(sizes, 0.05, 0.5, 0.25)
    weights = np.array(class_sizes.class_weights(sizes))[labels]

    def softmax(factor, smoothing=0.0):
        return lambda x: cosine_softmax.smoothed_cross_entropy(labels, factor * x, smoothing)

    def cosface(x):
        logits = cosine_softmax.cosface_logits(labels, x, 0.2, 12.0)
        return cosine_softmax.smoothed_cross_entropy(labels, logits)

    expected = {
        "arcface_hard": lambda x: arcface.loss(labels, x, 0.5, 12.0),
        "arcface_easy": lambda x: arcface.loss(labels, x, 0.5, 12.0, "easy"),
        "arcface_plain": lambda x: arcface.loss(labels, x, 0.5, 12.0, "plain"),
        "arcface_by_size": lambda x: arcface.loss(labels, x, margins, 12.0),
        "cosface": cosface,
        "adacos": softmax(fixed),
        "adacos_adaptive": softmax(scale),
        "norm_softmax": softmax(10.0, 0.1),
        "weighted": lambda x: weights * softmax(1.0)(x),
    }
    assert {name for name in out if ":" not in name} == expected.keys()
    for name, function in expected.items():
        np.testing.assert_allclose(
            out[name], function(cosines.astype(np.float64)).mean(), rtol=2e-5, err_msg=name
        )
        slope = gradient(lambda x, function=function: function(x).mean(), cosines)
        np.testing.assert_allclose(out[f"{name}:slope"], slope, rtol=1e-3, atol=1e-4, err_msg=name)
        assert out[name].dtype == np.float32, name


def test_one_more_tensor_of_the_logits_size():
    """Where a margin is written into a copy of the scores, that copy and one more."""

    held = json.loads(run(MEMORY).stdout)
    for name, tensors in held.items():
        margin = name.startswith(("arcface", "cosface"))
        assert tensors < (2.1 if margin else 1.1), f"{name} holds {tensors:.2f} tensors"
