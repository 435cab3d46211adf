"""The evaluation: a recipe's scales and mirror images, and ground truth of other pictures."""

from __future__ import annotations

import json
import shutil

import keras
import numpy as np
import pytest

from experiments.config import Data, Evaluation, Experiment
from experiments.data_source import DataSource
from experiments.embedding_job import EmbeddingJob
from experiments.stages import evaluate
from experiments.stages.context import Context
from experiments.workdir import Workdir
from landmarks_tf.metrics import SolutionFormatError
from tests.reference import gldv2
from tests.small_embedder import NUM_PICTURES, SIZE, save_embedder, write_records
from tfrecords_tools.convert import convert
from tfrecords_tools.options import ConvertOptions


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


TEST = [gldv2.image_id(f"test {i}") for i in range(5)]
INDEX = [gldv2.image_id(f"index {i}") for i in range(6)]


@pytest.fixture(scope="module")
def splits(tmp_path_factory):
    """Records of train, index and test of landmarks 900 and 7, without ground truth."""
    folder = tmp_path_factory.mktemp("splits")
    gldv2.write_folder(folder / "raw", {900: 6, 7: 5}, num_index=6, num_test=5)
    for split in ("train", "index", "test"):
        options = ConvertOptions(split, shards=1)
        convert(folder / "raw", folder / "records", options, workers=1, progress=False, say=len)
    return folder / "records"


@pytest.fixture
def context(splits, tmp_path):
    """A run of a network that is there, whose records have ground truth that fits."""
    records = tmp_path / "records"
    shutil.copytree(splits, records)
    truth(records, "retrieval", "images", {TEST[0]: INDEX[0], TEST[1]: f"{INDEX[1]} {INDEX[2]}"})
    truth(records, "recognition", "landmarks", {TEST[0]: "900", TEST[1]: "7"})
    workdir = Workdir(tmp_path / "run")
    for path in (workdir.embedder, workdir.trainer):
        save_embedder(path)
    recipe = Experiment(
        name="small",
        summary="",
        source="",
        data=Data(image_size=SIZE),
        evaluation=Evaluation(recognition="knn", untrained_baseline=False),
    )
    return Context(recipe, "demo", DataSource("records", records, 11), workdir)


def truth(records, task, column, answers):
    (records / "metadata").mkdir(exist_ok=True)
    usages = ("Public", "Private")
    lines = [f"{q},{a},{usages[n % 2]}" for n, (q, a) in enumerate(answers.items())]
    lines += [f"{q},None,Ignored" for q in TEST if TEST[0] in answers and q not in answers]
    text = "\n".join([f"id,{column},Usage", *lines]) + "\n"
    (records / "metadata" / f"{task}_solution_v2.1.csv").write_text(text)


def test_ground_truth_that_fits_is_scored_and_what_is_missing_told(context, capsys):
    evaluate.run(context)
    assert capsys.readouterr().err.count("warning") == 0
    found = json.loads(context.workdir.metrics.read_text())["trained"]
    assert all(found["retrieval"][part]["map@100"] > 0 for part in ("public", "private"))
    truth(context.records, "retrieval", "images", {TEST[0]: f"{INDEX[0]} gone", TEST[1]: INDEX[1]})
    evaluate.run(context)
    assert (
        "warning: 1 of the 3 index images of the solution are not in the data, such as 'gone'"
        in capsys.readouterr().err
    )


@pytest.mark.parametrize(
    ("task", "column", "answers", "message"),
    [
        ("retrieval", "images", {"a": INDEX[0]}, "none of the 1 queries of the solution is among"),
        ("retrieval", "images", {TEST[0]: "x y"}, "none of the 2 index images of the solution"),
        ("recognition", "landmarks", {"a": "900"}, "none of the 1 queries of the solution"),
        ("recognition", "landmarks", {TEST[0]: "77"}, "none of the 1 landmarks of the solution"),
    ],
)
def test_a_solution_of_another_version_is_refused(context, task, column, answers, message):
    truth(context.records, task, column, answers)
    with pytest.raises(SolutionFormatError, match=message):
        evaluate.run(context)
    assert not context.workdir.embeddings.exists()
    assert not context.workdir.metrics.exists()
