"""Losses over the embeddings of a batch against pytorch-metric-learning, on the same arrays.

Values and gradients agree to 1e-5. Where a definition differs, tests/peers/torch_losses.py says how
and compares what both have:

- triplet: their default mean is our average="nonzero"; their soft margin keeps the margin inside;
  their semi-hard mining gives every negative within the margin, ours the nearest of each pair.
- contrastive: theirs is linear in the distance, ours the paper's halved squares.
- multi-similarity: their default base is 0.5 and their mean leaves out anchors that mined nothing;
  ours are the paper's 1 and mean over all anchors.
- supervised contrastive, circle, proxy-anchor: none.
"""

from __future__ import annotations

import numpy as np
import pytest

from landmarks_tf.layers import CosineClassifier
from landmarks_tf.losses import (
    CircleLoss,
    ContrastiveLoss,
    MultiSimilarityLoss,
    ProxyAnchorLoss,
    SupervisedContrastiveLoss,
    TripletLoss,
)
from tests.embedding_batches import balanced, value_and_gradient
from tests.torch_losses import peer_losses

pytestmark = pytest.mark.peers

CLASSES = 8

OURS = {
    "triplet_all_squared": TripletLoss(0.7, "all", "squared"),
    "triplet_all_euclidean": TripletLoss(0.7, "all", "euclidean"),
    "triplet_all_cosine": TripletLoss(0.7, "all", "cosine"),
    "triplet_nonzero": TripletLoss(0.2, "all", "euclidean", average="nonzero"),
    "triplet_soft": TripletLoss(None, "all", "euclidean"),
    "triplet_hard": TripletLoss(0.7, "hard"),
    "triplet_semi_hard": TripletLoss(0.7, "semi_hard"),
    "contrastive": ContrastiveLoss(1.2),
    "multi_similarity": MultiSimilarityLoss(epsilon=None),
    "multi_similarity_mined": MultiSimilarityLoss(),
    "supervised_contrastive": SupervisedContrastiveLoss(),
    "circle": CircleLoss(),
}


@pytest.fixture(scope="module")
def given():
    _, embeddings = balanced(CLASSES, 4, 16, seed=3)
    labels = np.repeat(np.random.default_rng(0).permutation(CLASSES), 4)
    proxies = np.random.default_rng(1).normal(size=(CLASSES + 2, 16)).astype(np.float32)
    return {"labels": labels, "embeddings": embeddings, "proxies": proxies}


@pytest.fixture(scope="module")
def theirs(given):
    return peer_losses(given, *OURS, "proxy_anchor")


def tangential(gradient, rows):
    """The part of a gradient that turns unit rows: theirs normalise the rows, some of ours do not,
    and only this part reaches what lies before a layer that normalises."""
    return gradient - (gradient * rows).sum(axis=1, keepdims=True) * rows


@pytest.mark.parametrize("name", OURS)
def test_values_and_gradients_agree(name, given, theirs):
    value, gradient = value_and_gradient(OURS[name], given["labels"], given["embeddings"])
    assert value > 0.01
    np.testing.assert_allclose(value, theirs[name], rtol=1e-5)
    gradient = tangential(gradient, given["embeddings"])
    expected = tangential(theirs[f"{name}:embeddings"], given["embeddings"])
    largest = np.abs(expected).max()
    assert largest > 1e-3
    np.testing.assert_allclose(gradient, expected, rtol=0, atol=1e-5 * max(1, largest))


def test_proxy_anchor_over_a_classifiers_cosines(given, theirs):
    import tensorflow as tf

    layer = CosineClassifier(len(given["proxies"]))
    layer.build(given["embeddings"].shape)
    layer.centers.assign(given["proxies"])
    with tf.GradientTape() as tape:
        rows = tf.constant(given["embeddings"])
        tape.watch(rows)
        value = ProxyAnchorLoss()(given["labels"], layer(rows))
    gradients = tape.gradient(value, [rows, layer.centers.value])
    np.testing.assert_allclose(value, theirs["proxy_anchor"], rtol=1e-5)
    for found, name in zip(gradients, ("embeddings", "proxies"), strict=True):
        expected = theirs[f"proxy_anchor:{name}"]
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5 * np.abs(expected).max())
