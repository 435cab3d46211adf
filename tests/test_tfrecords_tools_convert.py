from __future__ import annotations

import argparse
import hashlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from landmarks_tf.records import Manifest, RecordIndex, RecordsError, parse_example
from tests.reference import gldv2, tfrecord
from tfrecords_tools.convert import add_arguments, convert, run
from tfrecords_tools.options import ConvertOptions, UsageError
from tfrecords_tools.resume import PlanMismatchError, state_folder
from tfrecords_tools.verify import verify
from tfrecords_tools.workers import write_shards

ROOT = Path(__file__).resolve().parent.parent
# The command's own choice, which the setting of the test session would override.
QUIET = os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3"}


@pytest.fixture
def raw(tmp_path):
    """27 clean train images of 4 landmarks and 5 that are not clean, 6 index, 4 test images."""
    folder = tmp_path / "raw"
    gldv2.write_folder(
        folder, {900: 10, 7: 6, 55: 2, 31: 9}, unclean={7: 3, 8: 2}, num_index=6, num_test=4
    )
    return folder


def _convert(raw, out, split="train", **options):
    """Manifests by split, and the lines that were said."""
    lines = []
    manifests = convert(
        raw, out, ConvertOptions(split, **options), workers=2, progress=False, say=lines.append
    )
    return {manifest.split: manifest for manifest in manifests}, lines


def _bytes(folder) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def _records(out, split):
    """(id, label, image bytes) of all records, read by hand in the order of the shards."""
    found = []
    for path in sorted(out.glob(f"{split}-*-of-*")):
        for _, record in tfrecord.read_frames(path):
            feature = tf.train.Example.FromString(record).features.feature
            label = feature["image/class/label"].int64_list.value
            found.append(
                (
                    feature["image/id"].bytes_list.value[0].decode(),
                    label[0] if label else None,
                    feature["image/encoded"].bytes_list.value[0],
                )
            )
    return found


def test_train_and_validation_hold_every_clean_image_once(raw, tmp_path):
    manifests, lines = _convert(raw, tmp_path / "out", validation_fraction=0.2, shards=3)
    assert (manifests["train"].num_records, manifests["validation"].num_records) == (22, 5)
    records = _records(tmp_path / "out", "train") + _records(tmp_path / "out", "validation")
    old = {0: 7, 1: 31, 2: 55, 3: 900}
    landmarks = dict(
        line.split(",")[::2] for line in (raw / "train.csv").read_text().splitlines()[1:]
    )
    clean = " ".join((raw / "train_clean.csv").read_text().splitlines()[1:]).replace(",", " ")
    assert sorted(name for name, _, _ in records) == sorted(
        word for word in clean.split() if len(word) == 16
    )
    for name, label, data in records:
        assert old[label] == int(landmarks[name])
        assert data == gldv2.image_path(raw, "train", name).read_bytes()
    assert (tmp_path / "out" / "relabeling.csv").read_text() == (
        "new_label,old_label\n0,7\n1,31\n2,55\n3,900\n"
    )
    assert lines == [
        "validation: 5 records of 4 classes in 3 shard(s), no image left out",
        "train: 22 records of 4 classes in 3 shard(s), no image left out",
    ]
    assert not list((tmp_path / "out").glob(".*"))


def test_every_split_into_one_folder(raw, tmp_path):
    out = tmp_path / "out"
    for split in ("train", "index", "test"):
        _convert(raw, out, split)
    assert [(name, label) for name, label, _ in _records(out, "index")] == [
        (gldv2.image_id(f"index {i}"), None) for i in range(6)
    ]
    assert RecordIndex.open(out, "test").label.tolist() == [-1] * 4
    assert RecordIndex.open(out, "train").num_classes == 4
    assert all(not report.problems for report in verify(out, progress=False))


def test_no_clean_takes_all_of_train_csv(raw, tmp_path):
    manifests, _ = _convert(raw, tmp_path / "out", clean=False)
    assert (manifests["train"].num_records, manifests["train"].num_classes) == (32, 5)


