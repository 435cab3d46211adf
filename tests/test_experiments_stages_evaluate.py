"""The evaluation's embeddings: what a recipe says about scales and mirror images is done."""

from __future__ import annotations

import keras
import numpy as np

from experiments.config import Data, Evaluation, Experiment
from experiments.data_source import DataSource
from experiments.embedding_job import EmbeddingJob
from experiments.stages import evaluate
from experiments.stages.context import Context
from experiments.workdir import Workdir
from tests.small_embedder import NUM_PICTURES, SIZE, save_embedder, write_records


def test_a_recipes_scales_are_those_of_the_command(tmp_path):
    records, model = write_records(tmp_path), save_embedder(tmp_path / "embedder.keras")
    several = {"scales": (0.75, 1.0), "flip": True}
    recipe = Experiment(
        name="small",
        summary="",
        source="",
        data=Data(image_size=SIZE),
        evaluation=Evaluation(batch_size=8, scale_pooling="mean", **several),
    )
    source = DataSource("records", records, NUM_PICTURES)
    context = Context(recipe, "demo", source, Workdir(tmp_path / "run"))
    embedder = keras.saving.load_model(model, compile=False)
    found = evaluate.embed(context, embedder, "train", trained=False).vectors

    opened = EmbeddingJob(
        model, str(records), "train", tmp_path / "x.npy", batch_size=8, **several
    ).opened()
    batches = opened.batches_between(0, NUM_PICTURES)
    expected = np.concatenate([opened.predict(images) for images, _ in batches])
    np.testing.assert_allclose(found, expected, atol=1e-6)
    once = embedder.predict_on_batch(next(opened.batches_between(0, 8))[0])
    assert np.abs(found[:8] - once).max() > 1e-3
