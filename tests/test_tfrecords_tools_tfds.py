"""The TFDS builder, against our own records of the same folder and TFDS' own test case."""

from __future__ import annotations

import csv
import tempfile
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_datasets as tfds

from landmarks_tf.records import RecordIndex, parse_example
from tests.reference import gldv2, tfrecord
from tfrecords_tools.tfds import GoogleLandmarksV2

SIZES = {900: 10, 7: 6, 55: 2, 31: 9}
ENCODED = {"image": tfds.decode.SkipDecoding()}


def _write_tiny(folder):
    """27 clean train images of 4 landmarks and 5 that are not clean, 6 index, 4 test images."""
    gldv2.write_folder(folder, SIZES, unclean={7: 3, 8: 2}, num_index=6, num_test=4)
    return folder


@pytest.fixture
def raw(tmp_path):
    return _write_tiny(tmp_path / "raw")


def _load(config, data_dir, manual_dir, **options):
    """{id: example with encoded image} and the info, of the only split of a config."""
    splits, info = tfds.load(
        f"google_landmarks_v2/{config}",
        data_dir=data_dir,
        decoders=ENCODED,
        with_info=True,
        download_and_prepare_kwargs={
            "download_config": tfds.download.DownloadConfig(manual_dir=manual_dir)
        },
        **options,
    )
    (split,) = splits.values()
    rows = list(tfds.as_numpy(split))
    examples = {row["id"].decode(): row for row in rows}
    assert len(examples) == len(rows)
    return examples, info


def _records(folder, *splits):
    """{id: (label or None, encoded image, serialized record)}, read by hand."""
    found = {}
    for split in splits:
        for path in sorted(folder.glob(f"{split}-*-of-*")):
            for _, record in tfrecord.read_frames(path):
                feature = tf.train.Example.FromString(record).features.feature
                label = feature["image/class/label"].int64_list.value
                found[feature["image/id"].bytes_list.value[0].decode()] = (
                    label[0] if label else None,
                    feature["image/encoded"].bytes_list.value[0],
                    record,
                )
    return found


def _listed(path):
    with path.open(newline="") as file:
        return list(csv.reader(file))


def test_clean_holds_what_our_records_hold(demo_raw, demo_records, tmp_path):
    examples, info = _load("clean", tmp_path, demo_raw)
    records = _records(demo_records, "train", "validation")
    assert examples.keys() == records.keys()
    landmarks = dict(row[::2] for row in _listed(demo_raw / "train.csv")[1:])
    for image_id, example in examples.items():
        label, data, _ = records[image_id]
        assert (example["label"], example["image"]) == (label, data)
        assert example["landmark_id"] == int(landmarks[image_id])
    label_map = _listed(demo_records / "relabeling.csv")[1:]
    assert [[str(i), name] for i, name in enumerate(info.features["label"].names)] == label_map
    assert info.splits["train"].num_examples == len(records)


def test_pixels_are_those_of_our_records(demo_raw, demo_records, tmp_path):
    _load("test", tmp_path, demo_raw)
    records = _records(demo_records, "test")
    decoded = tfds.load("google_landmarks_v2/test", split="test[:3]", data_dir=tmp_path)
    for example in decoded:
        _, _, record = records[example["id"].numpy().decode()]
        np.testing.assert_array_equal(example["image"], parse_example(record)["image"])


@pytest.mark.parametrize("split", ["index", "test"])
def test_parts_without_labels(demo_raw, demo_records, tmp_path, split):
    examples, info = _load(split, tmp_path, demo_raw)
    records = _records(demo_records, split)
    assert {i: example["image"] for i, example in examples.items()} == {
        i: data for i, (_, data, _) in records.items()
    }
    assert set(info.features) == {"image", "id"}
    assert len(examples) == len(RecordIndex.open(demo_records, split).id)


def test_full_is_all_of_train_csv(raw, tmp_path):
    examples, info = _load("full", tmp_path, raw)
    rows = {name: int(landmark) for name, _, landmark in _listed(raw / "train.csv")[1:]}
    assert {i: example["landmark_id"] for i, example in examples.items()} == rows
    assert info.features["label"].names == ["7", "8", "31", "55", "900"]
    for example in examples.values():
        assert info.features["label"].int2str(example["label"]) == str(example["landmark_id"])


def test_the_label_map_comes_back_without_the_pictures(raw, tmp_path):
    _load("clean", tmp_path, raw)
    again = tfds.builder("google_landmarks_v2", data_dir=tmp_path)  # clean is the default
    assert again.info.features["label"].names == ["7", "31", "55", "900"]
    assert again.info.features["label"].num_classes == 4


