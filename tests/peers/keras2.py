"""Compute what tensorflow-addons and tensorflow-similarity make of given arrays.

    python keras2.py GIVEN.npz OUT.npz

Runs in the environment of keras2_requirements.txt (Keras 2), without network. GIVEN.npz holds what
`given_arrays` of tests/keras2_peers.py makes. Into OUT.npz goes each result under its name, and of
the losses, under "NAME:embeddings", the derivative by the embeddings.

Where a definition differs from ours, tests/test_peers_keras2.py says how, and why.
"""

from __future__ import annotations

import sys

import numpy as np
import tensorflow as tf
import tensorflow_addons as tfa
import tensorflow_similarity as tfsim

# Of similarity's losses only what each row adds is of interest; the mean is taken here.
ROWS = {"reduction": tf.keras.losses.Reduction.NONE}
DISTANCES = {"squared": "squared-L2", "euclidean": "L2", "cosine": "angular"}


def losses() -> dict:
    """NAME -> function of (labels, embeddings), which gives a number."""
    found = {}
    for ours, theirs in DISTANCES.items():
        for mining, kind in (
            ("hard", tfa.losses.TripletHardLoss),
            ("semi_hard", tfa.losses.TripletSemiHardLoss),
        ):
            found[f"addons_triplet_{mining}_{ours}"] = kind(margin=0.7, distance_metric=theirs)
    found["addons_triplet_hard_soft"] = tfa.losses.TripletHardLoss(soft=True, distance_metric="L2")
    found["addons_contrastive"] = contrastive
    similarity = tfsim.losses
    found["similarity_triplet_hard"] = mean(
        similarity.TripletLoss("cosine", "hard", "hard", margin=0.7, **ROWS)
    )
    found["similarity_triplet_hard_soft"] = mean(
        similarity.TripletLoss("cosine", "hard", "hard", margin=None, **ROWS)
    )
    found["similarity_triplet_semi_hard"] = mean(
        similarity.TripletLoss("cosine", "hard", "semi-hard", margin=0.7, **ROWS)
    )
    found["similarity_multi_similarity"] = mean(
        similarity.MultiSimilarityLoss(
            "cosine", alpha=2, beta=50, epsilon=0.1, lmda=0.5, center=1.0, **ROWS
        )
    )
    found["similarity_circle"] = mean(similarity.CircleLoss("cosine", gamma=8, margin=0.4, **ROWS))
    return found


def mean(loss):
    return lambda labels, embeddings: tf.reduce_mean(loss(labels, embeddings))


def contrastive(labels, embeddings):
    """The sum of the means over positive and over negative pairs, of addons' loss of each pair."""
    rows = tf.range(tf.shape(labels)[0])
    first, second = (tf.reshape(part, [-1]) for part in tf.meshgrid(rows, rows, indexing="ij"))
    first, second = tf.boolean_mask(first, first < second), tf.boolean_mask(second, first < second)
    difference = tf.gather(embeddings, first) - tf.gather(embeddings, second)
    together = tf.gather(labels, first) == tf.gather(labels, second)
    values = tfa.losses.contrastive_loss(
        tf.cast(together, tf.float32), tf.norm(difference, axis=1), margin=1.2
    )
    parts = [tf.boolean_mask(values, together), tf.boolean_mask(values, ~together)]
    return tf.add_n([tf.reduce_mean(part) for part in parts])


def loss_results(given: dict) -> dict:
    results = {}
    for name, loss in losses().items():
        # Their semi-hard negative lies beyond the farthest positive, ours beyond each positive:
        # of classes of two both are the same.
        suffix = "_of_pairs" if name == "similarity_triplet_semi_hard" else ""
        labels = tf.constant(given[f"labels{suffix}"])
        embeddings = tf.constant(given[f"embeddings{suffix}"])
        with tf.GradientTape() as tape:
            tape.watch(embeddings)
            value = loss(labels, embeddings)
        results[name] = value.numpy()
        results[f"{name}:embeddings"] = np.asarray(
            tf.convert_to_tensor(tape.gradient(value, embeddings))
        )
    return results


def f1_results(given: dict) -> dict:
    scores, labels = given["class_scores"], given["class_labels"]
    results = {}
    for average in ("macro", "weighted", None):
        metric = tfa.metrics.F1Score(num_classes=scores.shape[1], average=average)
        metric.update_state(tf.one_hot(labels, scores.shape[1]), scores)
        results[f"f1_{average or 'each'}"] = metric.result().numpy()
    return results


def image_results(given: dict) -> dict:
    image = tf.constant(given["image"])
    options = {"interpolation": "bilinear", "fill_mode": "constant", "fill_value": 0.0}
    return {
        "rotate": tfa.image.rotate(image, float(given["angle"]), **options).numpy(),
        "translate": tfa.image.translate(image, given["translation"], **options).numpy(),
        "transform": tfa.image.transform(
            image,
            given["projective"],
            interpolation="bilinear",
            fill_mode="constant",
            fill_value=0.0,
        ).numpy(),
    }


def retrieval_results(given: dict) -> dict:
    metrics = tfsim.retrieval_metrics
    queries = tf.constant(given["query_labels"])
    matches = tf.constant(given["matches"])
    sizes = {label: int(size) for label, size in enumerate(given["index_sizes"])}
    results = {}
    for k in (1, 5, 20):
        results[f"precision@{k}"] = metrics.PrecisionAtK(k=k).compute(
            query_labels=queries, match_mask=matches
        )
        results[f"recall@{k}"] = metrics.RecallAtK(k=k).compute(
            query_labels=queries, match_mask=matches
        )
    results["map@20"] = metrics.MapAtK(r=sizes, k=20).compute(
        query_labels=queries, match_mask=matches
    )
    return {name: np.asarray(value) for name, value in results.items()}


def main() -> None:
    with np.load(sys.argv[1]) as arrays:
        given = dict(arrays)
    results = loss_results(given) | f1_results(given) | image_results(given)
    np.savez_compressed(sys.argv[2], **results, **retrieval_results(given))


if __name__ == "__main__":
    main()
