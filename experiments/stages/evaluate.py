"""A trained network -> embeddings, rankings, metrics."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from experiments.recipe import as_dict
from experiments.score import score_recognition, score_retrieval
from experiments.score_inputs import tell_what_is_missing
from experiments.stages.class_set import head_classes, landmark_ids
from experiments.stages.context import Context
from experiments.stages.held_out import evaluation_data, held_out, predict
from experiments.workdir import write_json
from landmarks_tf import metrics
from landmarks_tf.records import Manifest

NEIGHBOURS = 100
RETRIEVAL_SOLUTION = "retrieval_solution_v2.1.csv"
RECOGNITION_SOLUTION = "recognition_solution_v2.1.csv"
_PAIRS_WORTH_A_BAR = 100_000_000


def run(context: Context) -> list[Path]:
    """Score the trained network, and the untrained one where the recipe asks for it.

    Raises:
        ValueError, OSError: a solution that is missing, malformed or of other pictures, which is
            found before anything is embedded; embeddings of another model.
    """
    import keras

    import landmarks_tf.layers
    import landmarks_tf.losses
    import landmarks_tf.training.gather  # noqa: F401  (registers the classes that the models hold)
    from experiments.stages.networks import build_network, class_scores

    stages = {s.title: data.words for s, data in context.training_sets() if s.name}
    context = context.after_training()
    workdir = context.workdir
    _check_solutions(context)
    embedder = keras.saving.load_model(workdir.embedder, compile=False)
    trainer = keras.saving.load_model(workdir.trainer, compile=False)
    result = _description(context) | ({"stage_data": stages} if stages else {})
    scorer = class_scores(context.experiment, trainer)
    result["trained"] = _score(context, embedder, scorer, trained=True)
    if context.experiment.evaluation.untrained_baseline:
        network = build_network(context.experiment, context.num_classes)
        result["untrained"] = _score(
            context,
            network.embedder,
            class_scores(context.experiment, network.trainer),
            trained=False,
        )
    write_json(workdir.metrics, result)
    return [workdir.metrics, workdir.predictions]


def _check_solutions(context: Context) -> None:
    queries = _ids(context, "test")
    retrieval = metrics.read_retrieval_solution(context.metadata / RETRIEVAL_SOLUTION)
    known = {"answers": set(_ids(context, "index")), "what": "index images"}
    tell_what_is_missing(retrieval, queries=queries, **known)
    recognition = metrics.read_recognition_solution(context.metadata / RECOGNITION_SOLUTION)
    known = {"answers": set(landmark_ids(context.records).tolist()), "what": "landmarks"}
    tell_what_is_missing(recognition, queries=queries, **known)


def _ids(context: Context, split: str) -> list[str]:
    return [image_id.decode("ascii") for image_id in context.index_of(split).id]


def _description(context: Context) -> dict:
    """What the numbers are about: data, split, index size, seeds."""
    recipe = context.experiment
    counts = {s: Manifest.load(context.records, s).num_records for s in ("train", "index", "test")}
    if context.has_split("validation"):
        counts["validation"] = Manifest.load(context.records, "validation").num_records
    names = {"demo": "the rendered demo data set (not GLDv2)"}
    return {
        "experiment": recipe.name,
        "size": context.size,
        "data": names.get(context.source.kind, str(context.source.folder)),
        "classes": context.num_classes,
        "images": counts,
        "index_size": counts["index"],
        "seeds": {"train": recipe.train.seed, "split": recipe.data.split_seed},
        "published": as_dict(recipe)["published"],
    }


def _score(context: Context, embedder, scorer, *, trained: bool) -> dict:
    queries = embed(context, embedder, "test", trained=trained)
    references = embed(context, embedder, "index", trained=trained)
    suffix = "" if trained else "_untrained"
    retrieval = context.workdir.predictions / f"retrieval{suffix}.csv"
    recognition = context.workdir.predictions / f"recognition{suffix}.csv"
    _write_rankings(
        retrieval, queries, references, device=context.experiment.evaluation.search_device
    )
    _write_recognition(context, recognition, embedder, scorer, queries, trained=trained)
    result = {
        "retrieval": score_retrieval(retrieval, context.metadata / RETRIEVAL_SOLUTION),
        "recognition": score_recognition(recognition, context.metadata / RECOGNITION_SOLUTION),
    }
    if scorer is not None and context.has_split("validation"):
        result["held_out"] = held_out(context, scorer, head_classes(context) if trained else None)
    return result


def embed(context: Context, embedder, split: str, *, trained: bool):
    """The embeddings of a split, from disk if they are already there."""
    from landmarks_tf.data.dataset import clear_errors
    from landmarks_tf.retrieval.embed import embed_dataset
    from landmarks_tf.retrieval.multi_scale import describe_batches

    index = context.index_of(split)
    settings = context.experiment.evaluation
    describe = describe_batches(
        embedder,
        settings.batch_size,
        scales=settings.scales,
        pooling=settings.scale_pooling,
        flip=settings.flip,
    )
    with clear_errors(index):
        return embed_dataset(
            describe,
            lambda row: evaluation_data(context.experiment, index, row),
            ids=_ids(context, split),
            dim=embedder.output.shape[-1],
            path=context.embeddings_path(split, trained=trained),
            fingerprint=context.fingerprint_of(split, trained=trained),
        )


def _write_rankings(path: Path, queries, references, *, device: str) -> None:
    from landmarks_tf.export.kaggle import write_retrieval_submission
    from landmarks_tf.retrieval.exact import ExactIndex

    k = min(NEIGHBOURS, len(references.ids))
    index = ExactIndex(references.vectors, device=device)
    # A bar for the minutes that a large index takes; a small one is done at once.
    large = len(queries.ids) * len(references.ids) > _PAIRS_WORTH_A_BAR
    _, rows = index.search(queries.vectors, k, progress=large)
    path.parent.mkdir(parents=True, exist_ok=True)
    ranked = {
        q: references.ids[r].tolist() for q, r in zip(queries.ids.tolist(), rows, strict=True)
    }
    write_retrieval_submission(path, ranked)


def _write_recognition(context: Context, path, embedder, scorer, queries, *, trained: bool) -> None:
    from landmarks_tf.export.kaggle import write_recognition_submission

    if context.experiment.evaluation.recognition == "softmax":
        classes, confidences = _by_softmax(context, scorer)
    else:  # "knn": `check_evaluation` has seen to it
        classes, confidences = _by_neighbours(context, embedder, queries, trained=trained)
    softmax = context.experiment.evaluation.recognition == "softmax"
    head = context.head_records if trained and softmax else None
    landmarks = landmark_ids(head or context.records)[classes]
    answers = zip(queries.ids.tolist(), landmarks.tolist(), confidences.tolist(), strict=True)
    write_recognition_submission(path, {q: (landmark, c) for q, landmark, c in answers})


def _by_softmax(context: Context, scorer) -> tuple[np.ndarray, np.ndarray]:
    logits = predict(context.experiment, scorer, context.index_of("test")).astype(np.float64)
    logits -= logits.max(axis=1, keepdims=True)
    return logits.argmax(axis=1), 1.0 / np.exp(logits).sum(axis=1)


def _by_neighbours(context: Context, embedder, queries, *, trained: bool):
    from experiments.stages.open_set import by_neighbours

    references = embed(context, embedder, "train", trained=trained)
    labels = np.asarray(context.index_of("train").label)
    solution = context.metadata / RECOGNITION_SOLUTION
    return by_neighbours(
        context.experiment.evaluation, queries, references.vectors, labels, solution
    )
