"""The open-set study on made-up embeddings: what is chosen, and that private chooses nothing."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from experiments.config import Evaluation
from experiments.run import STUDIES
from experiments.stages import open_set
from landmarks_tf.metrics import Solution
from landmarks_tf.retrieval.embed import Embeddings
from landmarks_tf.retrieval.exact import ExactIndex
from landmarks_tf.retrieval.knn import knn_classify
from tests.reference import open_set as reference


def unit(rows):
    return (rows / np.linalg.norm(rows, axis=-1, keepdims=True)).astype(np.float32)


@pytest.fixture(scope="module")
def case():
    """Six landmarks; two have train images of a generic scene, as a third of the queries is."""
    rng = np.random.default_rng(0)
    scene, centres = rng.normal(size=24), rng.normal(size=(6, 24))
    labels, rows = np.arange(60) % 6, np.arange(60)
    wrong = ((labels < 2) & (rows < 30))[:, None]
    train = unit(np.where(wrong, scene, centres[labels]) + 1.2 * rng.normal(size=(60, 24)))
    shown = rng.integers(0, 9, 200)  # 6 and above: no landmark
    around = np.where((shown < 6)[:, None], centres[np.minimum(shown, 5)], scene)
    queries = unit(around + 1.2 * rng.normal(size=(200, 24)))
    ids = [f"{n:016x}" for n in range(200)]
    truths = [[100 + label] if label < 6 else [] for label in shown.tolist()]
    truth = dict(zip(ids, truths, strict=True))
    public = {q: truth[q] for q in ids[:70]}
    private = {q: truth[q] for q in ids[70:190]}
    pictures = open_set.Pictures(queries, ids, ExactIndex(train), 100 + labels)
    return pictures, Solution(public, private, set(ids[190:]))


@pytest.fixture(scope="module")
def result(case):
    return open_set.study(*case, 5)


def test_what_is_chosen_is_the_best_on_public(result, case):
    steps = result["steps"]
    gaps = [steps[name]["public"]["gap"] for name in ("run", "neighbours", "penalty")]
    assert gaps == sorted(gaps)
    assert steps["neighbours"]["chosen"]["reference_weight"] == 0
    chosen = steps["penalty"]["chosen"]
    # The queries of scenes find their like among the train images: holding these back pays.
    assert chosen["reference_weight"] + chosen["query_weight"] > 0
    gained = steps["penalty"]["against_baseline"]
    assert gained["difference"] == pytest.approx(
        steps["penalty"]["private"]["gap"] - steps["run"]["private"]["gap"]
    )
    assert gained["difference"] > 0.02
    assert result["non_landmarks"] == sum(not truth for truth in case[1].public.values())


def test_private_truth_decides_nothing(result, case):
    pictures, solution = case
    rng = np.random.default_rng(1)
    truths = list(solution.private.values())
    shuffled = dict(zip(solution.private, [truths[n] for n in rng.permutation(120)], strict=True))
    other = open_set.study(pictures, replace(solution, private=shuffled), 5)["steps"]
    for name, step in result["steps"].items():
        assert other[name]["chosen"] == step["chosen"]
        assert other[name]["public"] == step["public"]
        assert other[name]["threshold"]["threshold"] == step["threshold"]["threshold"]
        assert other[name]["private"] != step["private"]


def test_it_is_told(result):
    assert json.loads(json.dumps(result)) == result
    table = open_set.markdown(result)
    assert f"{result['steps']['penalty']['private']['gap']:.4f}" in table
    rows = [line for line in table.splitlines() if line.startswith("|")]
    assert [row.split("|")[1].strip() for row in rows[2:]] == [
        "run", "neighbours", "penalty", "calibrated"
    ]  # fmt: skip
    assert len({row.count("|") for row in rows}) == 1
    assert "open_set" in STUDIES


def test_without_a_private_part_there_is_nothing_to_judge(case, monkeypatch):
    monkeypatch.setattr(open_set, "NEIGHBOURS", (1,))
    pictures, solution = case
    steps = open_set.study(pictures, replace(solution, private={}), 1)["steps"]
    assert steps["penalty"]["private"]["gap"] is None
    assert "threshold" not in steps["penalty"]
    table = open_set.markdown({"non_landmarks": 1, "steps": steps})
    assert len({line.count("|") for line in table.splitlines() if line.startswith("|")}) == 1


def test_refuses_a_solution_in_which_every_public_query_shows_a_landmark(case):
    pictures, solution = case
    known = {query: truth for query, truth in solution.public.items() if truth}
    with pytest.raises(ValueError, match=r"expected public queries without a landmark .* none"):
        open_set.study(pictures, replace(solution, public=known), 5)


def test_a_recipe_takes_the_penalty(case, tmp_path):
    """With the settings' defaults it is the plain classifier; with weights it is the study's."""
    pictures, solution = case
    queries = Embeddings(pictures.queries, np.array(pictures.ids), "")
    classes = pictures.landmarks - 100
    path = tmp_path / "s.csv"
    arguments = (queries, pictures.train.embeddings, classes, path)
    plain = open_set.by_neighbours(Evaluation(knn_neighbours=3), *arguments)
    for ours, theirs in zip(
        plain, knn_classify(pictures.queries, pictures.train, classes, k=3), strict=True
    ):
        np.testing.assert_array_equal(ours, theirs)
    rows = [
        f"{query},{' '.join(map(str, truth))},{usage}"
        for usage, part in (("Public", solution.public), ("Private", solution.private))
        for query, truth in part.items()
    ]
    path.write_text("\n".join(["id,landmarks,Usage", *rows]) + "\n")
    held_back = Evaluation(knn_neighbours=3, reference_penalty=0.5, query_penalty=0.25)
    found = open_set.by_neighbours(held_back, *arguments)
    generic = [n for n, q in enumerate(pictures.ids[:70]) if not solution.public[q]]
    own = [generic.index(n) if n in generic else -1 for n in range(200)]
    expected = reference.recognize(
        pictures.queries, pictures.train.embeddings, classes.tolist(), pictures.queries[generic],
        (0.5, 5, 0.25, 10), 3, "cosine", own,
    )  # fmt: skip
    assert found[0].tolist() == [label for label, _ in expected]
    np.testing.assert_allclose(found[1], [score for _, score in expected], atol=1e-5)
    same = Embeddings(pictures.train.embeddings, np.array(pictures.ids[:60]), "")
    by_distance = Evaluation(knn_neighbours=3, knn_vote="distance")
    assert np.isfinite(open_set.by_neighbours(by_distance, same, *arguments[1:])[1]).all()
