from __future__ import annotations

import hashlib

import pytest

from tests.reference import gldv2, gldv2_tables
from tests.reference.gldv2_tables import INDEX_IDS, TEST_IDS
from tfrecords_tools.integrity.tables import read_tables, submission_columns


@pytest.fixture
def raw(tmp_path):
    gldv2_tables.write_whole(tmp_path)
    return tmp_path


def edit(root, name, old, new):
    path = root / name
    text = path.read_text("latin-1")
    assert text.count(old) == 1, "the edit must do something"
    path.write_text(text.replace(old, new), "latin-1")


def test_a_whole_folder_has_no_problem_and_the_counts_that_one_sees(raw):
    tables = read_tables(raw)
    assert tables.problems == []
    assert tables.counts == {
        "train images": 9,
        "train classes": 4,
        "largest train landmark_id": 70,
        "clean images": 7,
        "clean classes": 3,
        "index images": 4,
        "test images": 3,
        "c2x images": 8,  # all but the one of landmark 33
        "train images without attribution": 0,
        "train categories of several landmark_ids": 0,
        "index categories of several landmark_ids": 0,
        "index classes that train has too": 2,  # A and B
        "index images of classes that train has too": 3,
        "train and shared index images": 12,
    }
    entry = tables.files["train.csv"]
    assert entry["rows"] == 9
    assert entry["sha256"] == hashlib.sha256((raw / "train.csv").read_bytes()).hexdigest()


def test_tables_that_are_not_there_are_no_problem(tmp_path):
    gldv2.write_folder(tmp_path, {7: 2})
    tables = read_tables(tmp_path)
    assert (tables.problems, tables.is_kaggles) == ([], False)
    assert tables.index_ids is None
    assert set(tables.files) == {"train.csv"}


def test_a_category_with_bytes_that_are_no_utf8_joins_by_its_bytes(raw):
    edit(raw, "index_label_to_category.csv", "102,http://a/E", '102,"http://a/Châ, D"')
    assert read_tables(raw).counts["index classes that train has too"] == 3


TRAIN_7 = gldv2.image_id("train 7 0")


@pytest.mark.parametrize(
    ("name", "old", "new", "problem"),
    [
        ("train.csv", "id,url", "image,url", "train.csv has no column id"),
        ("train.csv", f"\n{TRAIN_7},", "\nx,", "line 2: an image id is 3 to 16 ASCII"),
        ("index.csv", INDEX_IDS[1], INDEX_IDS[0], "names 1 image id(s) more than once"),
        ("index.csv", INDEX_IDS[1], TRAIN_7, f"both train.csv and index.csv: {TRAIN_7};"),
        ("test.csv", TEST_IDS[1], INDEX_IDS[3], "both index.csv and test.csv"),
        ("index.csv", f"{INDEX_IDS[1]}\n", "", "1 image(s) are not in index.csv but in index_im"),
        ("train_clean.csv", TRAIN_7, "feedfeedfeedfeed", "1 image(s) that train.csv does not"),
        ("train_clean.csv", "70,", "71,", "disagree on the landmark_id of 2 image(s)"),
        ("train_label_to_category.csv", "9,http", "8,http", "1 landmark_id(s) of train have no"),
        ("train_label_to_category.csv", "9,http", "7,http", "more than one row, such as 7;"),
        ("index_label_to_category.csv", "102,", "103,", "of index have no row in index_label"),
        ("index_image_to_landmark.csv", ",102", ",x", "landmark_id is a whole number"),
        (
            "index_image_to_landmark.csv",
            f"{INDEX_IDS[3]},102\n",
            "",
            f"1 image(s) of index.csv have no landmark_id in index_image_to_landmark.csv: "
            f"{INDEX_IDS[3]}",
        ),
        (
            "train_attribution.csv",
            f"\n{TRAIN_7},",
            "\nfeed,",
            "1 image(s) that train.csv does not k",
        ),
    ],
)
def test_each_fault_is_told(raw, name, old, new, problem):
    edit(raw, name, old, new)
    problems = read_tables(raw).problems
    assert any(problem in line for line in problems), problems


def test_one_bad_table_does_not_hide_another(raw):
    edit(raw, "train.csv", "id,url", "image,url")
    edit(raw, "index.csv", INDEX_IDS[1], INDEX_IDS[0])
    problems = read_tables(raw).problems
    assert len(problems) == 2


def test_kaggles_train_csv_and_its_list_of_test_images(tmp_path):
    gldv2_tables.write_kaggle(tmp_path, submission="landmarks")
    tables = read_tables(tmp_path)
    assert tables.is_kaggles
    assert tables.problems == []
    assert tables.counts["test images"] == 3
    assert submission_columns(tmp_path) == ["id", "landmarks"]
    assert submission_columns(tmp_path / "train") is None
