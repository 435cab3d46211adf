from __future__ import annotations

import csv
import dataclasses

import numpy as np
import pytest

from landmarks_tf.records import Manifest, sha256_of_file
from tests.reference import gldv2
from tfrecords_tools.finish import copy_metadata, finish_split, summary, write_label_map
from tfrecords_tools.plan import Plan, SplitPlan
from tfrecords_tools.raw import METADATA_FILES, RawFolder

IDS = np.array([c * 16 for c in "abcdef"], "S16")


def _plan(labels=(0, 1, 2, 2, 1, 0), absent=()) -> Plan:
    train = SplitPlan("train", IDS, np.array(labels, np.int32), np.array([0, 3, 6]), {"seed": 0})
    return Plan((train,), np.array([7, 9, 100]), np.array(absent, "S16"), {"images_listed": 6})


def _notes(skipped=()):
    """Notes of two shards of three rows; `skipped`: rows left out."""
    notes = []
    for shard, (first, last) in enumerate(((0, 2), (3, 5))):
        out = [[row, f"truncated: {row}"] for row in skipped if first <= row <= last]
        kept = last - first + 1 - len(out)
        notes.append(
            {
                "name": f"train-{shard:05d}-of-00002",
                "bytes": 100 * kept,
                "sha256": str(shard) * 64,
                "first": first,
                "last": last,
                "skipped": out,
                "offsets": np.arange(kept) * 100,
            }
        )
    return notes


def _finish(out, plan, notes) -> Manifest:
    write_label_map(out, plan.classes)
    return finish_split(out, "train", plan, plan.splits[0], notes)


def test_the_side_car_follows_the_shards(tmp_path):
    manifest = _finish(tmp_path, _plan(), _notes(skipped=[1]))
    rows = np.load(tmp_path / "train.index.npy")
    assert rows["shard"].tolist() == [0, 0, 1, 1, 1]
    assert rows["offset"].tolist() == [0, 100, 0, 100, 200]
    assert rows["label"].tolist() == [0, 2, 2, 1, 0]
    assert rows["id"].tolist() == IDS[[0, 2, 3, 4, 5]].tolist()
    assert manifest.index_sha256 == sha256_of_file(tmp_path / "train.index.npy")
    assert [(s.name, s.records, s.bytes) for s in manifest.shards] == [
        ("train-00000-of-00002", 2, 200),
        ("train-00001-of-00002", 3, 300),
    ]
    assert Manifest.load(tmp_path, "train") == manifest
    assert (manifest.num_records, manifest.num_classes, manifest.plan) == (5, 3, {"seed": 0})


def test_the_label_map(tmp_path):
    manifest = _finish(tmp_path, _plan(), _notes())
    assert (tmp_path / "relabeling.csv").read_text() == "new_label,old_label\n0,7\n1,9\n2,100\n"
    assert manifest.label_map_sha256 == sha256_of_file(tmp_path / "relabeling.csv")


def test_every_image_left_out_is_listed(tmp_path):
    manifest = _finish(tmp_path, _plan(absent=[b"0" * 16]), _notes(skipped=[1, 5]))
    with (tmp_path / "train.skipped.csv").open(newline="") as stream:
        assert list(csv.reader(stream)) == [
            ["id", "path", "reason"],
            ["0" * 16, f"train/0/0/0/{'0' * 16}.jpg", "missing"],
            ["b" * 16, f"train/b/b/b/{'b' * 16}.jpg", "truncated: 1"],
            ["f" * 16, f"train/f/f/f/{'f' * 16}.jpg", "truncated: 5"],
        ]
    assert manifest.skipped == 3
    assert manifest.skipped_reasons == {"truncated": 2, "missing": 1}


def test_the_list_is_there_when_nothing_was_left_out(tmp_path):
    _finish(tmp_path, _plan(), _notes())
    assert (tmp_path / "train.skipped.csv").read_text() == "id,path,reason\n"


def test_a_class_that_lost_all_its_images_keeps_its_label_and_is_named(tmp_path):
    manifest = _finish(tmp_path, _plan(), _notes(skipped=[1, 4]))
    assert (manifest.num_classes, manifest.empty_classes) == (3, (1,))
    assert "warning: train has no record of 1 of its classes" in summary(manifest, tmp_path)
    assert summary(manifest, tmp_path).endswith("labels 1")


def test_not_one_image(tmp_path):
    with pytest.raises(ValueError, match=r"none of the 6 images .* \(the last one: truncated: 5\)"):
        _finish(tmp_path, _plan(), _notes(skipped=range(6)))
    assert (tmp_path / "train.skipped.csv").read_text().count("truncated") == 6
    assert not Manifest.path(tmp_path, "train").exists()


def test_a_split_without_labels(tmp_path):
    index = SplitPlan("index", IDS, np.full(6, -1, np.int32), np.array([0, 3, 6]), {})
    plan = Plan((index,), None, np.array([], "S16"), {})
    manifest = finish_split(tmp_path, "index", plan, index, _notes())
    assert (manifest.num_classes, manifest.label_map_sha256) == (None, None)
    assert set(np.load(tmp_path / "index.index.npy")["label"]) == {-1}


def test_absent_images_of_train_are_not_listed_under_validation(tmp_path):
    plan = _plan(absent=[b"0" * 16])
    validation = dataclasses.replace(plan.splits[0], split="validation")
    write_label_map(tmp_path, plan.classes)
    manifest = finish_split(tmp_path, "train", plan, validation, _notes())
    assert (manifest.skipped, manifest.empty_classes) == (0, ())


def test_summary(tmp_path):
    manifest = _finish(tmp_path, _plan(absent=[b"0" * 16]), _notes(skipped=[1, 5]))
    assert summary(manifest, tmp_path) == (
        "train: 4 records of 3 classes in 2 shard(s), 3 image(s) left out (2 truncated, "
        f"1 missing): see {tmp_path}/train.skipped.csv"
    )
    whole = _finish(tmp_path, _plan(), _notes())
    assert summary(whole, tmp_path).endswith("in 2 shard(s), no image left out")


def _raw(tmp_path) -> RawFolder:
    gldv2.write_folder(tmp_path / "raw", {1: 1})
    for number, name in enumerate(METADATA_FILES):
        (tmp_path / "raw" / name).write_bytes(
            b"landmark_id,category\r\n1,Trdeln\xedk %d\r\n" % number
        )
    return RawFolder(tmp_path / "raw", "train")


def test_metadata_is_copied_byte_for_byte(tmp_path):
    """Also the latin-1 category names that a careless copy would break."""
    raw = _raw(tmp_path)
    (raw.root / "train_clean.csv").unlink()
    copy_metadata(raw, tmp_path)
    copy_metadata(raw, tmp_path)
    copied = {path.name for path in (tmp_path / "metadata").iterdir()}
    assert copied == set(METADATA_FILES) - {"train_clean.csv"}
    for name in copied:
        assert (tmp_path / "metadata" / name).read_bytes() == (raw.root / name).read_bytes()


def test_metadata_of_another_data_set_is_not_overwritten(tmp_path):
    raw = _raw(tmp_path)
    copy_metadata(raw, tmp_path)
    (raw.root / "retrieval_solution_v2.1.csv").write_text("id,images,Usage\n")
    with pytest.raises(ValueError, match=r"retrieval_solution_v2\.1\.csv differs from .* another"):
        copy_metadata(raw, tmp_path)
