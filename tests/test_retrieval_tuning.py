"""Tuning: what is chosen, what is kept, and how its process ends."""

from __future__ import annotations

import json
import subprocess

import numpy as np
import pytest

from landmarks_tf.retrieval import tuning
from landmarks_tf.retrieval.parameters import ScannParameters
from landmarks_tf.retrieval.scann_build import ScannBuildError
from landmarks_tf.retrieval.tuning import Trial, Tuning, read_tuned, tune
from landmarks_tf.retrieval.vectors import EmbeddingError
from tests.reference import retrieval as reference
from tests.tiny_index import clustered


def trial(recall, rate):
    return Trial(
        ScannParameters("hashing", 10, reorder=round(rate), training_sample_size=99),
        recall,
        rate,
        1.0,
    )


MEASURED = Tuning(
    3000, 8, 10, 0.95, 50.0,
    [trial(0.90, 900.0), trial(0.96, 400.0), trial(0.97, 500.0), trial(1.0, 100.0)],
)  # fmt: skip


def test_the_fastest_of_the_wanted_recall_is_chosen():
    assert MEASURED.reached
    assert MEASURED.chosen.queries_per_s == 500
    assert [point.queries_per_s for point in MEASURED.frontier] == [900, 500, 100]


def test_the_best_is_chosen_if_none_has_it():
    poor = Tuning(3000, 8, 10, 0.99, 50.0, MEASURED.trials[:3])
    assert not poor.reached
    assert poor.chosen.recall == 0.97


def test_what_was_chosen_can_be_built_with(tmp_path):
    MEASURED.save(tmp_path / "tuned.json")
    kept = json.loads((tmp_path / "tuned.json").read_text())
    assert (kept["reached"], len(kept["frontier"]), kept["num_trials"]) == (True, 3, 4)
    assert read_tuned(tmp_path / "tuned.json", 3000, 8) == MEASURED.chosen.parameters
    assert read_tuned(tmp_path / "tuned.json", 200, 8).reorder == 200  # cut to the index
    with pytest.raises(ValueError, match=r"tuned on vectors of 8 numbers, these have 9"):
        read_tuned(tmp_path / "tuned.json", 3000, 9)
    with pytest.raises(FileNotFoundError, match=r"tuned parameters: .* is missing"):
        read_tuned(tmp_path / "no.json", 3000, 8)
    (tmp_path / "other.json").write_text('{"chosen": 3}')
    with pytest.raises(ValueError, match=r"was not written by a tuning"):
        read_tuned(tmp_path / "other.json", 3000, 8)


def test_a_real_process_measures_on_queries_of_its_own():
    rows, queries = clustered(1200, 8), clustered(60, 8, seed=9)
    found = tune(rows, queries=queries, k=10, recall=0.9, budget_s=60)
    assert found.finished
    assert found.reached
    assert {t.parameters.method for t in found.trials} == {"brute_force", "tree_hashing"}
    assert found.trials[0].recall == 1.0  # brute force
    assert found.exact_queries_per_s > 0
    assert found.chosen in found.frontier
    assert found.trials[1].recall < 1.0  # one leaf


def test_recall_is_that_of_a_plain_loop():
    from landmarks_tf.retrieval.tuning_trials import Trials

    said = []
    rows = clustered(400, 8)
    trials = Trials(rows, None, 10, said.append)
    assert len(trials.queries) + len(trials.rows) == 400
    assert said[0]["exact"]["num_queries"] == 40
    _, exact = reference.search(trials.rows, trials.queries, 10)
    wrong = np.array(exact)
    wrong[:, 7:] = np.argsort(trials.queries @ trials.rows.T, axis=1)[:, :3]  # the furthest
    assert trials._recall(np.array(exact)) == 1.0
    assert trials._recall(wrong) == pytest.approx(0.7)


def test_when_the_time_is_up_before_anything_was_measured():
    with pytest.raises(ScannBuildError, match=r"nothing in 0\.05 s.*give it a larger budget"):
        tune(clustered(50, 8), k=5, budget_s=0.05)


def stands_in(monkeypatch, code):
    """A real process of the shell instead of ScaNN's."""
    real = subprocess.Popen
    monkeypatch.setattr(
        tuning.subprocess, "Popen", lambda _command, **options: real(["sh", "-c", code], **options)
    )


def test_a_process_that_fails_is_reported_with_its_last_words(monkeypatch):
    stands_in(monkeypatch, "echo no memory >&2; exit 3")
    with pytest.raises(ScannBuildError, match=r"(?s)ended with exit status 3.*no memory"):
        tune(clustered(50, 8), k=5)


def test_what_was_measured_before_scann_ended_the_process_counts(monkeypatch):
    """A real process that says one thing and dies of a real signal."""
    value = {"recall": 1.0, "queries_per_s": 9.0, "build_s": 1.0}
    value["parameters"] = {"method": "brute_force", "num_neighbors": 5}
    lines = f"{json.dumps({'exact': {'queries_per_s': 3.0}})}\\n{json.dumps({'trial': value})}"
    code = f"printf '{lines}\\n'; echo Check failed >&2; kill -SEGV $$"
    stands_in(monkeypatch, code)
    found = tune(clustered(50, 8), k=5)
    assert (len(found.trials), found.finished, found.chosen.recall) == (1, False, 1.0)
    assert found.died == "was killed by SIGSEGV: Check failed"


def test_an_interrupt_leaves_no_process_and_no_files(monkeypatch, tmp_path):
    started = []

    def interrupted(child, *_):
        started.append(child)
        raise KeyboardInterrupt

    monkeypatch.setattr(tuning, "_listen", interrupted)
    monkeypatch.setattr(tuning.tempfile, "tempdir", str(tmp_path))
    with pytest.raises(KeyboardInterrupt):
        tune(clustered(50, 8), k=5)
    assert isinstance(started[0], subprocess.Popen)
    assert started[0].returncode is not None
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"recall": 0.0}, r"recall must lie above 0"),
        ({"recall": 1.5}, r"at most 1, received 1\.5"),
        ({"budget_s": 0}, r"the budget must be above 0 seconds"),
        ({"k": 0}, r"k must be between 1"),
        ({"queries": clustered(5, 7)}, r"queries have dimension 7, the index has dimension 8"),
        ({"queries": clustered(5, 8)[:0]}, r"queries beside them"),
    ],
)
def test_bad_input(options, message):
    with pytest.raises(ValueError, match=message):
        tune(clustered(50, 8), **options)
    with pytest.raises(EmbeddingError, match=r"row 3 holds NaN"):
        tune(np.where(np.arange(50)[:, None] == 3, np.nan, clustered(50, 8)))
