"""`python -m experiments.rerank` in this process, on small files of embeddings."""

from __future__ import annotations

import csv
import json

import numpy as np
import pytest

from experiments.rerank import main
from landmarks_tf.retrieval.exact import ExactIndex
from landmarks_tf.retrieval.reranking import expand_queries
from tests.test_retrieval_reranking_steps import (
    INDEX,
    INDEX_LABELS,
    QUERIES,
    QUERY_LABELS,
    TRAIN,
    TRAIN_LABELS,
)


def ids_of(first, count):
    return np.array([f"{first}{number:015x}" for number in range(count)])


@pytest.fixture
def folder(tmp_path):
    for name, vectors, first in (("test", QUERIES, "a"), ("index", INDEX, "b")):
        np.save(tmp_path / f"{name}.npy", vectors)
        np.save(tmp_path / f"{name}.ids.npy", ids_of(first, len(vectors)))
    np.save(tmp_path / "train.npy", TRAIN)
    np.save(tmp_path / "labels.npy", TRAIN_LABELS)
    rows = [
        f"{query},{' '.join(ids_of('b', len(INDEX))[label == INDEX_LABELS])},{usage}"
        for query, label, usage in zip(
            ids_of("a", len(QUERIES)), QUERY_LABELS, ["Public", "Private"] * 15, strict=True
        )
    ]
    (tmp_path / "solution.csv").write_text("\n".join(["id,images,Usage", *rows]) + "\n")
    return tmp_path


def call(folder, *arguments):
    paths = ("--queries", folder / "test.npy", "--index", folder / "index.npy")
    return main([str(word) for word in (*paths, *arguments)])


def test_rankings_as_a_csv_and_scores(folder, capsys):
    out = folder / "new" / "retrieval.csv"
    steps = ("--steps", "alpha_qe:n=4:alpha=1")
    assert call(folder, *steps, "--k", 20, "--out", out, "--solution", folder / "solution.csv") == 0
    printed = capsys.readouterr()
    scores = json.loads(printed.out)
    assert scores["public"]["queries"] == scores["private"]["queries"] == 15
    assert "alpha_qe:n=4:alpha=1:rounds=1" in printed.err
    with out.open(newline="") as stream:
        found = {row["id"]: row["images"].split() for row in csv.DictReader(stream)}
    expanded = expand_queries(QUERIES, INDEX, neighbours=4, alpha=1)
    rows = ExactIndex(INDEX).search(expanded, 20)[1]
    for query, line in zip(ids_of("a", len(QUERIES)), ids_of("b", len(INDEX))[rows], strict=True):
        assert found[query] == line.tolist()


def test_rankings_as_rows_need_no_ids(folder):
    for name in ("test", "index"):
        (folder / f"{name}.ids.npy").unlink()
    assert call(folder, "--out", folder / "r.npz") == 0
    scores, rows = ExactIndex(INDEX).search(QUERIES, len(INDEX))
    with np.load(folder / "r.npz") as found:
        np.testing.assert_array_equal(found["rows"], rows)
        np.testing.assert_array_equal(found["scores"], scores)


def test_training_embeddings_are_read(folder, capsys):
    train = ("--train", folder / "train.npy", "--train-labels", folder / "labels.npy")
    scores = []
    for steps in ("", "whiten:method=learned:ridge=0.3,class_aware"):
        options = (*train, "--solution", folder / "solution.csv", "--steps", steps)
        assert call(folder, *options) == 0
        scores.append(json.loads(capsys.readouterr().out)["private"]["map@100"])
    assert scores[1] > scores[0]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--steps", "class_aware"), "class_aware: this step needs training embeddings"),
        (("--steps", "geometric"), "geometric verification needs the pictures"),
        (("--steps", "aqe:n=100"), "aqe: k must be between 1 and"),
        (("--train", "FOLDER/train.npy"), "--train and --train-labels go together"),
        (("--queries", "FOLDER/none.npy"), "none.npy is missing"),
        (("--index", "FOLDER/train.npy"), "train.ids.npy is missing: the ids of the rows"),
        (("--index", "FOLDER/solution.csv"), "solution.csv is not a whole .npy file"),
        (("--solution", "FOLDER/none.csv"), "none.csv"),
    ],
)
def test_mistakes_are_messages(folder, capsys, arguments, message):
    words = [str(word).replace("FOLDER", str(folder)) for word in arguments]
    assert call(folder, "--out", folder / "r.csv", *words) == 1
    printed = capsys.readouterr()
    assert printed.err.splitlines()[-1].startswith("error: ")
    assert message in printed.err
    assert printed.out == ""


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--out", "r.txt"), "--out ends in .csv or .npz"),
        ((), "name --out, --solution or both"),
        (("--out", "r.csv", "--steps", "qe"), "there is no step 'qe'"),
        (("--out", "r.csv", "--k", "0"), "must be at least 1"),
    ],
)
def test_usage(folder, capsys, arguments, message):
    with pytest.raises(SystemExit) as end:
        call(folder, *arguments)
    assert end.value.code == 2
    assert message in capsys.readouterr().err


def test_the_list_names_every_step_as_it_is_written(capsys):
    assert main(["--list"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert "alpha_qe:n=3:alpha=3:rounds=1" in lines
    assert "k_reciprocal:k1=20:k2=6:weight=0.3:top=400" in lines
    with pytest.raises(SystemExit):
        main([])
