"""The zip and the CSVs, read back by the standard library and by our own strict reader."""

from __future__ import annotations

import csv
import zipfile

import pytest

from landmarks_tf.export import kaggle
from landmarks_tf.metrics import solutions

A, B, C, D = ("0" * 15 + digit for digit in "abcd")


@pytest.fixture
def folder(tmp_path):
    """A folder of the names that tf.saved_model.save writes, with two variable shards."""
    root = tmp_path / "model"
    (root / "variables").mkdir(parents=True)
    (root / "assets").mkdir()
    (root / "saved_model.pb").write_bytes(b"graph" * 1000)
    (root / "fingerprint.pb").write_bytes(b"\x00\xff")
    (root / "variables" / "variables.index").write_bytes(b"")
    for shard in range(2):
        name = f"variables.data-0000{shard}-of-00002"
        (root / "variables" / name).write_bytes(bytes(range(256)) * (shard + 1))
    return root


def test_zip_entries_stand_at_the_root_and_unpack_to_the_same_tree(folder, tmp_path):
    names = kaggle.zip_saved_model(folder, tmp_path / "out" / "submission.zip")
    assert names == [
        "assets/",
        "fingerprint.pb",
        "saved_model.pb",
        "variables/variables.data-00000-of-00002",
        "variables/variables.data-00001-of-00002",
        "variables/variables.index",
    ]
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["submission.zip"]
    with zipfile.ZipFile(tmp_path / "out" / "submission.zip") as archive:
        assert sorted(archive.namelist()) == names
        archive.extractall(tmp_path / "unpacked")
    for path in folder.rglob("*"):
        copy = tmp_path / "unpacked" / path.relative_to(folder)
        assert copy.is_dir() if path.is_dir() else copy.read_bytes() == path.read_bytes()


def test_equal_folders_give_equal_archives_whatever_their_times(folder, tmp_path):
    kaggle.zip_saved_model(folder, tmp_path / "one.zip")
    for path in folder.rglob("*"):
        path.touch()
    kaggle.zip_saved_model(folder, tmp_path / "two.zip")
    assert (tmp_path / "one.zip").read_bytes() == (tmp_path / "two.zip").read_bytes()


def test_zip_refuses_what_is_no_saved_model_and_its_own_inside(folder, tmp_path):
    with pytest.raises(ValueError, match=r"lies inside .*contain itself"):
        kaggle.zip_saved_model(folder, folder / "variables" / "submission.zip")
    (folder / "saved_model.pb").unlink()
    with pytest.raises(ValueError, match=r"found no saved_model\.pb there"):
        kaggle.zip_saved_model(folder, tmp_path / "submission.zip")
    with pytest.raises(ValueError, match=r"found no saved_model\.pb there"):
        kaggle.zip_saved_model(tmp_path / "absent", tmp_path / "submission.zip")
    assert not (tmp_path / "submission.zip").exists()


def test_a_file_that_grows_while_it_is_packed_is_noticed(folder, tmp_path, monkeypatch):
    (tmp_path / "submission.zip").write_bytes(b"the last good one")
    add = kaggle._add

    def add_and_grow(archive, name, path):
        add(archive, name, path)
        if name == "saved_model.pb":
            path.write_bytes(b"longer" * 9999)

    monkeypatch.setattr(kaggle, "_add", add_and_grow)
    with pytest.raises(OSError, match=r"does not read back.*saved_model\.pb"):
        kaggle.zip_saved_model(folder, tmp_path / "submission.zip")
    assert (tmp_path / "submission.zip").read_bytes() == b"the last good one"


def test_retrieval_csv_reads_back(tmp_path):
    path = tmp_path / "submission.csv"
    kaggle.write_retrieval_submission(path, {A: [C, D], B: [], C: (D,)})
    with path.open(newline="") as file:
        assert list(csv.reader(file)) == [["id", "images"], [A, f"{C} {D}"], [B, ""], [C, D]]
    solution = solutions.Solution({A: [C]}, {B: [C], C: [D]})
    public, private = solutions.read_retrieval_predictions(path, solution)
    assert (public, private) == ({A: [C, D]}, {C: [D]})


