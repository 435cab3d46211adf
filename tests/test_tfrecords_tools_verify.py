from __future__ import annotations

import argparse
import dataclasses
import shutil
import struct

import numpy as np
import pytest

from landmarks_tf.records import (
    Manifest,
    RecordsError,
    save_index,
    sha256_of_file,
)
from tests.reference import gldv2, tfrecord
from tfrecords_tools.convert import convert
from tfrecords_tools.options import ConvertOptions
from tfrecords_tools.verify import add_arguments, run, verify


@pytest.fixture(scope="module")
def good(tmp_path_factory):
    """Records of 12 train, 3 validation and 4 index images, three shards of train."""
    folder = tmp_path_factory.mktemp("good")
    gldv2.write_folder(folder / "raw", {70: 5, 9: 10}, num_index=4)
    for options in (
        ConvertOptions("train", validation_fraction=0.2, shards=3),
        ConvertOptions("index"),
    ):
        convert(folder / "raw", folder / "out", options, progress=False, say=lambda line: None)
    return folder / "out"


@pytest.fixture
def records(good, tmp_path):
    """A copy to spoil."""
    return shutil.copytree(good, tmp_path / "out")


def _problems(folder, split="train"):
    (report,) = verify(folder, [split], workers=2, progress=False)
    return report.problems


def _edit(path, place, value):
    data = bytearray(path.read_bytes())
    data[place] ^= value
    path.write_bytes(bytes(data))


def _agree(folder, split="train"):
    """Makes the manifest agree with shards and side-car as they are now: a lying converter."""
    manifest = Manifest.load(folder, split)
    shards = tuple(
        dataclasses.replace(
            shard,
            bytes=(folder / shard.name).stat().st_size,
            sha256=sha256_of_file(folder / shard.name),
        )
        for shard in manifest.shards
    )
    index_sha256 = sha256_of_file(folder / manifest.index_file)
    dataclasses.replace(manifest, shards=shards, index_sha256=index_sha256).save(folder)


def test_all_is_well(records):
    reports = verify(records, progress=False)
    assert [(r.split, r.num_records, r.problems) for r in reports] == [
        ("index", 4, ()),
        ("train", 12, ()),
        ("validation", 3, ()),
    ]


def test_a_flipped_byte_in_an_image(records):
    shard = records / "train-00001-of-00003"
    (_, first), (offset, _) = tfrecord.read_frames(shard)[:2]
    _edit(shard, offset + 300, 1)
    assert offset == 16 + len(first)
    assert _problems(records) == (
        "train-00001-of-00003: its SHA-256 is not the manifest's",
        f"train-00001-of-00003, record 1 at byte {offset}: its checksum does not match; "
        "the rest of the shard was not read",
        "train-00001-of-00003: 1 records read, the manifest says 4",
    )


def test_a_flipped_byte_in_a_length(records):
    _edit(records / "train-00002-of-00003", 2, 1)
    problems = _problems(records)
    assert problems[0] == "train-00002-of-00003: its SHA-256 is not the manifest's"
    assert problems[1].startswith("train-00002-of-00003, record 0 at byte 0: its checksum does no")


def test_a_truncated_shard(records):
    shard = records / "train-00000-of-00003"
    size = shard.stat().st_size
    shard.write_bytes(shard.read_bytes()[:-7])
    problems = _problems(records)
    assert problems[0] == f"train-00000-of-00003: {size - 7} bytes, the manifest says {size}"
    assert "record 3 at byte" in problems[1]
    assert "the file ends inside it" in problems[1]
    assert problems[2] == "train-00000-of-00003: 3 records read, the manifest says 4"


def test_a_shard_cut_between_two_records(records):
    """No checksum shows that: the frames that are left are whole."""
    shard = records / "train-00000-of-00003"
    shard.write_bytes(shard.read_bytes()[: tfrecord.read_frames(shard)[2][0]])
    problems = _problems(records)
    assert "bytes, the manifest says" in problems[0]
    assert problems[1] == "train-00000-of-00003: 2 records read, the manifest says 4"


