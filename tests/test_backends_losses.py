"""Losses over the embeddings of a batch without TensorFlow, on Keras' JAX backend."""

from __future__ import annotations

import numpy as np
import pytest

from tests.embedding_batches import balanced
from tests.reference import circle, ge2e, multi_similarity, proxy_anchor, triplet
from tests.reference import supervised_contrastive as supcon
from tests.reference.finite_differences import gradient
from tests.test_backends import run

pytest.importorskip("jax", reason="JAX, the second Keras backend, is not installed (extra `jax`)")

# Compiled with static shapes, as training does; values and derivatives go to the parent.
LOSSES = """
import jax
import numpy as np
from landmarks_tf.layers import GE2ESimilarity
from landmarks_tf.losses import (
    CircleLoss, GE2ELoss, MultiSimilarityLoss, ProxyAnchorLoss, SupervisedContrastiveLoss,
    TripletLoss,
)

given, out = np.load(sys.argv[1]), {}
labels, rows = given["labels"], given["rows"]
similarity = GE2ESimilarity(3)
similarity.build(rows.shape)
losses = {
    "ge2e": lambda x: GE2ELoss()(labels, similarity(x)),
    "ge2e_contrast": lambda x: GE2ELoss("contrast")(labels, similarity(x)),
    "triplet_hard": lambda x: TripletLoss(0.7, "hard")(labels, x),
    "triplet_semi_hard": lambda x: TripletLoss(0.7, "semi_hard", "euclidean")(labels, x),
    "multi_similarity": lambda x: MultiSimilarityLoss(beta=10.0)(labels, x),
    "supervised_contrastive": lambda x: SupervisedContrastiveLoss(0.2)(labels, x),
    "circle": lambda x: CircleLoss(0.3, 10.0)(labels, x),
    "proxy_anchor": lambda x: ProxyAnchorLoss()(given["classes"], x),
}
for name, loss in losses.items():
    inputs = given["cosines"] if name == "proxy_anchor" else rows
    out[name], out[name + ":slope"] = jax.jit(jax.value_and_grad(loss))(inputs)
same = np.ones_like(rows)
for name, loss in losses.items():
    if name != "proxy_anchor":
        value, slope = jax.value_and_grad(loss)(same)
        assert np.isfinite(value) and np.isfinite(slope).all(), name
shuffled = labels[[0, 3, 1, 4, 2, 5, 6, 7, 8]]
assert np.isnan(GE2ELoss()(shuffled, similarity(rows)))
assert np.isnan(TripletLoss()(np.where(labels == labels[0], -1, labels), rows))
assert np.isnan(ProxyAnchorLoss()(np.array([0, 1, 5]), given["cosines"][:3]))
np.savez(sys.argv[2], **{name: np.asarray(value) for name, value in out.items()})
"""


@pytest.mark.slow
def test_the_same_losses_and_gradients_on_jax_without_tensorflow(tmp_path):
    labels, rows = balanced(3, 3, 4, seed=2)
    random = np.random.default_rng(0)
    cosines = random.uniform(-1, 1, (9, 5)).astype(np.float32)
    classes = np.array([0, 4, 4, 1, 2, 0, 0, 1, 4])
    np.savez(tmp_path / "given.npz", labels=labels, rows=rows, cosines=cosines, classes=classes)
    run(LOSSES, tmp_path / "given.npz", tmp_path / "out.npz")
    out = np.load(tmp_path / "out.npz")

    def by_row(losses):
        return lambda x: losses(ge2e.similarities(x, 3), 3).mean()

    expected = {
        "ge2e": by_row(ge2e.softmax_losses),
        "ge2e_contrast": by_row(ge2e.contrast_losses),
        "triplet_hard": lambda x: triplet.mean(labels, x, 0.7, "hard", "squared"),
        "triplet_semi_hard": lambda x: triplet.mean(labels, x, 0.7, "semi_hard", "euclidean"),
        "multi_similarity": lambda x: multi_similarity.losses(labels, x, 2, 10, 1, 0.1).mean(),
        "supervised_contrastive": lambda x: supcon.mean(labels, x, 0.2),
        "circle": lambda x: circle.mean(labels, x, 0.3, 10.0, weigh_at=rows),
        "proxy_anchor": lambda x: proxy_anchor.loss(classes, x, 0.1, 32.0),
    }
    assert {name for name in out if ":" not in name} == expected.keys()
    for name, function in expected.items():
        inputs = cosines if name == "proxy_anchor" else rows
        np.testing.assert_allclose(out[name], function(inputs), rtol=1e-4, err_msg=name)
        slope = gradient(function, inputs)
        np.testing.assert_allclose(
            out[f"{name}:slope"], slope, rtol=2e-3, atol=1e-4 * np.abs(slope).max(), err_msg=name
        )
        assert out[name].dtype == np.float32, name