def test_the_plan_is_in_the_manifest(raw, tmp_path):
    manifests, _ = _convert(
        raw, tmp_path / "out", seed=3, min_images_per_class=6, validation_fraction=0.5
    )
    plan = manifests["train"].plan
    wanted = {"seed": 3, "min_images_per_class": 6, "validation_fraction": 0.5, "clean": True}
    assert wanted.items() <= plan.items()
    assert (
        plan["sha256_of_train.csv"] == hashlib.sha256((raw / "train.csv").read_bytes()).hexdigest()
    )
    assert manifests["train"].num_classes == 3


def test_the_number_of_workers_does_not_change_a_byte(raw, tmp_path):
    for workers in (1, 3):
        options = ConvertOptions("train", shards=5, validation_fraction=0.2)
        out = tmp_path / str(workers)
        convert(raw, out, options, workers=workers, progress=False, say=lambda line: None)
    assert _bytes(tmp_path / "1") == _bytes(tmp_path / "3")


def test_bad_files_are_left_out_listed_and_counted(raw, tmp_path):
    names = [f"train 900 {i}" for i in range(10)]
    paths = [gldv2.image_path(raw, "train", gldv2.image_id(name)) for name in names]
    paths[0].unlink()
    paths[1].write_bytes(b"")
    paths[2].write_bytes(paths[2].read_bytes()[:-40])
    paths[3].write_bytes(b"<html>404</html>")
    for place, (mode, fmt) in enumerate((("L", "JPEG"), ("CMYK", "JPEG"), ("P", "PNG")), 4):
        paths[place].write_bytes(gldv2.picture("x", mode=mode, fmt=fmt))
    paths[7].write_bytes(gldv2.picture("x", size=(2000, 1)))
    out = tmp_path / "out"
    manifests, lines = _convert(raw, out, shards=4)
    assert manifests["train"].num_records == 27 - 4
    assert manifests["train"].skipped_reasons == {
        "empty file": 1,
        "missing": 1,
        "not an image": 1,
        "truncated": 1,
    }
    listed = (out / "train.skipped.csv").read_text().splitlines()[1:]
    assert sorted(line.split(",")[0] for line in listed) == sorted(
        gldv2.image_id(name) for name in names[:4]
    )
    assert lines[0] == "1 of 27 listed images have no file; train.skipped.csv names them"
    assert "4 image(s) left out (1 empty file, 1 missing, 1 not an image, 1 truncated)" in lines[1]
    shapes = {}
    for path in sorted(out.glob("train-*")):
        for record in tf.data.TFRecordDataset(str(path)):
            example = parse_example(record)
            shapes[example["id"].numpy().decode()] = tuple(example["image"].shape)
    kept = [shapes[gldv2.image_id(name)] for name in names[4:8]]
    assert kept == [(16, 24, 3)] * 3 + [(1, 2000, 3)]
    assert verify(out, progress=False)[0].problems == ()


def test_a_class_that_loses_all_its_images(raw, tmp_path):
    """Files that are absent cost the class its label; files that turn out bad do not."""
    for number in range(2):
        path = gldv2.image_path(raw, "train", gldv2.image_id(f"train 55 {number}"))
        path.write_bytes(b"bad")
    manifests, lines = _convert(raw, tmp_path / "bad")
    assert (manifests["train"].num_classes, manifests["train"].empty_classes) == (4, (2,))
    assert "warning: train has no record of 1 of its classes" in lines[-1]
    assert verify(tmp_path / "bad", progress=False)[0].problems == ()

    for number in range(2):
        gldv2.image_path(raw, "train", gldv2.image_id(f"train 55 {number}")).unlink()
    manifests, lines = _convert(raw, tmp_path / "absent")
    assert (manifests["train"].num_classes, manifests["train"].empty_classes) == (3, ())
    assert set(RecordIndex.open(tmp_path / "absent", "train").label.tolist()) == {0, 1, 2}
    assert "1 class(es) have no file at all and get no label" in lines


def test_a_random_split_may_take_all_images_of_a_class(tmp_path):
    """Why published recipes that split so keep large classes only; it must be said."""
    gldv2.write_folder(tmp_path / "raw", dict.fromkeys(range(20), 1))
    manifests, lines = _convert(
        tmp_path / "raw",
        tmp_path / "out",
        validation_fraction=0.25,
        validation_split="random",
    )
    held_out = set(RecordIndex.open(tmp_path / "out", "validation").label.tolist())
    assert len(held_out) == 5
    assert set(manifests["train"].empty_classes) == held_out
    assert manifests["validation"].empty_classes == ()
    assert "has no record of 5 of its classes" in lines[-1]


