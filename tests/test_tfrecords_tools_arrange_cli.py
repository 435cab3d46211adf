from __future__ import annotations

import csv
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from landmarks_tf.records import RecordIndex
from tests.reference.gldv2 import picture
from tfrecords_tools.arrange.cli import arrange
from tfrecords_tools.arrange.layout import ArrangeError, partial_folder
from tfrecords_tools.arrange.splits import INDEX, TEST, TRAIN
from tfrecords_tools.integrity.journal import Journal

ROOT = Path(__file__).resolve().parent.parent

CLASSES = {"Notre Dame, Paris": 20, "tower_2": 5, "brücke": 3}


@pytest.fixture
def photos(tmp_path):
    root = tmp_path / "photos"
    for name, number in CLASSES.items():
        (root / name).mkdir(parents=True)
        for i in range(number):
            fmt = "PNG" if i == 0 else "JPEG"
            (root / name / f"IMG {i}.{fmt.lower()}").write_bytes(
                picture(f"{name} {i}", (40, 36), fmt=fmt)
            )
    return root


@pytest.fixture
def run(tools):
    return tools


def test_from_photos_to_records_and_a_sound_check(run, photos, tmp_path):
    raw, records = tmp_path / "raw", tmp_path / "records"
    code, out, err = run("arrange", "--pictures", photos, "--out", raw)
    assert code == 0, err
    assert f"{raw}: 3 classes; 18 train, 7 index, 3 test pictures" in out
    assert f"--data {raw}" in out
    code, out, err = run("check", "--raw", raw)
    assert code == 0, out + err
    assert "label spaces: 2 classes of index are in train too, by category, with 7" in out
    for split in ("train", "index", "test"):
        code, _, err = run("convert", "--raw", raw, "--out", records, "--split", split)
        assert code == 0, err
    with (raw / "pictures.csv").open(newline="", encoding="utf-8") as stream:
        rows = {row["id"].encode(): row for row in csv.DictReader(stream)}
    train = RecordIndex.open(records, "train")
    names = sorted(CLASSES)
    for i, label in zip(train.id.tolist(), train.label.tolist(), strict=True):
        assert (rows[i]["split"], rows[i]["label"]) == ("train", names[label])
    # The record is the picture, byte for byte.
    record = next(iter(tf.data.TFRecordDataset(train.shards[0])))
    features = tf.train.Example.FromString(record.numpy()).features.feature
    image_id = features["image/id"].bytes_list.value[0]
    assert (
        features["image/encoded"].bytes_list.value[0]
        == (photos / rows[image_id]["path"]).read_bytes()
    )
    metadata = (records / "metadata" / "train_label_to_category.csv").read_text()
    assert '0,"Notre Dame, Paris"' in metadata
    code, out, _ = run("arrange", "--pictures", photos, "--out", raw)
    assert (code, "is already complete: nothing to do" in out) == (0, True)


def test_pictures_that_do_not_decode_are_left_out_before_the_split(photos, tmp_path):
    for i in range(1, 4):
        (photos / "tower_2" / f"IMG {i}.jpeg").write_bytes(b"broken")
    lines = []
    arranged = arrange(photos, tmp_path / "raw", progress=False, say=lines.append)
    mine = arranged.parts[arranged.classes == arranged.names.index("tower_2")]
    assert mine.tolist() == [TRAIN, TRAIN]  # two are left: too few to hold any out
    assert f"3 left out (3 not an image): see {tmp_path / 'raw' / 'skipped.csv'}" in lines
    skipped = (tmp_path / "raw" / "skipped.csv").read_text().splitlines()
    assert skipped[1] == "tower_2/IMG 1.jpeg,tower_2,not an image"
    assert not partial_folder(tmp_path / "raw").exists()


