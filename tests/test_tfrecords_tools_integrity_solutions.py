from __future__ import annotations

import re

import pytest

from tests.reference import gldv2_tables
from tests.reference.gldv2_tables import INDEX_IDS, TEST_IDS
from tfrecords_tools.integrity.solutions import check_solutions
from tfrecords_tools.integrity.tables import read_tables

RETRIEVAL, RECOGNITION = "retrieval_solution_v2.1.csv", "recognition_solution_v2.1.csv"


@pytest.fixture
def raw(tmp_path):
    gldv2_tables.write_whole(tmp_path)
    return tmp_path


def checked(root):
    tables = read_tables(root)
    assert tables.problems == []
    check_solutions(tables)
    return tables


def test_queries_are_counted_by_usage(raw):
    tables = checked(raw)
    assert tables.problems == []
    counts = {name: n for name, n in tables.counts.items() if "quer" in name}
    assert counts == {
        "retrieval queries, Public": 1,
        "retrieval queries, Private": 1,
        "retrieval queries, Ignored": 1,
        "scored retrieval queries": 2,
        "recognition queries, Public": 1,
        "recognition queries, Private": 2,
        "recognition queries, Ignored": 0,
        "recognition queries with a landmark": 2,
    }
    assert tables.files[RETRIEVAL]["rows"] == 3


@pytest.mark.parametrize(
    ("name", "old", "new", "problem"),
    [
        (RETRIEVAL, INDEX_IDS[2], "feedfeedfeedfeed", "1 image(s) that index.csv does not know"),
        (RETRIEVAL, TEST_IDS[1], "feedfeedfeedfeed", "1 quer(ies) that test.csv does not know"),
        (RETRIEVAL, TEST_IDS[1], TEST_IDS[0], f"more than one row: {TEST_IDS[0]}"),
        (RETRIEVAL, "Private", "private", "line 3: Usage is one of Public, Private, Ignored"),
        (RETRIEVAL, "None,Ignored", "None,Public", "line 4: query .* has no images"),
        (RETRIEVAL, f"{INDEX_IDS[2]},", f"{INDEX_IDS[2]}0,", "line 3: an image id is at most 16"),
        (RETRIEVAL, "id,images,Usage", "id,images,usage", "has no column Usage"),
        (RECOGNITION, ",9,", ",101,", "1 landmark_id.s. that train.csv does not have, such as 101"),
        (RECOGNITION, ",9,", ",9.5,", "line 3: landmarks are whole numbers, found '9.5'"),
        (RECOGNITION, ",9,", ",9,9,", "line 3: 4 fields, the header has 3"),
    ],
)
def test_each_fault_is_told(raw, name, old, new, problem):
    path = raw / name
    text = path.read_text()
    assert text.count(old) == 1
    path.write_text(text.replace(old, new))
    (found,) = checked(raw).problems
    assert re.search(problem.replace("(s)", r"\(s\)").replace("(ies)", r"\(ies\)"), found), found


def test_no_solution_no_word(raw):
    for name in (RETRIEVAL, RECOGNITION):
        (raw / name).unlink()
    tables = checked(raw)
    assert not any("quer" in name for name in tables.counts)