def test_files_in_no_csv_are_told(raw, tmp_path):
    gldv2.put(raw, "train", "0123456789abcdef", gldv2.picture("x"))
    _, lines = _convert(raw, tmp_path / "out")
    assert lines[0] == "1 file(s) in train/ are in no CSV: ignored"


def test_fewer_images_than_shards_are_told(raw, tmp_path):
    _, lines = _convert(raw, tmp_path / "out", "test", shards=9)
    assert lines[0] == "test gets 4 shard(s), one for each of its images"


def test_reencoding(raw, tmp_path):
    _convert(raw, tmp_path / "out", "index", reencode_short_side=16)
    same = {name: data for name, _, data in _records(tmp_path / "out", "index")}
    name = gldv2.image_id("index 0")
    assert same[name] == gldv2.image_path(raw, "index", name).read_bytes()
    gldv2.put(raw, "index", name, gldv2.picture("x", size=(60, 40)))
    _convert(raw, tmp_path / "small", "index", reencode_short_side=16, jpeg_quality=80)
    small = {name: data for name, _, data in _records(tmp_path / "small", "index")}
    assert tf.io.decode_jpeg(small[name]).shape == (16, 24, 3)
    assert Manifest.load(tmp_path / "small", "index").plan["jpeg_quality"] == 80


# Published splits, subsets, records of others


def _run(*arguments, capsys):
    """(exit code, lines) of the command, in this process."""
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    code = run(parser.parse_args([str(argument) for argument in arguments]))
    return code, capsys.readouterr().out.splitlines()


def test_a_dry_run_tells_and_writes_nothing(raw, tmp_path, capsys):
    out = tmp_path / "out"
    common = ("--raw", raw, "--out", out, "--split", "train", "--published-split", "hav4ik")
    code, lines = _run(*common, "--dry-run", capsys=capsys)
    assert code == 0
    assert lines[0] == (
        "hav4ik was published with train 1,508,148, validation 72,322, classes 81,313; "
        "here: train 24, validation 3, classes 4 (other images than the source's)"
    )
    assert not out.exists()
    _run(*common, capsys=capsys)
    for line in lines[1:]:
        split = line.split(":")[0]
        ids = sorted(name for name, _, _ in _records(out, split))
        digest = hashlib.sha256("".join(f"{name}\n" for name in ids).encode()).hexdigest()
        assert line == (
            f"{split}: {len(ids)} images of 4 classes in 1 shard(s), ids' SHA-256 {digest}"
        )
        assert Manifest.load(out, split).plan["sha256_of_ids"] == digest


def test_one_of_each_class_with_four_validates(raw, tmp_path):
    """27 clean images of landmarks with 10, 6, 2 and 9: the one with two stays whole."""
    manifests, _ = _convert(raw, tmp_path / "out", validation_split="one-per-class")
    old = {0: 7, 1: 31, 2: 55, 3: 900}
    held_out = _records(tmp_path / "out", "validation")
    assert sorted(old[label] for _, label, _ in held_out) == [7, 31, 900]
    assert manifests["train"].num_records == 24


def test_all_images_of_the_clean_classes(raw, tmp_path):
    """Of landmark 7 there are three more that are not clean; landmark 8 has no clean one."""
    manifests, _ = _convert(raw, tmp_path / "out", subset="c2x", validation_split="one-per-class")
    assert (manifests["train"].num_classes, manifests["train"].num_records) == (4, 30 - 3)
    clean = (raw / "train_clean.csv").read_text()
    assert all(name in clean for name, _, _ in _records(tmp_path / "out", "validation"))
    assert manifests["train"].plan["subset"] == "c2x"


