"""The benchmark of input pipelines: what it measures on, its arithmetic, and how it ends."""

from __future__ import annotations

import json
import re

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from experiments.benchmarks import (
    input_pipeline,
    input_pipeline_pictures,
    input_pipeline_report,
    input_pipeline_start,
    input_pipeline_subjects,
    input_pipeline_worker,
)
from landmarks_tf.records import RecordIndex

SETTINGS = {"batch_size": 10, "image_size": 16, "images_per_class": 5}


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    """Three small pictures."""
    folder = tmp_path_factory.mktemp("source")
    rng = np.random.default_rng(0)
    for number, size in enumerate([(40, 30), (30, 40), (36, 36)]):
        coarse = Image.fromarray(rng.integers(0, 256, (6, 6, 3), dtype=np.uint8))
        coarse.resize(size, Image.Resampling.BICUBIC).save(folder / f"{number}.png")
    return folder


@pytest.fixture(scope="module")
def data(source, tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")
    with pytest.MonkeyPatch.context() as patch:  # the same at a size that costs little
        patch.setattr(input_pipeline_pictures, "LONGER_SIDE_PX", 96)
        patch.setattr(input_pipeline_pictures, "TARGET_BYTES", 2500)
        input_pipeline_pictures.make(folder, source, classes=4, images_per_class=5)
    return folder


def test_pictures_are_as_large_as_asked_and_no_two_alike(data):
    paths = sorted((data / "files").rglob("*.jpg"))
    assert len(paths) == 20
    assert len({path.read_bytes() for path in paths}) == 20
    for path in paths:
        with Image.open(path) as image:
            assert max(image.size) == 96
    assert input_pipeline_pictures.mean_bytes(data) == pytest.approx(2500, rel=0.15)


def test_the_three_forms_hold_the_same_pictures(data):
    files = {}
    for path in (data / "files").rglob("*.jpg"):
        files[path.read_bytes()] = int(path.parent.name)
    for name in ("records", "blocks"):
        index = RecordIndex.open(data / name, "train")
        found = {}
        for serialized in tf.data.TFRecordDataset(list(index.shards)).as_numpy_iterator():
            feature = tf.train.Example.FromString(serialized).features.feature
            label = feature["image/class/label"].int64_list.value[0]
            found[feature["image/encoded"].bytes_list.value[0]] = label
        assert found == files
    blocks = RecordIndex.open(data / "blocks", "train")
    assert (np.diff(blocks.label) >= 0).all()
    for label in range(4):  # a class lies in one shard
        assert len(set(blocks.shard[blocks.label == label].tolist())) == 1
    assert (np.diff(RecordIndex.open(data / "records", "train").label) < 0).any()


def test_pictures_that_are_not_there(tmp_path):
    with pytest.raises(input_pipeline_pictures.NoPicturesError, match="there are no pictures"):
        input_pipeline_pictures.make(tmp_path / "a", tmp_path, classes=1, images_per_class=1)


@pytest.mark.parametrize(
    "name", ["decoding", "p_x_k_scaled_s1", "shuffled", "sequential", "directory"]
)
def test_every_way_gives_batches(data, name):
    """But tensorflow-similarity's, which is in another environment."""
    _, subject, own = input_pipeline.PIPELINES[name]
    dataset = getattr(input_pipeline_subjects, subject)(data, **SETTINGS, **own)
    batch = next(iter(dataset))
    if name == "decoding":
        assert batch[0].numpy().max() == 96
    else:
        assert batch[0].shape == (10, 16, 16, 3)
    assert batch[0].shape[0] == 10


def test_a_round_is_timed_for_each_picture(data):
    pipeline = input_pipeline_worker.MeasuredPipeline(
        "shuffled", str(data), SETTINGS, batches=2, warm_up=1
    )
    first = pipeline.prepare()
    assert first["tensorflow"] == tf.__version__
    assert 0 < pipeline.run()["wall"] < 1


def test_ratios_are_to_the_floor_of_the_same_round():
    """Twice, four times and twice the floor's time: 1/2, 1/4, 1/2."""
    own = [{"wall": wall, "processor": 3.0} for wall in (2.0, 8.0, 6.0)]
    floor = [{"wall": wall, "processor": 1.5} for wall in (1.0, 2.0, 3.0)]
    entry = input_pipeline.entry("p_x_k", 224, own, floor)
    assert entry["ratio"]["wall"]["median"] == 0.5
    assert entry["ratio"]["processor"] == {"median": 0.5, "low": 0.5, "high": 0.5}
    row = input_pipeline_report._row(entry)
    assert row.startswith("| P x K, no augmentation | 224 | 0 | 0.50 (")
    assert "| 0.9 | 3000.00 |" in row


def test_the_made_up_index_can_be_read_where_it_is_measured(data, tmp_path, monkeypatch):
    monkeypatch.setattr(input_pipeline_start, "SHARDS", 4)
    monkeypatch.setattr(input_pipeline_start, "P", 3)
    content = min((data / "files").rglob("*.jpg")).read_bytes()
    input_pipeline_start.make(tmp_path, content, rows=2000)
    index = RecordIndex.open(tmp_path, "train")
    assert (len(index), index.num_classes) == (2000, 1000)
    assert np.bincount(index.label).min() >= 2
    from landmarks_tf.data.dataset import make_dataset

    plan = input_pipeline_start._plan(index.label)
    for start in (0, input_pipeline_start.FAR_STEP):
        made = make_dataset(index, plan, image_size=8, start_step=start, num_steps=2)
        _, (_, labels) = made
        assert labels.numpy().tolist() == index.label[plan.batch(start + 1)].tolist()
    # The shards have holes: on disk they are far smaller than they say.
    whole = [path.stat() for path in tmp_path.glob("train-0*")]
    assert sum(s.st_blocks * 512 for s in whole) < 0.5 * sum(s.st_size for s in whole)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--pipelines", "p_x_k,fastest"], "among decoding, .* Received: 'fastest'"),
        (["--sizes", "224,big"], "--sizes takes whole numbers"),
        (["--sizes", "0"], "--sizes must be at least 1"),
        (["--batch", "12"], "P classes x 5 pictures"),
        (["--batch", "100", "--classes", "10"], "of at most --classes 10"),
        (["--repeats", "0"], "--repeats must be at least 1"),
        (["--rows", "10"], "--rows is 0 or at least 1,000"),
    ],
)
def test_mistakes_are_told(arguments, message, capsys):
    assert input_pipeline.main(arguments) == 2
    assert re.search(message, capsys.readouterr().err)