def test_a_missing_shard(records):
    (records / "train-00002-of-00003").unlink()
    assert _problems(records) == ("train-00002-of-00003: missing",)


def test_shards_that_changed_places(records):
    """Each is whole, and neither holds the records that its index rows describe."""
    one, two = records / "train-00000-of-00003", records / "train-00001-of-00003"
    one.rename(records / "x")
    two.rename(one)
    (records / "x").rename(two)
    problems = _problems(records)
    assert any("train-00000-of-00003" in p and "the side-car says" in p for p in problems)


def test_a_record_with_another_label_than_the_side_car(records):
    rows = np.load(records / "train.index.npy")
    label = int(rows["label"][5])
    rows["label"][5] = 1 - label
    save_index(records / "train.index.npy", rows)
    _agree(records)
    offset = rows["offset"][5]
    assert _problems(records) == (
        f"train-00001-of-00003, record 1 at byte {offset}: label {label}, the side-car says "
        f"{1 - label}",
    )


def test_offsets_that_do_not_lead_to_the_records(records):
    rows = np.load(records / "train.index.npy")
    rows["offset"][5] += 1
    save_index(records / "train.index.npy", rows)
    _agree(records)
    (problem,) = _problems(records)
    assert problem.endswith(f"the side-car says byte {rows['offset'][5]}")


def test_a_side_car_of_another_conversion(records, good):
    shutil.copy(good / "validation.index.npy", records / "train.index.npy")
    (problem,) = _problems(records)
    assert problem.startswith("train.index.npy: its SHA-256 is not the manifest's: damaged, or of")


def test_a_side_car_with_too_few_rows(records):
    save_index(records / "train.index.npy", np.load(records / "train.index.npy")[:-1])
    _agree(records)
    assert "train.index.npy: 11 rows, the manifest says 12 records" in _problems(records)


@pytest.mark.parametrize("name", ["train.index.npy", "relabeling.csv", "train.skipped.csv"])
def test_a_missing_side_file(records, name):
    (records / name).unlink()
    (problem,) = _problems(records)
    assert problem.startswith(f"{name}: cannot be read: ")


def test_labels_that_do_not_match_the_manifest(records):
    manifest = Manifest.load(records, "train")
    dataclasses.replace(manifest, num_classes=1).save(records)
    problems = _problems(records)
    assert problems[0].startswith("relabeling.csv: its new labels are not 0 to 0, the manifest")
    assert any("label 1, the manifest says 1 classes" in problem for problem in problems)


def test_a_label_map_of_another_conversion(records):
    (records / "relabeling.csv").write_text("new_label,old_label\n0,1\n1,2\n")
    assert _problems(records) == (
        "relabeling.csv: not the label map that the manifest was written with",
    )


def test_a_list_of_skips_that_is_not_complete(records):
    dataclasses.replace(Manifest.load(records, "train"), skipped=2).save(records)
    assert _problems(records) == ("train.skipped.csv: lists 0 images, the manifest says 2",)


def test_an_image_that_is_there_twice(records):
    manifest = Manifest.load(records, "index")
    frames = tfrecord.read_frames(records / "index-00000-of-00001")
    (records / "index-00000-of-00001").write_bytes(
        b"".join(tfrecord.frame(record) for _, record in [*frames[:3], frames[0]])
    )
    rows = np.load(records / manifest.index_file)
    rows["id"][3] = rows["id"][0]
    save_index(records / manifest.index_file, rows)
    _agree(records, "index")
    image_id = rows["id"][0].decode()
    assert _problems(records, "index") == (
        f"index.index.npy: image {image_id} is in it more than once",
    )


