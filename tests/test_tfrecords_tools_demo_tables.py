"""CSV files of a demo set, read back with the csv module alone."""

from __future__ import annotations

import csv
import io
from collections import Counter

import pytest

from tfrecords_tools.demo.plan import CORRUPT_KINDS, GENERIC, Settings, take_census
from tfrecords_tools.demo.tables import all_tables, encode_rows, usage_of_queries

COLUMNS = {
    "train.csv": "id,url,landmark_id",
    "train_clean.csv": "landmark_id,images",
    "train_attribution.csv": "id,url,author,license,title",
    "train_label_to_category.csv": "landmark_id,category",
    "train_label_to_hierarchical.csv": (
        "landmark_id,category,supercategory,hierarchical_label,natural_or_human_made"
    ),
    "index.csv": "id",
    "index_image_to_landmark.csv": "id,landmark_id",
    "index_label_to_category.csv": "landmark_id,category",
    "index_label_to_hierarchical.csv": (
        "landmark_id,category,supercategory,hierarchical_label,natural_or_human_made"
    ),
    "test.csv": "id",
    "recognition_solution_v2.1.csv": "id,landmarks,Usage",
    "retrieval_solution_v2.1.csv": "id,images,Usage",
}


@pytest.fixture(scope="module")
def census():
    return take_census(Settings(seed=5))


@pytest.fixture(scope="module")
def rows(census):
    tables = all_tables(census)
    return {
        name: list(csv.DictReader(io.StringIO(content.decode("latin-1"))))
        for name, content in tables.items()
    }


def test_all_files_have_the_published_columns(census):
    tables = all_tables(census)
    assert {name: c.split(b"\n", 1)[0].decode() for name, c in tables.items()} == COLUMNS
    assert all(content.endswith(b"\n") and b"\r" not in content for content in tables.values())


def test_train_lists_every_picture_with_its_label(census, rows):
    expected = {p.id: str(p.landmark_id) for p in census.by_split["train"]}
    assert {r["id"]: r["landmark_id"] for r in rows["train.csv"]} == expected
    assert all(r["id"] in r["url"] and r["url"].startswith("http") for r in rows["train.csv"])
    ids = [r["id"] for r in rows["train.csv"]]
    assert ids == sorted(ids)


def test_clean_lists_one_row_for_each_class(census, rows):
    listed = {
        image: row["landmark_id"]
        for row in rows["train_clean.csv"]
        for image in row["images"].split(" ")
    }
    assert listed == {p.id: str(p.landmark_id) for p in census.by_split["train"] if p.clean}
    classes = [int(row["landmark_id"]) for row in rows["train_clean.csv"]]
    assert classes == sorted(set(classes))
    assert len(listed) < len(rows["train.csv"])


def test_attribution_covers_train_and_needs_a_real_csv_reader(census, rows):
    attribution = rows["train_attribution.csv"]
    assert [r["id"] for r in attribution] == [r["id"] for r in rows["train.csv"]]
    assert all(None not in r and r["title"].endswith(".jpg") for r in attribution)
    assert any("," in r["author"] for r in attribution)
    assert any('"' in r["author"] for r in attribution)
    assert all(r["license"].startswith("https://creativecommons.org/") for r in attribution)


def test_train_and_index_join_through_the_category_alone(census, rows):
    train = {r["category"]: int(r["landmark_id"]) for r in rows["train_label_to_category.csv"]}
    index = {r["category"]: int(r["landmark_id"]) for r in rows["index_label_to_category.csv"]}
    shared = {(train[c], index[c]) for c in train.keys() & index.keys()}
    both = census.train_ids.keys() & census.index_ids.keys()
    assert shared == {(census.train_ids[n], census.index_ids[n]) for n in both}
    assert len(train) == len(census.train_ids) + len(census.extra_ids)


def test_category_files_are_not_quite_utf_8(census):
    content = all_tables(census)["train_label_to_category.csv"]
    bad = [line for line in content.split(b"\n") if _undecodable(line)]
    assert len(bad) == 1
    assert b"\xe9" in bad[0]


def _undecodable(line: bytes) -> bool:
    try:
        line.decode("utf-8")
    except UnicodeDecodeError:
        return True
    return False


def test_hierarchical_files_agree_with_the_category_files(rows):
    for split in ("train", "index"):
        short = [(r["landmark_id"], r["category"]) for r in rows[f"{split}_label_to_category.csv"]]
        long = rows[f"{split}_label_to_hierarchical.csv"]
        assert [(r["landmark_id"], r["category"]) for r in long] == short
        assert {r["natural_or_human_made"] for r in long} == {"human-made"}


def test_recognition_gives_train_ids_or_nothing(census, rows):
    table = {r["id"]: r["landmarks"] for r in rows["recognition_solution_v2.1.csv"]}
    for picture in census.by_split["test"]:
        known = census.train_ids.get(picture.scene)
        assert table[picture.id] == ("" if known is None else str(known))
    unseen = [p for p in census.by_split["test"] if p.scene != GENERIC and not table[p.id]]
    assert unseen, "no query shows a landmark that training never saw"


def test_retrieval_gives_the_readable_index_images_of_the_same_landmark(census, rows):
    usage = Counter(r["Usage"] for r in rows["retrieval_solution_v2.1.csv"])
    assert usage.keys() == {"Public", "Private", "Ignored"}
    assert usage["Private"] == pytest.approx(2 * usage["Public"], rel=0.1)
    for row in rows["retrieval_solution_v2.1.csv"]:
        (picture,) = [p for p in census.by_split["test"] if p.id == row["id"]]
        relevant = sorted(
            p.id
            for p in census.by_split["index"]
            if p.scene == picture.scene and p.kind not in CORRUPT_KINDS
        )
        if relevant:
            assert row["images"].split(" ") == relevant
            assert row["Usage"] in ("Public", "Private")
        else:
            assert (row["images"], row["Usage"]) == ("None", "Ignored")
    ignored = {r["id"] for r in rows["retrieval_solution_v2.1.csv"] if r["Usage"] == "Ignored"}
    assert {p.id for p in census.by_split["test"] if p.scene == GENERIC} < ignored


def test_index_landmarks_are_those_shown(census, rows):
    shown = {p.id: str(census.index_ids[p.scene]) for p in census.by_split["index"]}
    listed = {r["id"]: r["landmark_id"] for r in rows["index_image_to_landmark.csv"]}
    assert listed == shown
    assert [r["id"] for r in rows["index.csv"]] == sorted(shown)
    assert [r["id"] for r in rows["test.csv"]] == sorted(p.id for p in census.by_split["test"])


def test_both_files_of_queries_agree_on_public_and_private(census, rows):
    usage = usage_of_queries(census)
    assert {r["id"]: r["Usage"] for r in rows["recognition_solution_v2.1.csv"]} == usage
    for row in rows["retrieval_solution_v2.1.csv"]:
        assert row["Usage"] in (usage[row["id"]], "Ignored")


def test_rows_are_encoded_with_raw_bytes_kept():
    content = encode_rows(["a", "b"], [["x,y", "é"], ['q"', "\udce9"]])
    assert content == b'a,b\n"x,y",\xc3\xa9\n"q""",\xe9\n'
