"""Losses, F1, image ops and retrieval metrics against tensorflow-addons and tensorflow-similarity.

On the same arrays values and gradients agree to 1e-5 with what they computed when
tests/golden/keras2.npz was written; one test runs them again and compares with that file.

Where a definition differs, and why:

- addons' contrastive loss has no factor 1/2 (ours has Hadsell's), and is a loss of one pair; here
  it is averaged as ours is, over positive and over negative pairs.
- similarity's multi-similarity loss leaves out anchors for which only one kind of pair was mined,
  as the authors' program does and the paper's formula does not; its `lmda` is our `base`.
- similarity's circle loss adds log(1 + sum over positives) and log(1 + sum over negatives); eq. 6
  of the paper, and ours, is log(1 + product of the two sums). Nor does it hold the weights constant
  for the gradient (eq. 10). Only the exponents are the same.
- similarity's semi-hard negative lies beyond the farthest positive of an anchor; FaceNet's, addons'
  and ours beyond each positive. They are compared on classes of two, which have one positive.
- similarity's average precision divides by the number of relevant pictures, ours, as Kaggle's
  contract has it, by min(relevant, k): the same while no class has more than k.
- addons turns counterclockwise for a positive angle, ours, as torchvision, clockwise. Its shear is
  about the corner and by nearest pixels, so the general transform stands for it; its hue is YIQ's,
  ours HSV's, and has no counterpart there.
"""

from __future__ import annotations

import math

import numpy as np
import pytest

from landmarks_tf.data.transforms import affine
from landmarks_tf.losses import CircleLoss, ContrastiveLoss, MultiSimilarityLoss, TripletLoss
from landmarks_tf.metrics.classification import f1_scores, macro_f1, weighted_f1
from landmarks_tf.metrics.retrieval import find_hits, mean_average_precision, precisions_at_k
from tests import keras2_peers
from tests.embedding_batches import value_and_gradient
from tests.reference.cosine import cosine

LOSSES = {
    **{
        f"addons_triplet_{mining}_{distance}": TripletLoss(0.7, mining, distance)
        for mining in ("hard", "semi_hard")
        for distance in ("squared", "euclidean", "cosine")
    },
    "addons_triplet_hard_soft": TripletLoss(None, "hard", "euclidean"),
    "addons_contrastive": ContrastiveLoss(1.2),
    "similarity_triplet_hard": TripletLoss(0.7, "hard", "cosine"),
    "similarity_triplet_hard_soft": TripletLoss(None, "hard", "cosine"),
    "similarity_triplet_semi_hard": TripletLoss(0.7, "semi_hard", "cosine"),
    "similarity_multi_similarity": MultiSimilarityLoss(base=0.5),
}
FACTORS = {"addons_contrastive": 2}


@pytest.fixture(scope="module")
def given():
    return keras2_peers.given_arrays()


@pytest.fixture(scope="module")
def golden():
    return keras2_peers.golden_results()


@pytest.mark.peers
def test_the_golden_file_is_what_they_compute(golden):
    live = keras2_peers.live_results()
    assert live.keys() == golden.keys()
    for name, value in golden.items():
        # A second machine may add up in another order.
        np.testing.assert_allclose(live[name], value, rtol=1e-5, atol=1e-5, err_msg=name)


@pytest.mark.parametrize("name", LOSSES)
def test_losses_and_their_gradients(name, given, golden):
    suffix = "_of_pairs" if name == "similarity_triplet_semi_hard" else ""
    labels, rows = given[f"labels{suffix}"], given[f"embeddings{suffix}"]
    value, gradient = value_and_gradient(LOSSES[name], labels, rows)
    factor = FACTORS.get(name, 1)
    assert value > 0.1
    np.testing.assert_allclose(factor * value, golden[name], rtol=1e-5)
    expected = tangential(golden[f"{name}:embeddings"], rows)
    largest = np.abs(expected).max()
    assert largest > 1e-3
    gradient = factor * tangential(np.asarray(gradient), rows)
    np.testing.assert_allclose(gradient, expected, rtol=0, atol=1e-5 * max(1, largest))


