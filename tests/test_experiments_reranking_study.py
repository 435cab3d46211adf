"""The study: settings by public, gains by private, on rankings whose numbers are worked out."""

from __future__ import annotations

import numpy as np
import pytest

from experiments import reranking_study
from experiments.reranking_study import METHODS, TOGETHER, K, markdown, study
from experiments.score_book import ScoreBook
from landmarks_tf.metrics import Solution
from landmarks_tf.retrieval.reranking import RetrievalData, parse_pipeline, run_pipeline
from tests.reference.metrics import average_precision
from tests.test_retrieval_reranking_steps import (
    INDEX,
    INDEX_LABELS,
    QUERIES,
    QUERY_LABELS,
    TRAIN,
    TRAIN_LABELS,
    inliers,
)

QUERY_IDS = np.array([f"q{number:02d}" for number in range(len(QUERIES))])
INDEX_IDS = np.array([f"x{number:02d}" for number in range(len(INDEX))])
TRUTH = {
    query: INDEX_IDS[label == INDEX_LABELS].tolist()
    for query, label in zip(QUERY_IDS.tolist(), QUERY_LABELS, strict=True)
}
SOLUTION = Solution(
    public={query: TRUTH[query] for query in QUERY_IDS[::2].tolist()},
    private={query: TRUTH[query] for query in QUERY_IDS[1::2].tolist()},
)
FEW = {
    "average query expansion": ("aqe:n=1", "aqe:n=4", "aqe:n=60"),
    "class-aware": ("class_aware:k=1", "class_aware:k=3"),
    "geometric verification": ("geometric:top=5:least=8", "geometric:top=10:least=8"),
}
WHOLE = RetrievalData(QUERIES, INDEX, TRAIN, TRAIN_LABELS, inliers)


@pytest.fixture(scope="module")
def found():
    return study(WHOLE, QUERY_IDS, INDEX_IDS, SOLUTION, methods=FEW)


def test_the_bare_search_by_a_plain_loop(found):
    order = np.argsort(-(QUERIES.astype(np.float64) @ INDEX.T.astype(np.float64)), axis=1)
    for part, start in (("public", 0), ("private", 1)):
        expected = np.mean(
            [
                average_precision(INDEX_IDS[order[q]].tolist(), TRUTH[QUERY_IDS[q]], K)
                for q in range(start, len(QUERIES), 2)
            ]
        )
        np.testing.assert_allclose(found["bare"][part], expected, rtol=1e-12)
    assert found["queries"] == {"public": 15, "private": 15}
    assert found["index_size"] == len(INDEX)


def test_settings_are_those_of_the_best_public_number_and_gains_are_private(found):
    rows = {row["method"]: row for row in found["methods"]}
    assert list(rows) == [*FEW, TOGETHER]
    for name, texts in FEW.items():
        alone = [
            study(WHOLE, QUERY_IDS, INDEX_IDS, SOLUTION, methods={name: (text,)})["methods"][0]
            for text in texts
        ]
        best = max(alone, key=lambda row: row["public"])
        row = rows[name]
        assert row["tried"] == len(texts)
        assert row["pipeline"] == best["pipeline"]
        assert (row["public"], row["private"]) == (best["public"], best["private"])
        np.testing.assert_allclose(
            row["private_gain"], row["private"] - found["bare"]["private"], atol=1e-12
        )
        low, high = row["private_gain_95"]
        assert low <= row["private_gain"] <= high
        assert 0 < row["p_value"] <= 1


def test_together_adds_what_raises_public_most_until_nothing_does(found):
    rows = {row["method"]: row for row in found["methods"]}
    single = {name: rows[name] for name in FEW}
    start = max(single.values(), key=lambda row: row["public"])["pipeline"]
    joined = rows[TOGETHER]["pipeline"].split(",")
    in_order = [row["pipeline"] for row in single.values()]
    assert start in joined
    assert len(joined) > 1
    assert joined == [text for text in in_order if text in joined]
    # Nothing that is left out would have helped.
    for text in set(in_order) - set(joined):
        wider = ",".join(one for one in in_order if one in (*joined, text))
        (row,) = study(WHOLE, QUERY_IDS, INDEX_IDS, SOLUTION, methods={"x": (wider,)})["methods"]
        assert row["public"] <= rows[TOGETHER]["public"]
    assert rows[TOGETHER]["public"] > max(row["public"] for row in single.values())


def test_what_the_data_does_not_allow_is_said():
    bare = RetrievalData(QUERIES, INDEX)
    methods = FEW | {"k-reciprocal": ("k_reciprocal:k1=72", "k_reciprocal:k1=8:k2=2")}
    found = study(bare, QUERY_IDS, INDEX_IDS, SOLUTION, methods=methods)
    assert [row["method"] for row in found["methods"]][:2] == [
        "average query expansion",
        "k-reciprocal",
    ]
    whys = {(one["method"], one.get("pipeline")): one["why"] for one in found["left_out"]}
    assert whys["class-aware", None] == "there are no training embeddings"
    assert whys["geometric verification", None] == "there are no local features of the pictures"
    assert "between 1 and the 71 others" in whys["k-reciprocal", "k_reciprocal:k1=72"]
    text = markdown(found, "made up")
    assert "Left out: class-aware, there are no training embeddings." in text


def test_the_table_shows_every_method_and_the_bare_search(found):
    told = []
    study(WHOLE, QUERY_IDS, INDEX_IDS, SOLUTION, methods=FEW, told=told.append)
    assert told[:2] == ["exact search", "aqe:n=1"]
    lines = markdown(found, "made up").splitlines()
    assert lines[0].startswith(
        "made up: mAP@100 in %, 15 public and 15 private queries, index of 72"
    )
    table = [line for line in lines if line.startswith("|")]
    assert len(table) == 2 + 1 + len(found["methods"])
    assert {line.count("|") for line in table} == {9}
    row = found["methods"][0]
    assert f"| {row['public']:.2%} | {row['private']:.2%} |" in table[3]


def test_a_study_that_was_killed_measures_only_what_is_missing(found, tmp_path, monkeypatch):
    path = tmp_path / "scores.jsonl"
    dying = []

    def told(text):
        dying.append(text)
        if text.startswith("class_aware:k=3"):
            raise KeyboardInterrupt

    everything = {"methods": FEW, "told": told}
    with pytest.raises(KeyboardInterrupt):
        study(WHOLE, QUERY_IDS, INDEX_IDS, SOLUTION, book=ScoreBook(path, "a"), **everything)
    measured = []

    def counted(steps, data, **options):
        measured.append(",".join(map(str, steps)))
        return run_pipeline(steps, data, **options)

    monkeypatch.setattr(reranking_study, "run_pipeline", counted)
    book = ScoreBook(path, "a")
    again = study(WHOLE, QUERY_IDS, INDEX_IDS, SOLUTION, methods=FEW, book=book)
    assert measured[0].startswith("class_aware:k=3")
    assert not any(text.startswith("aqe") and "," not in text for text in measured)
    assert len(measured) == len(set(measured))
    for one, other in zip(again["methods"], found["methods"], strict=True):
        assert one | {"processor_seconds": 0} == other | {"processor_seconds": 0}


def test_every_pipeline_of_the_table_is_one():
    for texts in METHODS.values():
        for text in texts:
            assert len(parse_pipeline(text)) == 1
        assert len(set(texts)) == len(texts)