def test_a_report_for_people():
    ratio = {"median": 0.5, "low": 0.4, "high": 0.6}
    report = {
        "setting": {
            "pictures": 480, "longer_side": 1024, "mean_bytes": 120_400.0, "batch_size": 120,
            "batches": 5, "repeats": 7,
        },
        "environment": {
            "device": {"name": "a CPU", "count": 2, "kind": "cpu"}, "tensorflow": {"decoding": "2"},
        },
        "missing": "x is not here",
        "pipelines": [
            {"name": "decoding", "title": "floor", "image_size": 224,
             "seconds": {"wall": [0.002], "processor": [0.004]},
             "ratio": {"wall": ratio, "processor": ratio}},
        ],
        "start": {
            "rows": 1_580_470, "classes": 81_313, "batch_size": 240, "far_step": 10**6,
            "open_s": 0.5, "plan_s": 0.25, "first_batch_s": 1.0, "far_batch_s": 1.5,
            "start_s": 1.75, "import_s": 9.0, "plan_a_step_s": 0.0009, "memory_mib": 1500.0,
            "memory_of_frameworks_mib": 700.0,
        },
    }  # fmt: skip
    text = input_pipeline_report.markdown(json.loads(json.dumps(report)))
    assert "480 JPEGs of 1024 px and 120 kB on average" in text
    assert "| floor | 224 | 500 | 0.50 (0.40-0.60) |  | 4.00 | 0.50 (0.40-0.60) |" in text
    assert "Left out: x is not here." in text
    assert "1.75 s in all (target: 5 s)" in text
    assert "0.90 ms" in text
