from __future__ import annotations

import dataclasses
import shutil
import threading

import numpy as np
import pytest
import tensorflow as tf

from landmarks_tf.records import sha256_of_file
from tests.reference import gldv2, tfrecord
from tfrecords_tools.image_source import FolderImages
from tfrecords_tools.images import Reencoding
from tfrecords_tools.plan import SplitPlan
from tfrecords_tools.raw import RawFolder
from tfrecords_tools.shards import StoppedError, shard_task, write_shard, written_rows


@pytest.fixture
def task(tmp_path):
    """Shard 1 of 2, of four images with labels 5 to 8."""
    train = gldv2.write_folder(tmp_path / "raw", {70: 7})
    plan = SplitPlan(
        "train",
        np.array(list(train), "S16"),
        np.arange(2, 9, dtype=np.int32),
        np.array([0, 3, 7]),
        {},
    )
    out = tmp_path / "out"
    out.mkdir()
    return shard_task(FolderImages(RawFolder(tmp_path / "raw", "train")), out, plan, 1)


def _path(task, row):
    return task.images.raw.image_path(task.ids[row - task.first])


def _write(task, stop=None, tick=lambda: None):
    return write_shard(task, stop=stop or threading.Event(), tick=tick)


def _features(record):
    return tf.train.Example.FromString(record).features.feature


def test_a_shard_holds_its_rows_and_no_others(task):
    ticks = []
    note = _write(task, tick=lambda: ticks.append(1))
    frames = tfrecord.read_frames(task.out / "train-00001-of-00002")
    assert [offset for offset, _ in frames] == note["offsets"].tolist()
    features = [_features(record) for _, record in frames]
    assert [f["image/id"].bytes_list.value[0] for f in features] == task.ids.tolist()
    assert (task.first, len(task.ids), task.name) == (3, 4, "train-00001-of-00002")
    assert note["sha256"] == sha256_of_file(task.out / task.name)
    assert [f["image/class/label"].int64_list.value[0] for f in features] == [5, 6, 7, 8]
    for row, feature in zip(range(3, 7), features, strict=True):
        assert feature["image/encoded"].bytes_list.value[0] == _path(task, row).read_bytes()
        assert feature["image/height"].int64_list.value[0] == 16
        assert feature["image/width"].int64_list.value[0] == 24
    assert len(ticks) == 4
    assert written_rows(note).tolist() == [3, 4, 5, 6]


def test_bad_images_are_left_out_with_their_reason(task):
    _path(task, 4).unlink()
    _path(task, 6).write_bytes(b"")
    note = _write(task)
    assert note["skipped"] == [[4, "missing"], [6, "empty file"]]
    assert written_rows(note).tolist() == [3, 5]
    assert len(tfrecord.read_frames(task.out / task.name)) == 2


def test_a_shard_of_bad_images_only_is_empty(task):
    for row in range(3, 7):
        _path(task, row).write_bytes(b"no image")
    note = _write(task)
    assert (note["bytes"], len(note["offsets"]), len(note["skipped"])) == (0, 0, 4)
    assert written_rows(note).tolist() == []
    assert (task.out / task.name).read_bytes() == b""


def test_stopping_leaves_nothing(task):
    stop = threading.Event()
    with pytest.raises(StoppedError):
        _write(task, stop, tick=stop.set)
    assert list(task.out.iterdir()) == []


def test_a_disk_that_goes_away_is_not_a_million_missing_images(task):
    folder = task.images.raw.images
    shutil.rmtree(folder)
    with pytest.raises(OSError, match="raw/train went away during the conversion: No such file"):
        _write(task)
    folder.mkdir()  # an unmounted file system leaves an empty folder
    with pytest.raises(OSError, match="raw/train went away during the conversion: it is empty"):
        _write(task)
    assert list(task.out.iterdir()) == []


def test_reencoded_images_are_what_the_record_says(task):
    task = dataclasses.replace(task, reencoding=Reencoding(8, 90))
    _write(task)
    for _, record in tfrecord.read_frames(task.out / task.name):
        features = _features(record)
        decoded = tf.io.decode_jpeg(features["image/encoded"].bytes_list.value[0])
        assert decoded.shape == (8, 12, 3)
        assert features["image/height"].int64_list.value[0] == 8
        assert features["image/width"].int64_list.value[0] == 12


def test_images_that_are_trusted_are_not_decoded(task):
    """Of half a file the header is whole; with proof it is left out."""
    _path(task, 4).write_bytes(_path(task, 4).read_bytes()[:-200])
    assert _write(task)["skipped"][0][0] == 4
    trusted = _write(dataclasses.replace(task, verify_pixels=False))
    assert trusted["skipped"] == []
    _path(task, 4).write_bytes(b"no image")
    assert _write(dataclasses.replace(task, verify_pixels=False))["skipped"][0][0] == 4