def test_bad_images_are_left_out_and_listed(raw, tmp_path):
    names = [gldv2.image_id(f"train 900 {i}") for i in range(6)]
    paths = [gldv2.image_path(raw, "train", name) for name in names]
    paths[0].unlink()
    paths[1].write_bytes(b"")
    paths[2].write_bytes(paths[2].read_bytes()[:-40])
    odd = {}
    for place, (mode, fmt) in enumerate((("L", "JPEG"), ("CMYK", "JPEG"), ("P", "PNG")), 3):
        odd[names[place]] = gldv2.picture("x", mode=mode, fmt=fmt)
        paths[place].write_bytes(odd[names[place]])
    examples, _ = _load("clean", tmp_path, raw)
    assert len(examples) == 27 - 3
    assert {name: examples[name]["image"] for name in odd} == odd
    header, *rows = _listed(tmp_path / "google_landmarks_v2" / "clean" / "1.0.0" / "skipped.csv")
    assert header == ["id", "path", "reason"]
    assert {(name, path, reason.split(":")[0]) for name, path, reason in rows} == {
        (name, str(path.relative_to(raw)), reason)
        for name, path, reason in zip(
            names, paths, ("missing", "empty file", "truncated"), strict=False
        )
    }
    shapes = {
        example["id"].numpy().decode(): example["image"].shape
        for example in tfds.load("google_landmarks_v2/clean", split="train", data_dir=tmp_path)
    }
    assert {shapes[name] for name in odd} == {tf.TensorShape([16, 24, 3])}


def test_nothing_is_left_where_no_image_can_be_read(raw, tmp_path):
    for path in (raw / "index").rglob("*.jpg"):
        path.write_bytes(b"<html>404</html>")
    with pytest.raises(ValueError, match=r"none of the 6 images .* \(the last one: not an image\)"):
        _load("index", tmp_path, raw)
    assert not list(tmp_path.rglob("dataset_info.json"))


def test_a_folder_that_went_away_is_no_list_of_missing_images(raw, tmp_path, monkeypatch):
    """What a disk that is unplugged after the listing looks like."""
    plan = GoogleLandmarksV2._generate_examples

    def unplugged(self, source, parts):
        (raw / "index").rename(tmp_path / "elsewhere")
        return plan(self, source, parts)

    monkeypatch.setattr(GoogleLandmarksV2, "_generate_examples", unplugged)
    with pytest.raises(OSError, match=r"index went away during the conversion"):
        _load("index", tmp_path / "data", raw)
    assert not list(tmp_path.rglob("dataset_info.json"))


def test_a_folder_of_our_name_in_the_shared_manual_dir(tmp_path):
    manual = tmp_path / "downloads" / "manual"
    (manual / "of_another_data_set").mkdir(parents=True)
    _write_tiny(manual / "google_landmarks_v2")
    builder = tfds.builder("google_landmarks_v2/test", data_dir=tmp_path)
    builder.download_and_prepare()
    assert builder.info.splits["test"].num_examples == 4


def test_clean_without_its_csv_is_refused(raw, tmp_path):
    (raw / "train_clean.csv").unlink()
    with pytest.raises(ValueError, match=r"no train_clean\.csv.*google_landmarks_v2/full takes"):
        _load("clean", tmp_path, raw)


def test_array_record_gives_random_access(raw, tmp_path):
    builder = tfds.builder(
        "google_landmarks_v2/index", data_dir=tmp_path, file_format="array_record"
    )
    builder.download_and_prepare(
        download_config=tfds.download.DownloadConfig(manual_dir=raw),
    )
    source = builder.as_data_source("index", decoders=ENCODED)
    found = {source[row]["id"].decode(): source[row]["image"] for row in (5, 0, 3, 1, 2, 4)}
    names = [gldv2.image_id(f"index {i}") for i in range(6)]
    assert found == {n: gldv2.image_path(raw, "index", n).read_bytes() for n in names}


class _OfTfds(tfds.testing.DatasetBuilderTestCase):
    """What TFDS asks of every builder: registered, prepared, read, reloaded, no key is a path."""

    DATASET_CLASS = GoogleLandmarksV2

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        cls.EXAMPLE_DIR = str(_write_tiny(Path(folder.name) / "raw"))


class TestCleanByTfds(_OfTfds):
    BUILDER_CONFIG_NAMES_TO_TEST = ("clean",)
    SPLITS: ClassVar = {"train": 27}


class TestIndexByTfds(_OfTfds):
    BUILDER_CONFIG_NAMES_TO_TEST = ("index",)
    SPLITS: ClassVar = {"index": 6}


del _OfTfds