def test_a_table_with_missing_files_and_its_own_splits(photos, tmp_path):
    table = photos / "list.csv"
    files = sorted(photos.glob("*/*"))
    rows = [f'"{p.relative_to(photos)}","{p.parent.name}",train\n' for p in files[:-4]]
    rows += [f'"{p.relative_to(photos)}","{p.parent.name}",test\n' for p in files[-4:-2]]
    rows += [f'"{p.relative_to(photos)}","{p.parent.name}",index\n' for p in files[-2:]]
    table.write_text("path,label,split\nnone.jpg,x,train\n" + "".join(rows))
    for decode in (True, False):
        lines = []
        arranged = arrange(
            table, tmp_path / f"raw{decode}", decode=decode, progress=False, say=lines.append
        )
        assert np.bincount(arranged.parts).tolist() == [24, 2, 2]
        assert any(line.startswith("1 left out (1 missing): see") for line in lines)
        assert "x" not in arranged.names
        wanted = {p.name: part for p, part in zip(files[-4:], [TEST, TEST, INDEX, INDEX],
                                                  strict=True)}  # fmt: skip
        by_path = {p.name: part for p, part in zip(arranged.pictures, arranged.parts, strict=True)}
        for path in files[-4:]:
            assert by_path[str(path.relative_to(photos))] == wanted[path.name]


def test_too_little_to_learn_or_to_ask_from(photos, tmp_path):
    for path in [*(photos / "tower_2").iterdir(), *(photos / "Notre Dame, Paris").glob("IMG 1?.*")]:
        path.unlink()
    with pytest.raises(ArrangeError, match=r"1 picture\(s\) to ask with, at least two are needed"):
        arrange(photos, tmp_path / "raw", decode=False, progress=False)
    lines = []
    arrange(
        photos, tmp_path / "raw", decode=False, index_fraction=0, query_fraction=0,
        progress=False, say=lines.append,
    )  # fmt: skip
    assert lines[-1].endswith(f"convert --raw {tmp_path / 'raw'} --out RECORDS --split train")
    for path in (photos / "brücke").iterdir():
        path.write_bytes(b"")
    with pytest.raises(ArrangeError, match=r"1 class.es. .* are needed; left out: 3 empty"):
        arrange(photos, tmp_path / "other", progress=False)


def test_killed_it_leaves_nothing_under_the_name_and_goes_on(tmp_path):
    """A real process, SIGKILL in the middle; then the folder of a run that was not killed."""
    data = picture("a", (300, 300))
    for number in range(400):
        path = tmp_path / "photos" / "ab"[number % 2] / f"{number}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    out = tmp_path / "out"
    words = ["arrange", "--pictures", str(tmp_path / "photos"), "--out", str(out), "--workers", "1"]
    process = subprocess.Popen(
        [sys.executable, "-m", "tfrecords_tools", *words], cwd=ROOT, stderr=subprocess.DEVNULL
    )
    journal = partial_folder(out) / "decoded.journal"
    deadline = time.monotonic() + 120
    while not (journal.exists() and journal.stat().st_size > 100):
        assert process.poll() is None, "it ended before it could be killed"
        assert time.monotonic() < deadline
        time.sleep(0.01)
    process.kill()
    process.wait()
    assert not out.exists()
    noted = len(Journal(journal))
    assert 0 < noted < 400
    for target in (out, tmp_path / "other"):
        arrange(tmp_path / "photos", target, progress=False, say=lambda line: None)
    assert not list(tmp_path.glob(".*.partial"))
    content = [
        {
            path.relative_to(target): path.readlink() if path.is_symlink() else path.read_bytes()
            for path in target.rglob("*")
            if path.is_symlink() or path.is_file()
        }
        for target in (out, tmp_path / "other")
    ]
    assert content[0] == content[1]
    assert len(content[0]) > 400


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--workers", "0"], "--workers must be at least 1, got 0"),
        (["--query-fraction", "0"], "must both be above 0 with a sum below 1, or both 0, got 0.3"),
        (["--index-fraction", "0.95"], "or both 0, got 0.95 and 0.1"),
    ],
)
def test_usage_errors_are_2(run, arguments, message):
    code, out, err = run("arrange", "--pictures", "p", "--out", "o", *arguments)
    assert (code, out) == (2, "")
    assert message in err


def test_a_users_mistake_is_1(run, tmp_path):
    code, _, err = run("arrange", "--pictures", tmp_path / "none", "--out", tmp_path / "raw")
    assert code == 1
    assert "--pictures is a folder with one folder a class, or a CSV path,label" in err