def test_an_image_that_does_not_decode(records):
    """Checksums say only that the bytes are those that were written."""
    path = records / "index-00000-of-00001"
    frames = [bytearray(record) for _, record in tfrecord.read_frames(path)]
    place = frames[2].index(b"\xff\xda")  # start of scan: what follows becomes zero
    frames[2][place + 14 : place + 200] = bytes(186)
    frames[2][place : place + 2] = b"\xff\xd9"
    path.write_bytes(b"".join(tfrecord.frame(bytes(record)) for record in frames))
    _agree(records, "index")
    (problem,) = _problems(records, "index")
    assert "record 2 at byte" in problem
    assert "the image does not decode" in problem


def test_a_shard_of_another_conversion_beside_these(records):
    (records / "train-00000-of-00128").touch()
    assert _problems(records) == (
        "train-00000-of-00128: not part of the manifest, of another conversion",
    )


def test_train_and_validation_that_share_an_image(records):
    """Validation records put in the place of train: each split is fine by itself."""
    for path in records.glob("train[-.]*"):
        path.unlink()
    for path in list(records.glob("validation[-.]*")):
        shutil.copy(path, records / path.name.replace("validation", "train"))
    text = (records / "train.manifest.json").read_text()
    (records / "train.manifest.json").write_text(text.replace('"validation', '"train'))
    reports = verify(records, progress=False)
    assert [report.split for report in reports if report.problems] == ["train and validation"]
    assert reports[-1].problems[0].startswith("3 image(s) are in both, such as ")


def test_an_unfinished_split(records):
    Manifest.path(records, "train").unlink()
    reports = {report.split: report for report in verify(records, progress=False)}
    assert "its conversion was not finished" in reports["train"].problems[0]
    assert reports["index"].problems == ()


def test_no_records_at_all(tmp_path):
    with pytest.raises(RecordsError, match="holds no records"):
        verify(tmp_path)
    with pytest.raises(RecordsError, match="there is no folder"):
        verify(tmp_path / "none")


def test_a_split_that_is_not_there(records):
    assert "holds no records of split 'test'" in _problems(records, "test")[0]


def test_random_damage_is_always_found(records):
    """One byte, anywhere in any file that the manifest vouches for."""
    generator = np.random.default_rng(1)
    names = ["train-00000-of-00003", "train-00002-of-00003", "train.index.npy", "relabeling.csv"]
    for name in names * 3:
        path = records / name
        whole = path.read_bytes()
        _edit(path, generator.integers(len(whole)), 1 << generator.integers(8))
        assert any(name in problem for problem in _problems(records)), name
        path.write_bytes(whole)
    assert _problems(records) == ()


def _run(*arguments):
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    lines = []
    return run(parser.parse_args([str(a) for a in arguments]), say=lines.append), lines


def test_the_command_tells_and_counts(records):
    assert _run("--records", records) == (
        0,
        [
            "index: 4 records, all well",
            "train: 12 records, all well",
            "validation: 3 records, all well",
        ],
    )
    (records / "train-00002-of-00003").unlink()
    code, lines = _run("--records", records, "--split", "index", "--split", "train")
    assert (code, lines) == (
        1,
        ["index: 4 records, all well", "train: 1 problem(s)", "  train-00002-of-00003: missing"],
    )


def test_the_command_shows_the_first_problems_only(records):
    manifest = Manifest.load(records, "train")
    rows = np.load(records / "train.index.npy")
    rows["label"] = 1 - rows["label"]
    rows["offset"] += 1
    save_index(records / "train.index.npy", rows)
    _agree(records)
    code, lines = _run("--records", records, "--split", "train")
    assert (code, lines[0], len(lines)) == (1, "train: 24 problem(s)", 22)
    assert lines[-1] == "  ... and 4 more"
    assert manifest.num_records == 12


def test_the_reference_frame_is_what_it_says():
    """The spoiled files above are only good for anything if their frames are right."""
    assert tfrecord.frame(b"a")[:8] == struct.pack("<Q", 1)
    assert len(tfrecord.frame(b"abc")) == 19
