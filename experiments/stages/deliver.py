"""What others take away: the ScaNN index, the SavedModel, submission.zip and submission.csv."""

from __future__ import annotations

import sys
from pathlib import Path

from experiments.stages.class_set import landmark_ids
from experiments.stages.context import Context
from experiments.stages.submission import write_submission
from landmarks_tf.records import write_text


def build_index(context: Context) -> list[Path]:
    """Index embeddings -> a ScaNN index, reloaded and checked against exact search.

    Where the data has no index it is one of the training pictures, whose landmarks are written
    beside it: the service recognises by them.
    """
    from landmarks_tf.retrieval.embed import load_embeddings
    from landmarks_tf.retrieval.scann_index import ScannIndex

    late, split, made = context.after_training(), context.searched_split, [context.workdir.index]
    if split == "train":
        print(
            "note: the data has no index: scann_index holds the training pictures, for recognition "
            f"by the service; {context.workdir.train_landmarks.name} says what they show.",
            file=sys.stderr,
        )
        _embed_training_pictures(late)
        _write_train_landmarks(context)
        made.append(context.workdir.train_landmarks)
    fingerprint = late.fingerprint_of(split, trained=True)
    stored = load_embeddings(context.embeddings_path(split), fingerprint=fingerprint)
    k = min(100, len(stored.ids))
    ScannIndex.build(
        stored.vectors, stored.ids, context.workdir.index, k=k, fingerprint=fingerprint
    )
    return made


def _embed_training_pictures(context: Context) -> None:
    """Done before, where recognition is by neighbours."""
    import keras

    import landmarks_tf.layers  # noqa: F401  (registers the classes that the embedder holds)
    from experiments.stages.evaluate import embed

    embedder = keras.saving.load_model(context.workdir.embedder, compile=False)
    embed(context, embedder, "train", trained=True)


def _write_train_landmarks(context: Context) -> None:
    """`id,landmark_id` of each training picture, as GLDv2 has it for its index."""
    train, landmarks = context.index_of("train"), landmark_ids(context.records)
    rows = zip(train.id.tolist(), landmarks[train.label].tolist(), strict=True)
    text = "".join(f"{image_id.decode('ascii')},{landmark}\n" for image_id, landmark in rows)
    write_text(context.workdir.train_landmarks, "id,landmark_id\n" + text)


def export(context: Context) -> list[Path]:
    """The embedder as a SavedModel of the Retrieval-2020 contract, and what Kaggle takes of it.

    That is the SavedModel zipped, but for data without an index; and predictions as
    submission.csv where the data is of an edition that takes them.
    """
    import keras

    import landmarks_tf.layers  # noqa: F401  (registers the classes that the embedder holds)
    from landmarks_tf.data.pictures import read_pictures
    from landmarks_tf.export.kaggle import zip_saved_model
    from landmarks_tf.export.saved_model import export_embedder

    workdir, recipe = context.workdir, context.after_training().experiment
    tests = context.index_of("test")
    compared = range(min(recipe.export.parity_images, len(tests)))
    report = export_embedder(
        keras.saving.load_model(workdir.embedder, compile=False),
        workdir.saved_model,
        image_size=recipe.data.image_size,
        mode=recipe.data.resize,
        overwrite=True,
        parity_images=list(read_pictures(tests, compared)),
        tolerance=recipe.export.parity_tolerance,
    )
    made = [workdir.saved_model]
    for of_other_data in (workdir.submission, workdir.submission_csv):
        of_other_data.unlink(missing_ok=True)
    if context.has_split("index"):
        zip_saved_model(workdir.saved_model, workdir.submission)
        made.append(workdir.submission)
    else:
        print(
            "note: the data has no index: no submission.zip, which Retrieval 2020 took.",
            file=sys.stderr,
        )
    made += write_submission(context)
    print(
        f"SavedModel: largest difference from the Keras model {report.parity['max_abs']:.2e} "
        f"over {report.parity['images']} pictures (tolerance {report.tolerance:.0e})."
    )
    return made
