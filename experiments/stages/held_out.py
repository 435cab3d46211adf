"""What a network says of a split, picture by picture, and how good that is on the held-out one."""

from __future__ import annotations

from functools import partial

import numpy as np

from experiments.config import Experiment
from experiments.stages.class_set import ClassSet
from experiments.stages.context import Context


def evaluation_data(recipe: Experiment, index, first_row: int = 0):
    """Batches of a split in its order, from a row at which a batch begins; nothing dropped."""
    from landmarks_tf.data import sampling
    from landmarks_tf.data.dataset import make_dataset

    batch_size = recipe.evaluation.batch_size
    return make_dataset(
        index,
        sampling.evaluation_order(len(index), batch_size=batch_size),
        image_size=recipe.data.image_size,
        mode=recipe.data.resize,
        start_step=first_row // batch_size,
    )


def held_out(context: Context, scorer, classes: ClassSet | None = None) -> dict[str, float]:
    """Top-1, top-5 and macro F1 on the held-out split, every picture counted once.

    Args:
        context: the run.
        scorer: (B, S, S, 3) -> (B, C).
        classes: what the scorer knows, for the run's own labels; None for just those. Pictures of
            others are left out, and {} is returned where none is left.
    """
    from landmarks_tf.metrics.classification import macro_f1, top_k_accuracy

    index = context.index_of("validation")
    labels = np.asarray(index.label)
    if classes is not None and not classes.is_all:
        index = classes.rows_of(index)
        labels = classes.relabel(index.label)
        if not len(index):
            return {}
    scores = predict(context.experiment, scorer, index)
    return {
        "top1": top_k_accuracy(scores, labels, 1),
        "top5": top_k_accuracy(scores, labels, min(5, scores.shape[1])),
        "macro_f1": macro_f1(scores.argmax(axis=1), labels),
    }


def held_out_recognition(ids, labels, classes, confidences) -> dict[str, float | int]:
    """GAP and top-1 of answers to held-out pictures, all of which show a landmark.

    In a test set of the competition most pictures show none, and GAP is lower.

    Args:
        ids: (V,) image ids.
        labels: (V,) their classes.
        classes, confidences: (V,) the answers.

    Returns:
        "gap", "top1", "queries".
    """
    from landmarks_tf.metrics import recognition_summary

    names = [str(one) for one in ids]
    truth = {name: [label] for name, label in zip(names, np.asarray(labels).tolist(), strict=True)}
    answers = zip(classes.tolist(), confidences.tolist(), strict=True)
    found = recognition_summary(dict(zip(names, answers, strict=True)), truth)
    return {key: found[key] for key in ("gap", "top1", "queries")}


def held_out_pairs(
    context: Context, embedder, batches: int = 10, classes: ClassSet | None = None
) -> dict[str, float]:
    """Equal error rate on the held-out split, the mean over batches of P classes x K pictures.

    As S1 watches GE2E (reproduction.md sections 2.2 and 2.7): each picture against the centroids of
    the classes of its batch, its own without itself. Unlike there no picture is repeated, for a
    copy is like itself whatever the network: classes of fewer than K pictures are left out, and K
    is lowered until two are left. {} where no two classes have two pictures.
    """
    from landmarks_tf.data import sampling
    from landmarks_tf.layers.ge2e_similarity import centroid_cosines
    from landmarks_tf.metrics.equal_error_rate import equal_error_rate

    data, index = context.experiment.data, context.index_of("validation")
    index = index if classes is None else classes.rows_of(index)
    labels = np.asarray(index.label)
    sizes = np.bincount(labels, minlength=2)
    K = min(data.images_per_class, int(np.sort(sizes)[-2]))
    if K < 2:
        return {}
    P = min(data.classes_per_batch, int((sizes >= K).sum()))
    kept = np.flatnonzero(sizes[labels] >= K)
    plan = sampling.class_balanced(
        labels[kept], classes_per_batch=P, images_per_class=K, seed=context.experiment.train.seed
    )
    # Early in training all rows are alike: in float32 rounding would rank them.
    rows = predict(context.experiment, embedder, index).astype(np.float64)[kept]
    targets = np.arange(P * K)[:, None] // K == np.arange(P)
    rates = [
        equal_error_rate(np.asarray(centroid_cosines(rows[plan.batch(step)], K)), targets)
        for step in range(batches)
    ]
    return {"eer": float(np.mean(rates))}


def predict(recipe: Experiment, model, index) -> np.ndarray:
    """A model's output for every picture of a split, in its order.

    Raises:
        RecordsError: the records are damaged.
    """
    from landmarks_tf.data.dataset import clear_errors
    from landmarks_tf.training.distribution import replicas_of
    from landmarks_tf.training.progress import PassBar

    dataset = evaluation_data(recipe, index)
    if replicas_of(model) > 1:
        dataset = dataset.map(partial(_filled_up, rows=recipe.evaluation.batch_size))
    bar = PassBar(index.split, int(dataset.cardinality()))
    with clear_errors(index):
        return model.predict(dataset, verbose=0, callbacks=[bar])[: len(index)]


def _filled_up(images, labels, rows: int):
    """A batch with black pictures added up to `rows`: a replica fails on a share of none."""
    import tensorflow as tf

    missing = rows - tf.shape(images)[0]
    images = tf.pad(images, [[0, missing], [0, 0], [0, 0], [0, 0]])
    return tf.ensure_shape(images, (rows, None, None, 3)), tf.pad(labels, [[0, missing]])