def tangential(gradient, rows):
    """What turns unit rows: some losses normalise the rows themselves, on one side only."""
    return gradient - (gradient * rows).sum(axis=1, keepdims=True) * rows


def test_circle_has_the_same_exponents(given, golden):
    scale, margin = 8.0, 0.4
    labels, rows = given["labels"], given["embeddings"].astype(np.float64)
    ours, theirs = [], []
    for i in range(len(labels)):
        sums = {True: 0.0, False: 0.0}
        for j in set(range(len(labels))) - {i}:
            s, same = cosine(rows[i], rows[j]), bool(labels[i] == labels[j])
            if same:
                exponent = -scale * max(0.0, 1 + margin - s) * (s - (1 - margin))
            else:
                exponent = scale * max(0.0, s + margin) * (s - margin)
            sums[same] += math.exp(exponent)
        ours.append(math.log1p(sums[True] * sums[False]))
        theirs.append(math.log1p(sums[True]) + math.log1p(sums[False]))
    value, _ = value_and_gradient(CircleLoss(margin, scale), labels, given["embeddings"])
    np.testing.assert_allclose(value, np.mean(ours), rtol=1e-5)
    np.testing.assert_allclose(golden["similarity_circle"], np.mean(theirs), rtol=1e-5)


def test_f1(given, golden):
    predicted, labels = given["class_scores"].argmax(axis=1), given["class_labels"]
    assert macro_f1(predicted, labels) == pytest.approx(golden["f1_macro"], abs=1e-6)
    assert weighted_f1(predicted, labels) == pytest.approx(golden["f1_weighted"], abs=1e-6)
    np.testing.assert_allclose(f1_scores(predicted, labels)[1], golden["f1_each"], atol=1e-6)


IMAGES = {
    "rotate": {"angle_degrees": -math.degrees(0.4)},
    "translate": {"translation_px": (3.5, -2.25)},
    "transform": {
        "angle_degrees": math.degrees(keras2_peers.ANGLE),
        "shear_degrees": math.degrees(keras2_peers.SHEAR),
        "scale": keras2_peers.SCALE,
        "translation_px": keras2_peers.MOVE,
    },
}
STILL = {"angle_degrees": 0.0, "translation_px": (0.0, 0.0), "scale": 1.0, "shear_degrees": 0.0}


@pytest.mark.parametrize("name", IMAGES)
def test_image_ops(name, given, golden):
    image = given["image"]
    moved = np.asarray(affine(image, **STILL | IMAGES[name]))
    assert np.abs(golden[name] - image).mean() > 20
    # Of 255; a coordinate of 30 px in float32 is known to some 2e-6 px.
    np.testing.assert_allclose(moved, golden[name], rtol=0, atol=255 * 1e-5)


def test_retrieval_metrics(given, golden):
    matches, labels = given["matches"], given["query_labels"]
    k = matches.shape[1]
    relevant = given["index_sizes"][labels]
    assert relevant.max() <= k
    # Picture q * k + r was returned to query q at rank r; those that were not follow.
    rankings, missing = np.arange(matches.size).reshape(matches.shape), matches.size
    relevance = []
    for query, row in enumerate(matches):
        found = [int(rankings[query, rank]) for rank in np.flatnonzero(row)]
        relevance.append(found + [missing + i for i in range(relevant[query] - len(found))])
    assert mean_average_precision(rankings, relevance, k) == pytest.approx(
        golden["map@20"], rel=1e-5
    )
    precisions = precisions_at_k(rankings, relevance, k)
    first = find_hits(rankings, relevance, k).correct
    for rank in (1, 5, 20):
        assert precisions[rank - 1] == pytest.approx(golden[f"precision@{rank}"], rel=1e-5)
        recall = first[:, :rank].any(axis=1).mean()
        assert recall == pytest.approx(golden[f"recall@{rank}"], rel=1e-5)
