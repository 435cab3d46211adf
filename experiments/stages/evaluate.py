"""A trained network -> embeddings, rankings, metrics."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from experiments.recipe import as_dict
from experiments.score import score_recognition, score_retrieval
from experiments.score_inputs import tell_what_is_missing
from experiments.stages.changes import evaluated_on
from experiments.stages.class_set import head_classes, landmark_ids
from experiments.stages.context import Context
from experiments.stages.held_out import evaluation_data, held_out, held_out_recognition, predict
from experiments.tasks import SOLUTIONS
from experiments.workdir import write_json
from landmarks_tf import metrics
from landmarks_tf.records import Manifest

NEIGHBOURS = 100
_PAIRS_WORTH_A_BAR = 100_000_000


def run(context: Context) -> list[Path]:
    """Score the trained network, and the untrained one where the recipe asks for it.

    Raises:
        ValueError, OSError: a solution that is malformed or of other pictures, which is found
            before anything is embedded; embeddings of another model.
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
    queries, tasks = _ids(context, "test"), context.tasks
    if tasks["retrieval"].is_scored:
        solution = metrics.read_retrieval_solution(_solution(context, "retrieval"))
        known = {"answers": set(_ids(context, "index")), "what": "index images"}
        tell_what_is_missing(solution, queries=queries, **known)
    if tasks["recognition"].is_scored:
        solution = metrics.read_recognition_solution(_solution(context, "recognition"))
        known = {"answers": set(landmark_ids(context.records).tolist()), "what": "landmarks"}
        tell_what_is_missing(solution, queries=queries, **known)


def _solution(context: Context, task: str) -> Path:
    return context.metadata / SOLUTIONS[task]


def _ids(context: Context, split: str) -> list[str]:
    return [image_id.decode("ascii") for image_id in context.index_of(split).id]


def _description(context: Context) -> dict:
    """What the numbers are about: data, split, index size, seeds; and what has no numbers."""
    recipe = context.experiment
    counts = {
        split: Manifest.load(context.records, split).num_records
        for split in ("train", "index", "test", "validation")
        if context.has_split(split)
    }
    not_scored = {task.name: task.note for task in context.tasks.values() if task.note}
    names = {"demo": "the rendered demo data set (not GLDv2)"}
    return {
        "experiment": recipe.name,
        "size": context.size,
        "data": names.get(context.source.kind, str(context.source.folder)),
        "classes": context.num_classes,
        "images": counts,
        **({"index_size": counts["index"]} if "index" in counts else {}),
        **({"not_scored": not_scored} if not_scored else {}),
        "evaluated_on": evaluated_on(context),
        "seeds": {"train": recipe.train.seed, "split": recipe.data.split_seed},
        "published": as_dict(recipe)["published"],
    }


def _score(context: Context, embedder, scorer, *, trained: bool) -> dict:
    tasks, result = context.tasks, {}
    queries = embed(context, embedder, "test", trained=trained)
    suffix = "" if trained else "_untrained"
    retrieval = context.workdir.predictions / f"retrieval{suffix}.csv"
    recognition = context.workdir.predictions / f"recognition{suffix}.csv"
    retrieval.unlink(missing_ok=True)  # one of other data must not be taken for this one
    if tasks["retrieval"].is_answered:
        references = embed(context, embedder, "index", trained=trained)
        device = context.experiment.evaluation.search_device
        without = context.left_out("test")
        _write_rankings(retrieval, queries, references, device=device, unanswered=without)
    if tasks["retrieval"].is_scored:
        result["retrieval"] = score_retrieval(retrieval, _solution(context, "retrieval"))
    _write_recognition(context, recognition, embedder, scorer, queries, trained=trained)
    if tasks["recognition"].is_scored:
        result["recognition"] = score_recognition(recognition, _solution(context, "recognition"))
    elif context.experiment.evaluation.recognition == "knn" and context.has_split("validation"):
        # No other number tells how good the predictions are.
        result["held_out_recognition"] = _held_out_recognition(context, embedder, trained=trained)
    if scorer is not None and context.has_split("validation"):
        result["held_out"] = held_out(context, scorer, head_classes(context) if trained else None)
    return result


def _held_out_recognition(context: Context, embedder, *, trained: bool) -> dict:
    queries = embed(context, embedder, "validation", trained=trained)
    answers = _by_neighbours(context, embedder, queries, trained=trained)
    return held_out_recognition(queries.ids, context.index_of("validation").label, *answers)


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


def _write_rankings(path: Path, queries, references, *, device: str, unanswered=()) -> None:
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
    # The competition wants a row for each test picture, also for those that cannot be read.
    write_retrieval_submission(path, ranked | dict.fromkeys(unanswered, ()))


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
    rows = {q: (landmark, c) for q, landmark, c in answers}
    write_recognition_submission(path, rows | dict.fromkeys(context.left_out("test")))


def _by_softmax(context: Context, scorer) -> tuple[np.ndarray, np.ndarray]:
    logits = predict(context.experiment, scorer, context.index_of("test")).astype(np.float64)
    logits -= logits.max(axis=1, keepdims=True)
    return logits.argmax(axis=1), 1.0 / np.exp(logits).sum(axis=1)


def _by_neighbours(context: Context, embedder, queries, *, trained: bool):
    from experiments.stages.open_set import by_neighbours

    references = embed(context, embedder, "train", trained=trained)
    labels = np.asarray(context.index_of("train").label)
    return by_neighbours(
        context.experiment.evaluation,
        queries,
        references.vectors,
        labels,
        _solution(context, "recognition"),
    )
