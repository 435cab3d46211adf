"""What others take away: the ScaNN index, the SavedModel and submission.zip."""

from __future__ import annotations

from pathlib import Path

from experiments.stages.context import Context


def build_index(context: Context) -> list[Path]:
    """Index embeddings -> a ScaNN index, reloaded and checked against exact search."""
    from landmarks_tf.retrieval.embed import load_embeddings
    from landmarks_tf.retrieval.scann_index import ScannIndex

    fingerprint = context.after_training().fingerprint_of("index", trained=True)
    stored = load_embeddings(context.embeddings_path("index"), fingerprint=fingerprint)
    k = min(100, len(stored.ids))
    ScannIndex.build(
        stored.vectors, stored.ids, context.workdir.index, k=k, fingerprint=fingerprint
    )
    return [context.workdir.index]


def export(context: Context) -> list[Path]:
    """The embedder as a SavedModel of the Retrieval-2020 contract, zipped for Kaggle."""
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
    zip_saved_model(workdir.saved_model, workdir.submission)
    print(
        f"SavedModel: largest difference from the Keras model {report.parity['max_abs']:.2e} "
        f"over {report.parity['images']} pictures (tolerance {report.tolerance:.0e})."
    )
    return [workdir.saved_model, workdir.submission]
