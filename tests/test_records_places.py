"""Records behind a URL are opened and read as local ones are; `ram://` is TensorFlow's own."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from landmarks_tf import records
from landmarks_tf.data import dataset, sampling
from landmarks_tf.records.places import RemotePath, num_bytes, place

_numbers = itertools.count()


@pytest.fixture
def remote(demo_records) -> str:
    """A copy of the demo's records on TensorFlow's file system in memory."""
    url = f"ram://bucket-{next(_numbers)}/records"
    tf.io.gfile.makedirs(url)
    for path in demo_records.iterdir():
        if path.is_file():
            tf.io.gfile.GFile(f"{url}/{path.name}", "wb").write(path.read_bytes())
    return url


def test_a_place_is_a_path_or_a_url(tmp_path):
    assert place(tmp_path) == tmp_path
    assert place("records") == Path("records")
    there = place("gs://bucket/a/")
    assert (str(there), there.name) == ("gs://bucket/a", "a")
    assert str(there / "b.npy") == "gs://bucket/a/b.npy"
    assert place(there) is there
    assert there == RemotePath("gs://bucket/a") != Path("gs://bucket/a")
    assert len({there, RemotePath("gs://bucket/a")}) == 1
    assert str(place("ram://") / "x") == "ram://x"
    assert repr(there) == "RemotePath('gs://bucket/a')"


def test_files_and_folders(remote, demo_records):
    folder = place(remote)
    assert folder.is_dir()
    assert not folder.is_file()
    manifest = folder / "train.manifest.json"
    assert manifest.is_file()
    assert manifest.read_bytes() == (demo_records / "train.manifest.json").read_bytes()
    assert manifest.read_text() == (demo_records / "train.manifest.json").read_text()
    assert num_bytes(manifest) == num_bytes(demo_records / "train.manifest.json")
    names = {path.name for path in folder.iterdir()}
    assert names == {path.name for path in demo_records.iterdir() if path.is_file()}
    found = {path.name for path in folder.glob("*.manifest.json")}
    assert found == {path.name for path in demo_records.glob("*.manifest.json")}
    assert list(place("ram://nowhere").glob("*")) == []
    with pytest.raises(FileNotFoundError, match=r"there is no ram://.*/nothing"):
        (folder / "nothing").read_bytes()
    with pytest.raises(ValueError, match="can only be read as bytes, got mode 'w'"):
        manifest.open("w")
    with pytest.raises(OSError, match=r"cannot read nosuch://a: .*nosuch"):
        place("nosuch://a").read_bytes()


def test_batches_are_those_of_the_local_records(remote, demo_records):
    assert records.list_splits(remote) == records.list_splits(demo_records)
    here, there = (records.RecordIndex.open(f, "train") for f in (demo_records, remote))
    for name in ("shard", "offset", "label", "id"):
        np.testing.assert_array_equal(getattr(there, name), getattr(here, name))
    assert all(shard.startswith(f"{remote}/train-0000") for shard in there.shards)

    def first_batches(index):
        plan = sampling.class_balanced(index.label, classes_per_batch=3, images_per_class=2, seed=0)
        return list(dataset.make_dataset(index, plan, image_size=24, num_steps=2))

    for ours, expected in zip(first_batches(there), first_batches(here), strict=True):
        np.testing.assert_array_equal(ours[0], expected[0])
        np.testing.assert_array_equal(ours[1], expected[1])


def test_what_is_missing_is_told(remote):
    with pytest.raises(records.RecordsError, match="holds no records of split 'valid'"):
        records.RecordIndex.open(remote, "valid")
    with pytest.raises(records.RecordsError, match="there is no records folder ram://nowhere"):
        records.RecordIndex.open("ram://nowhere", "train")
    index = records.RecordIndex.open(remote, "train")
    plan = sampling.evaluation_order(len(index), batch_size=8)
    tf.io.gfile.remove(index.shards[1])
    with (
        pytest.raises(records.RecordsError, match=rf"the shard {index.shards[1]} is missing"),
        dataset.clear_errors(index),
    ):
        list(dataset.make_dataset(index, plan, image_size=8))
    with pytest.raises(records.RecordsError, match=rf"the shard {index.shards[1]} is missing"):
        records.RecordIndex.open(remote, "train")
    tf.io.gfile.copy(index.shards[0], index.shards[1])
    whole = tf.io.gfile.GFile(index.shards[0], "rb").read()
    tf.io.gfile.remove(index.shards[0])
    tf.io.gfile.GFile(index.shards[0], "wb").write(whole[:-1])
    with pytest.raises(records.RecordsError, match=rf"has {len(whole) - 1} bytes, the manifest"):
        records.RecordIndex.open(remote, "train")