def test_records_of_ours_come_back_the_same(raw, tmp_path, capsys):
    """Converted a second time, from records in place of files: the same bytes but for the label
    map, which now counts from labels."""
    _convert(raw, tmp_path / "first", validation_split="one-per-class", shards=2)
    code, lines = _run(
        *("--records", *sorted((tmp_path / "first").glob("train-*"))),
        *("--validation-records", *sorted((tmp_path / "first").glob("validation-*"))),
        *("--split", "train", "--shards", "2", "--out", tmp_path / "second"),
        capsys=capsys,
    )
    assert (code, lines[-1]) == (
        0,
        "train: 24 records of 4 classes in 2 shard(s), no image left out",
    )
    for split in ("train", "validation"):
        assert sorted(_records(tmp_path / "second", split)) == sorted(
            _records(tmp_path / "first", split)
        )
    assert (tmp_path / "second" / "relabeling.csv").read_bytes() == (
        tmp_path / "first" / "relabeling.csv"
    ).read_bytes()
    assert not list((tmp_path / "second").glob(".*"))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--raw", "r", "--dialect", "tff"], "--dialect go with --records"),
        (
            ["--records", "r", "--validation-records", "v", "--validation-fraction", "0.1"],
            "leave the other options of validation out",
        ),
    ],
)
def test_options_of_records(arguments, message, capsys):
    with pytest.raises(UsageError, match=message):
        _run(*arguments, "--split", "train", "--out", "o", capsys=capsys)


# Run again


def test_running_again_changes_nothing(raw, tmp_path):
    out = tmp_path / "out"
    _convert(raw, out, validation_fraction=0.2)
    before = {path: path.stat().st_mtime_ns for path in out.rglob("*")}
    _, lines = _convert(raw, out, validation_fraction=0.2)
    assert lines[0] == f"{out} is already complete: nothing to do"
    assert {path: path.stat().st_mtime_ns for path in out.rglob("*")} == before


def test_another_plan_is_refused_and_nothing_is_touched(raw, tmp_path):
    out = tmp_path / "out"
    _convert(raw, out, validation_fraction=0.2)
    before = _bytes(out)
    with pytest.raises(PlanMismatchError, match="seed is 0 there, 1 is asked for"):
        _convert(raw, out, validation_fraction=0.2, seed=1)
    with pytest.raises(PlanMismatchError, match=r"validation_fraction is 0\.2 there, 0\.0 is"):
        _convert(raw, out)
    assert _bytes(out) == before


def test_changed_labels_are_another_plan(raw, tmp_path):
    out = tmp_path / "out"
    _convert(raw, out)
    for name in ("train.csv", "train_clean.csv"):
        text = (raw / name).read_text()
        (raw / name).write_text(text.replace(",55\n", ",56\n").replace("\n55,", "\n56,"))
    with pytest.raises(PlanMismatchError, match=r"sha256_of_train_clean\.csv is \w+\.\.\. there"):
        _convert(raw, out)


def test_a_complete_folder_that_was_damaged_since_is_refused(raw, tmp_path):
    _convert(raw, tmp_path / "out")
    shard = tmp_path / "out" / "train-00000-of-00001"
    shard.write_bytes(shard.read_bytes()[:-1])
    with pytest.raises(RecordsError, match="it is truncated or of another conversion"):
        _convert(raw, tmp_path / "out")


def test_a_lost_train_part_is_written_again_beside_its_validation(raw, tmp_path):
    out = tmp_path / "out"
    _convert(raw, out, validation_fraction=0.2)
    before = _bytes(out)
    for path in out.glob("train[-.]*"):
        path.unlink()
    _convert(raw, out, validation_fraction=0.2)
    assert _bytes(out) == before


# What goes wrong


