"""A job against the pictures prepared and described one by one."""

from __future__ import annotations

import json

import keras
import numpy as np
import pytest

from experiments.embedding_job import EmbeddingJob, load_embedder, settings_of_run, write
from experiments.workdir import WorkdirError
from landmarks_tf.data import image_ops
from landmarks_tf.data.dataset import read_record
from landmarks_tf.records import RecordIndex, parse_features
from landmarks_tf.retrieval.embedding_files import load_embeddings
from tests.small_embedder import DIM, SIZE, save_embedder, write_records


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return save_embedder(tmp_path_factory.mktemp("model") / "embedder.keras")


@pytest.fixture(scope="module")
def folder_of_records(tmp_path_factory):
    return write_records(tmp_path_factory.mktemp("records"))


@pytest.fixture
def job(model, folder_of_records, tmp_path):
    return {
        "model": model,
        "records": str(folder_of_records),
        "split": "train",
        "path": tmp_path / "train.npy",
        "batch_size": 8,
    }


def test_each_row_is_the_description_of_its_own_picture(job, model, folder_of_records):
    write(EmbeddingJob(**job, num_shards=3).opened(), progress=False)
    found, index = load_embeddings(job["path"]), RecordIndex.open(folder_of_records, "train")
    assert found.ids.tolist() == [one.decode() for one in index.id]
    embedder = keras.saving.load_model(model)
    for row in (0, 17, len(index) - 1):
        record = read_record(index.shards[index.shard[row]], int(index.offset[row]))
        picture = image_ops.decode(parse_features(record)["encoded"])
        prepared = image_ops.prepare(picture, mode="letterbox", image_size=SIZE)
        expected = embedder.predict_on_batch(np.asarray(prepared)[None])[0]
        np.testing.assert_allclose(found.vectors[row], expected, atol=1e-5)


def test_the_fingerprint_follows_all_that_the_rows_depend_on(job, tmp_path):
    def fingerprint(**change):
        return EmbeddingJob(**{**job, **change}).opened().fingerprint

    changes = [
        {"resize": "squash"},
        {"batch_size": 16},
        {"scales": (0.5, 1.0)},
        {"flip": True},
        {"model": save_embedder(tmp_path / "other.keras", size=SIZE + 1)},
    ]
    different = {fingerprint(), *(fingerprint(**change) for change in changes)}
    assert len(different) == 1 + len(changes)
    # Where it lies and in how many files changes no row.
    assert fingerprint() == fingerprint(path=tmp_path / "x.npy", num_shards=2, dtype="float16")


def test_a_model_for_any_size_is_told_one(job, tmp_path):
    any_size = {**job, "model": save_embedder(tmp_path / "any.keras", size=None)}
    with pytest.raises(ValueError, match=r"any\.keras takes pictures of any size: say which"):
        EmbeddingJob(**any_size).opened()
    opened = EmbeddingJob(**any_size, image_size=40).opened()
    ((images, _),) = opened.batches_between(0, 8)
    assert images.shape == (8, 40, 40, 3)
    assert opened.predict(images).shape == (8, DIM)


def test_what_does_not_fit_is_told(job, tmp_path):
    with pytest.raises(ValueError, match=r"built for pictures of 24 px, 36 were .* --scales 1\.5"):
        EmbeddingJob(**job, image_size=36).opened()
    with pytest.raises(ValueError, match=r"between 1 and that of batches"):
        write(EmbeddingJob(**job, num_shards=999).opened(), progress=False)
    with pytest.raises(ValueError, match=r"batch_size must be at least 1. Received: 0"):
        EmbeddingJob(**{**job, "batch_size": 0})
    with pytest.raises(FileNotFoundError, match=r"there is no model .*none\.keras"):
        load_embedder(tmp_path / "none.keras")
    (tmp_path / "broken.keras").write_bytes(b"no zip")
    with pytest.raises(ValueError, match=r"broken\.keras cannot be loaded as a Keras model: "):
        load_embedder(tmp_path / "broken.keras")
    pixels = keras.Input((4, 4, 3))
    keras.Model(pixels, keras.layers.MaxPooling2D(2)(pixels)).save(tmp_path / "map.keras")
    with pytest.raises(ValueError, match=r"map\.keras is no embedder: .* \(None, 2, 2, 3\)"):
        load_embedder(tmp_path / "map.keras")


def test_a_run_says_how_its_pictures_are_made(tmp_path):
    with pytest.raises(WorkdirError, match=r"is no folder of a run: run\.json is missing"):
        settings_of_run(tmp_path)
    recipe = {
        "data": {"image_size": 160, "resize": "squash"},
        "evaluation": {"batch_size": 32},
        "stages": {
            "1": {"name": "low", "data.image_size": 96},
            "10": {"name": "last", "data.image_size": 192},
            "2": {"name": "high", "data.image_size": 128},
        },
    }
    (tmp_path / "run.json").write_text(json.dumps({"recipe": recipe}))
    with pytest.raises(WorkdirError, match=r"embedder\.keras is missing: the run is not trained"):
        settings_of_run(tmp_path)
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "embedder.keras").touch()
    settings = settings_of_run(tmp_path)
    assert (settings["image_size"], settings["resize"], settings["batch_size"]) == (
        192, "squash", 32,
    )  # fmt: skip
    assert (settings["scales"], settings["flip"]) == ((1.0,), False)
