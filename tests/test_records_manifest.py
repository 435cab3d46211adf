from __future__ import annotations

import json

import pytest

from landmarks_tf.records import Manifest, RecordsError, ShardInfo, list_splits


def _manifest(**changes) -> Manifest:
    values = {
        "split": "train",
        "num_records": 3,
        "num_classes": 2,
        "shards": (
            ShardInfo("train-00000-of-00002", 1, 100, "a" * 64),
            ShardInfo("train-00001-of-00002", 2, 200, "b" * 64),
        ),
        "index_file": "train.index.npy",
        "index_sha256": "c" * 64,
        "label_map_sha256": "d" * 64,
        "plan": {"seed": 3, "clean": True, "reencode_short_side": None},
        "skipped": 1,
        "skipped_reasons": {"missing": 1},
        "source_counts": {"images_listed": 4},
        "empty_classes": (1,),
    }
    return Manifest(**(values | changes))


def test_load_gives_back_what_was_saved(tmp_path):
    path = _manifest().save(tmp_path)
    assert path == tmp_path / "train.manifest.json"
    assert Manifest.load(tmp_path, "train") == _manifest()


def test_the_file_has_the_documented_fields(tmp_path):
    content = json.loads(_manifest().save(tmp_path).read_text())
    assert content["format_version"] == 1
    assert content["shards"][1] == {
        "name": "train-00001-of-00002",
        "records": 2,
        "bytes": 200,
        "sha256": "b" * 64,
    }
    assert (content["num_classes"], content["skipped"]) == (2, 1)


def test_list_splits_names_the_complete_ones(tmp_path):
    assert list_splits(tmp_path) == []
    assert list_splits(tmp_path / "none") == []
    _manifest().save(tmp_path)
    _manifest(split="index").save(tmp_path)
    (tmp_path / "test-00000-of-00001").touch()
    assert list_splits(tmp_path) == ["index", "train"]


def test_no_folder(tmp_path):
    with pytest.raises(RecordsError, match=r"there is no records folder .*/none"):
        Manifest.load(tmp_path / "none", "train")
    (tmp_path / "file").touch()
    with pytest.raises(RecordsError, match="there is no records folder"):
        Manifest.load(tmp_path / "file", "train")


def test_an_absent_split_names_those_that_are_there(tmp_path):
    _manifest().save(tmp_path)
    with pytest.raises(RecordsError, match=r"no records of split 'test' .*splits there: train"):
        Manifest.load(tmp_path, "test")


def test_an_unfinished_split_says_so(tmp_path):
    (tmp_path / "train-00000-of-00002").touch()
    (tmp_path / "index-00000-of-00002").touch()
    with pytest.raises(RecordsError, match=r"holds 1 shard\(s\) of split 'train'.*not finished"):
        Manifest.load(tmp_path, "train")


def _edited(tmp_path, edit):
    path = _manifest().save(tmp_path)
    content = json.loads(path.read_text())
    edit(content)
    path.write_text(json.dumps(content))


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (lambda c: c.update(format_version=2), "has format_version 2, this code reads 1"),
        (lambda c: c.pop("format_version"), "has format_version None"),
        (lambda c: c.pop("num_classes"), "missing or unknown fields: num_classes"),
        (lambda c: c.update(colour="red"), "missing or unknown fields: colour"),
        (lambda c: c.update(split="test"), "is the manifest of split 'test', not 'train'"),
        (lambda c: c.update(num_records=4), "num_records is 4, its shards sum to 3"),
        (lambda c: c["shards"][0].pop("sha256"), "does not describe shards as it should"),
        (lambda c: c.update(shards=3), "does not describe shards as it should"),
        (lambda c: c.update(shards=[7]), "does not describe shards as it should"),
    ],
)
def test_a_manifest_that_is_not_right(tmp_path, edit, message):
    _edited(tmp_path, edit)
    with pytest.raises(RecordsError, match=message):
        Manifest.load(tmp_path, "train")


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe", b"[1]"])
def test_a_file_that_is_no_manifest(tmp_path, content):
    (tmp_path / "train.manifest.json").write_bytes(content)
    with pytest.raises(RecordsError, match=r"is not JSON|has format_version None"):
        Manifest.load(tmp_path, "train")