def test_out_under_a_file(raw, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(OSError, match=r"cannot make the folder .*/file/out: Not a directory"):
        _convert(raw, tmp_path / "file" / "out")
    with pytest.raises(OSError, match=r"file is a file: --out must be a folder"):
        _convert(raw, tmp_path / "file")


def test_no_permission_to_write(raw, tmp_path, monkeypatch):
    (tmp_path / "out").mkdir()
    # Tests may run as root, whom no permission stops.
    monkeypatch.setattr("tfrecords_tools.convert.os.access", lambda path, mode: False)
    with pytest.raises(OSError, match=r"no permission to write into .*/out"):
        _convert(raw, tmp_path / "out")


def test_bad_workers(raw, tmp_path):
    with pytest.raises(ValueError, match="workers must be at least 1, got 0"):
        convert(raw, tmp_path / "out", ConvertOptions("train"), workers=0)


def test_not_one_good_image(raw, tmp_path):
    for path in (raw / "test").rglob("*.jpg"):
        path.write_bytes(b"bad")
    with pytest.raises(ValueError, match="none of the 4 images of split 'test' could be read"):
        _convert(raw, tmp_path / "out", "test")


@pytest.fixture(scope="module")
def large(tmp_path_factory):
    """96 images that take long enough to be interrupted among them, in 8 shards; and the result
    of a conversion that nobody disturbed."""
    folder = tmp_path_factory.mktemp("large")
    gldv2.write_folder(folder / "raw", {})
    data = gldv2.picture("large", size=(900, 700))
    names = [gldv2.image_id(f"index {i}") for i in range(96)]
    for name in names:
        gldv2.put(folder / "raw", "index", name, data)
    (folder / "raw" / "index.csv").write_text("id\n" + "".join(f"{name}\n" for name in names))
    _convert(folder / "raw", folder / "undisturbed", "index", shards=8)
    return folder


def _command(raw, out, *options):
    return [
        *(sys.executable, "-m", "tfrecords_tools", "convert", "--raw", raw, "--out", out),
        *("--split", "index", "--shards", "8", "--workers", "2", *options),
    ]


@pytest.mark.parametrize(
    ("sent", "code"),
    [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGKILL, -signal.SIGKILL)],
)
def test_a_conversion_that_is_stopped_continues_to_the_same_bytes(large, tmp_path, sent, code):
    out = tmp_path / "out"
    process = subprocess.Popen(
        _command(large / "raw", out), cwd=ROOT, env=QUIET, stderr=subprocess.PIPE, text=True
    )
    notes = state_folder(out, "index")
    while process.poll() is None and not list(notes.glob("index-*.json")):
        time.sleep(0.002)
    process.send_signal(sent)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == code, errors
    assert "Traceback" not in errors
    finished = len(list(notes.glob("index-*.json")))
    assert 0 < finished < 8
    assert not Manifest.path(out, "index").exists()
    if sent != signal.SIGKILL:
        assert errors == "interrupted: give the same command again to continue\n"
        assert not list(out.glob("*.tmp-*"))
    with pytest.raises(RecordsError, match="its conversion was not finished"):
        RecordIndex.open(out, "index")

    _, lines = _convert(large / "raw", out, "index", shards=8)
    assert lines[0] == f"continuing: {finished} of 8 shards are there already"
    assert _bytes(out) == _bytes(large / "undisturbed")


@pytest.mark.parametrize(
    "reached",
    [
        lambda out: (state_folder(out, "index") / "plan.json").exists(),
        lambda out: list(out.glob(".index-*.tmp-*")),
        lambda out: len(list(state_folder(out, "index").glob("index-*.json"))) >= 6,
        lambda out: (out / "index.skipped.csv").exists(),
        lambda out: (out / "index.index.npy").exists(),
    ],
    ids=["planned", "writing", "most shards", "finishing", "side-car"],
)
def test_killed_at_any_point_it_ends_with_the_same_bytes(large, tmp_path, reached):
    out = tmp_path / "out"
    process = subprocess.Popen(_command(large / "raw", out), cwd=ROOT, env=QUIET)
    while process.poll() is None and not reached(out):
        time.sleep(0.0005)
    process.kill()
    process.wait()
    _convert(large / "raw", out, "index", shards=8)
    assert _bytes(out) == _bytes(large / "undisturbed")


def test_an_image_deleted_between_plan_and_write(raw, tmp_path, monkeypatch):
    path = gldv2.image_path(raw, "index", gldv2.image_id("index 3"))

    def delete_first(*arguments, **options):
        path.unlink()
        return write_shards(*arguments, **options)

    monkeypatch.setattr("tfrecords_tools.convert.write_shards", delete_first)
    manifests, _ = _convert(raw, tmp_path / "out", "index")
    assert manifests["index"].skipped_reasons == {"missing": 1}
    assert (tmp_path / "out" / "index.skipped.csv").read_text() == (
        f"id,path,reason\n{path.stem},{path.relative_to(raw)},missing\n"
    )
    assert verify(tmp_path / "out", progress=False)[0].problems == ()