def test_recognition_csv_reads_back_to_the_same_floats(tmp_path):
    path = tmp_path / "submission.csv"
    score = 1 / 3
    kaggle.write_recognition_submission(path, {A: (81_313, score), B: None, C: (0, -1e-9)})
    with path.open(newline="") as file:
        assert next(csv.reader(file)) == ["id", "landmarks"]
    solution = solutions.Solution({A: [1], B: []}, {C: [2]})
    public, private = solutions.read_recognition_predictions(path, solution)
    assert public == {A: (81_313, score)}
    assert private == {C: (0, -1e-9)}
    assert f"\n{B},\n" in path.read_text()


@pytest.mark.parametrize(
    ("rankings", "message"),
    [
        ({"abc": []}, "16 hexadecimal characters in lower case, received 'abc'"),
        ({A.upper(): []}, "received '000000000000000A'"),
        ({A: [B, "x y"]}, f"query {A}: .*received 'x y'"),
        ({A: B}, f"query {A}: .*received '0'"),
        ({A: [B, C, B]}, "an index id is repeated"),
        ({A: [f"{number:016x}" for number in range(101)]}, "at most 100 ids, received 101"),
    ],
)
def test_retrieval_csv_refuses_and_writes_nothing(tmp_path, rankings, message):
    with pytest.raises(ValueError, match=message):
        kaggle.write_retrieval_submission(tmp_path / "submission.csv", rankings)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("predictions", "message"),
    [
        ({"abc": None}, "received 'abc'"),
        ({A: (1, float("nan"))}, "finite confidence, received nan"),
        ({A: (-1, 0.5)}, "landmark id from 0 up, received -1"),
        ({A: (1.5, 0.5)}, r"received 1\.5"),
    ],
)
def test_recognition_csv_refuses_and_writes_nothing(tmp_path, predictions, message):
    with pytest.raises(ValueError, match=message):
        kaggle.write_recognition_submission(tmp_path / "submission.csv", predictions)
    assert not list(tmp_path.iterdir())


def test_rows_of_the_sample_submission_and_no_other(tmp_path):
    sample = tmp_path / "sample_submission.csv"
    sample.write_text(f"id,images\n{C},{A} {B}\n\n{A},\n", encoding="utf-8-sig")
    ids = kaggle.read_sample_ids(sample)
    assert ids == [C, A]
    path = tmp_path / "submission.csv"
    kaggle.write_retrieval_submission(path, {A: [B], C: []}, expected_ids=ids)
    assert path.read_text() == f"id,images\n{C},\n{A},{B}\n"
    kaggle.write_recognition_submission(path, {A: (3, 0.5), C: None}, expected_ids=ids)
    assert path.read_text() == f"id,landmarks\n{C},\n{A},3 0.5\n"
    before = path.read_text()
    for answers, message in (
        ({A: None}, rf"each of 2 queries .* none for 1 of them and 0 others, such as '{C}'"),
        ({A: None, B: None, C: None}, rf"none for 0 of them and 1 others, such as '{B}'"),
    ):
        with pytest.raises(ValueError, match=message):
            kaggle.write_recognition_submission(path, answers, expected_ids=ids)
    assert path.read_text() == before


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", r"received ''\."),
        (f"{A},x\n", f"header id,images or id,landmarks, received '{A},x'"),
        (f"id,images\n{A}\n", "two fields a row"),
        (f"id,images\n{A},\n{A},\n", "each id once"),
        ("id,images\nabc,\n", "received 'abc'"),
    ],
)
def test_sample_submission_refused(tmp_path, text, message):
    (tmp_path / "sample.csv").write_text(text)
    with pytest.raises(ValueError, match=message):
        kaggle.read_sample_ids(tmp_path / "sample.csv")
