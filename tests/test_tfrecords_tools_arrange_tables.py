from __future__ import annotations

import csv
import io

import numpy as np
import pytest

from landmarks_tf.metrics import read_recognition_solution, read_retrieval_solution
from landmarks_tf.serving.labels import landmark_name
from tfrecords_tools.arrange.sources import OwnPicture
from tfrecords_tools.arrange.splits import INDEX, TEST, TRAIN
from tfrecords_tools.arrange.tables import Arrangement, all_tables

NAMES = ["100% wool", 'Rome, "old"', "Tower\udce9"]  # the last one is no UTF-8
# (id, class, part)
PICTURES = [
    ("a" * 16, 0, TRAIN),
    ("b" * 16, 1, TRAIN),
    ("1" * 16, 0, INDEX),
    ("0" * 16, 0, INDEX),
    ("2" * 16, 2, INDEX),
    ("f" * 16, 0, TEST),
    ("e" * 16, 1, TEST),
    ("d" * 16, 2, TEST),
]


@pytest.fixture
def arranged():
    pictures = [OwnPicture(f"/p/{i}", f"{NAMES[c]}/{i}.jpg", NAMES[c]) for i, c, _ in PICTURES]
    return Arrangement(
        pictures,
        np.array([i for i, _, _ in PICTURES], "S16"),
        NAMES,
        np.array([c for _, c, _ in PICTURES]),
        np.array([p for _, _, p in PICTURES], np.int8),
    )


def rows(content):
    return list(csv.reader(io.StringIO(content.decode("utf-8", "surrogateescape"))))


def test_train_csv_comes_last_and_leads_back_to_the_picture(arranged):
    tables = all_tables(arranged)
    assert list(tables)[-1] == "train.csv"
    assert rows(tables["train.csv"]) == [
        ["id", "url", "landmark_id"],
        ["a" * 16, f"100% wool/{'a' * 16}.jpg", "0"],
        ["b" * 16, f'Rome, "old"/{"b" * 16}.jpg', "1"],
    ]
    pictures = rows(tables["pictures.csv"])
    assert pictures[0] == ["id", "split", "path", "label"]
    assert [row[:2] for row in pictures[1:5]] == [
        ["a" * 16, "train"],
        ["b" * 16, "train"],
        ["0" * 16, "index"],
        ["1" * 16, "index"],
    ]


def test_the_ground_truth_as_the_metrics_read_it(arranged, tmp_path):
    for name, content in all_tables(arranged).items():
        (tmp_path / name).write_bytes(content)
    retrieval = read_retrieval_solution(tmp_path / "retrieval_solution_v2.1.csv")
    # Queries by id: d is Public, e and f Private; of e's class the index has no picture.
    assert retrieval.public == {"d" * 16: ["2" * 16]}
    assert retrieval.private == {"f" * 16: ["0" * 16, "1" * 16]}
    assert retrieval.ignored == {"e" * 16}
    recognition = read_recognition_solution(tmp_path / "recognition_solution_v2.1.csv")
    # Class 2 was not trained on: no landmark is the right answer.
    assert recognition.public == {"d" * 16: []}
    assert recognition.private == {"e" * 16: [1], "f" * 16: [0]}


def test_names_of_classes_come_back_as_they_were(arranged):
    tables = all_tables(arranged)
    index = rows(tables["index_label_to_category.csv"])
    assert index[0] == ["landmark_id", "category"]
    assert [(number, landmark_name(name)) for number, name in index[1:]] == [
        ("0", "100% wool"),
        ("2", "Tower\udce9"),
    ]
    assert tables["index_label_to_category.csv"].endswith(b"2,Tower\xe9\n")
    assert [row[0] for row in rows(tables["train_label_to_category.csv"])[1:]] == ["0", "1"]


def test_without_queries_there_is_train_alone(arranged):
    arranged.parts[:] = TRAIN
    assert set(all_tables(arranged)) == {
        "pictures.csv",
        "train_label_to_category.csv",
        "train.csv",
    }