def test_a_folder_that_cannot_be_read_is_named(raw, tmp_path):
    """What lies in it would be missing in silence. Tests may run as root, who may read all: a link
    that leads to itself cannot be read by anyone."""
    loop = raw / "index" / "f"
    if loop.exists():
        loop.rename(raw / "aside")
    loop.symlink_to(loop)
    with pytest.raises(OSError, match=r"Too many levels of symbolic links") as caught:
        _convert(raw, tmp_path / "out", "index")
    assert os.fsdecode(caught.value.filename) == str(loop)
    assert not (tmp_path / "out").exists()


def test_odd_names_and_a_csv_with_commas_and_quotes(tmp_path):
    folder = tmp_path / 'räw, "data"\n1'
    gldv2.write_folder(folder, {7: 4, 31: 3})
    rows = (folder / "train.csv").read_text().splitlines()
    quoted = [
        f'{name},"http://a.example/""x"",{name}\nsecond line",{landmark}'
        for name, _, landmark in (row.split(",") for row in rows[1:])
    ]
    (folder / "train.csv").write_text("\n".join([rows[0], *quoted]) + "\n")
    leaf = next(path.parent for path in (folder / "train").rglob("*.jpg"))
    for odd in ("é.jpg", " .jpg", "a\nb.jpg", "-.jpg"):
        (leaf / odd).write_bytes(gldv2.picture("x"))
    manifests, lines = _convert(folder, tmp_path / "öut\n,", shards=2)
    assert manifests["train"].num_records == 7
    assert lines == ["train: 7 records of 2 classes in 2 shard(s), no image left out"]
    assert verify(tmp_path / "öut\n,", progress=False)[0].problems == ()


FULL_DISK = """
import resource, sys
from tfrecords_tools.__main__ import main
# No file may grow past this: writes fail as on a full disk, and the process lives on.
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[1]), int(sys.argv[1])))
sys.exit(main(sys.argv[2:]))
"""


def test_a_full_disk_says_so_and_the_conversion_continues_later(raw, tmp_path):
    out = tmp_path / "out"
    # One image, and with it one shard of three, is larger than the limit.
    gldv2.put(raw, "index", gldv2.image_id("index 5"), gldv2.picture("x", size=(400, 400)))
    command = _command(raw, out, "--workers", "1")[3:]
    command[command.index("8")] = "3"
    done = subprocess.run(
        [sys.executable, "-c", FULL_DISK, "50000", *command],
        cwd=ROOT,
        env=QUIET,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr.splitlines() == [
        f"error: cannot write the shard {out}/index-00002-of-00003: File too large",
        "2 of 3 shards are finished and kept: once this is mended, the same command continues",
    ]
    assert not list(out.glob(".index-*"))
    _, lines = _convert(raw, out, "index", shards=3)
    assert lines[0] == "continuing: 2 of 3 shards are there already"
    assert verify(out, progress=False)[0].problems == ()


# Larger sets


def test_the_demo_set(demo_records, demo_raw):
    """The folder that the command line made from the rendered set, with its few bad files."""
    for report in verify(demo_records, progress=False):
        assert report.problems == ()
    manifests = {
        split: Manifest.load(demo_records, split)
        for split in ("train", "validation", "index", "test")
    }
    listed = sum(
        m.num_records + m.skipped for s, m in manifests.items() if s in ("train", "validation")
    )
    clean = (demo_raw / "train_clean.csv").read_text().splitlines()[1:]
    assert listed == sum(len(line.split(",")[1].split()) for line in clean)
    skipped = (demo_records / "train.skipped.csv").read_text().splitlines()[1:]
    assert len(skipped) == manifests["train"].skipped
    names = [path.name for path in (demo_records / "metadata").iterdir()]
    assert "retrieval_solution_v2.1.csv" in names


def test_real_photographs(real_landmarks, tmp_path):
    manifests, _ = _convert(real_landmarks, tmp_path, validation_fraction=0.2)
    assert manifests["train"].num_classes == 30
    assert manifests["train"].num_records + manifests["validation"].num_records == 886
    index = RecordIndex.open(tmp_path, "train")
    sizes = np.bincount(index.label, minlength=30)
    held_out = np.bincount(RecordIndex.open(tmp_path, "validation").label, minlength=30)
    assert held_out.tolist() == [max(1, int(0.2 * n)) for n in sizes + held_out]
