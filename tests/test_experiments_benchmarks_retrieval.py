"""The command of the search benchmark: whole, interrupted and resumed, and what it refuses."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from experiments.benchmarks import retrieval
from experiments.benchmarks.retrieval_subjects import Scann, ScannSoar, ScannTree, repeated
from tests.conftest import ROOT

QUICK = ("--k", "10", "--seconds", "0.01", "--queries", "40", "--queries-one-core", "10")


def arguments(out, *more, subjects="exact,product,scann"):
    drawn = ("--rows", "1000", "--dim", "6", "--subjects", subjects)
    return [str(word) for word in (*drawn, *QUICK, "--out", out, *more)]


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    out = tmp_path_factory.mktemp("searches") / "out"
    assert retrieval.main(arguments(out)) == 0
    return out


def test_the_whole(finished):
    report = json.loads((finished / "retrieval.json").read_text())
    assert report["data"]["rows"] == 1000 and report["data"]["queries"] == 40
    subjects = {one["name"]: one for one in report["subjects"]}
    assert list(subjects) == ["exact", "product", "scann"]
    for name in ("exact", "scann"):  # below 20,000 rows the rule searches all of them
        (point,) = subjects[name]["points"]
        assert point["recall"] == {"1": 1.0, "10": 1.0}
        assert point["queries_per_s"]["all"] > 0 and point["queries_per_s"]["one"] > 0
        assert subjects[name]["search_peak_mib"] > 10
    assert subjects["scann"]["points"][0]["chosen"]
    assert subjects["scann"]["build"]["bytes"] > 1000 * 6 * 4
    assert subjects["product"]["points"][0]["recall"] is None
    assert [one["met"] for one in report["targets"]] in ([True], [False])
    text = (finished / "retrieval.md").read_text()
    assert text.startswith("Data: drawn from the spectrum of the demo's own inception_v200")
    assert "What to pick when" in text
    assert (finished / "retrieval.png").read_bytes().startswith(b"\x89PNG")
    assert not any((finished / "indexes").iterdir())


def test_nothing_is_measured_twice(finished, capsys):
    before = {path: path.stat().st_mtime_ns for path in (finished / "measured").iterdir()}
    assert retrieval.main(arguments(finished, "--json")) == 0
    assert json.loads(capsys.readouterr().out)["format_version"] == 1
    assert before == {path: path.stat().st_mtime_ns for path in (finished / "measured").iterdir()}


def test_another_measurement_is_refused(finished, capsys):
    code = retrieval.main([*arguments(finished), "--seed", "5", "--k", "9"])
    told = capsys.readouterr().err
    assert code == 1 and "another measurement (k 10 there, 9 asked; seed 0 there, 5 asked)" in told


def test_interrupted_and_gone_on_with(tmp_path):
    out = tmp_path / "out"
    command = [sys.executable, "-m", "experiments.benchmarks.retrieval"]
    command += arguments(out, subjects="exact,product")
    process = subprocess.Popen(
        command,
        cwd=ROOT,
        env=os.environ,
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
    )
    first = out / "measured" / "exact-one-0.json"
    for _ in range(600):
        if first.is_file() or process.poll() is not None:
            break
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    told = process.communicate(timeout=60)[1]
    assert process.returncode == 130, told
    assert "interrupted; what was measured is kept, the same command goes on" in told
    assert "Traceback" not in told and not (out / "retrieval.json").exists()
    found = first.stat().st_mtime_ns if json.loads(first.read_text()).get("finished") else None
    assert retrieval.main(arguments(out, subjects="exact,product")) == 0
    assert (out / "retrieval.json").is_file()
    assert found is None or first.stat().st_mtime_ns == found


def test_given_embeddings_and_missing_libraries(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(retrieval, "_PEERS_PYTHON", tmp_path / "no" / "python")
    rows = np.random.default_rng(0).standard_normal((60, 5)).astype(np.float32)
    np.save(tmp_path / "a.npy", rows)
    given = ["--embeddings", str(tmp_path / "a.npy"), "--subjects", "hnswlib", *QUICK]
    assert retrieval.main([*given, "--out", str(tmp_path / "out")]) == 0
    told = capsys.readouterr()
    assert "note: left out: hnswlib: their environment .venv-ann is not there" in told.err
    assert "hnswlib: not measured; their environment" in told.out
    assert "a.npy: 54 rows of 5, 6 queries" in told.out


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--rows", "5000"], "--rows and --dim go together"),
        (["--embeddings", "a.npz", "--spectrum", "demo"], "give one of them"),
        ([], "what is to be searched?"),
        (["--rows", "10", "--dim", "8"], "--rows must be at least 1000, received 10"),
        (["--rows", "1000", "--dim", "8", "--budget", "0"], "--budget must be above 0"),
        (["--rows", "1000", "--dim", "8", "--seconds", "nan"], "--seconds must be above 0"),
        (["--rows", "1000", "--dim", "8", "--subjects", "annoy"], "no subject 'annoy'"),
    ],
)
def test_usage(more, message, capsys):
    with pytest.raises(SystemExit) as end:
        retrieval.main(more)
    assert end.value.code == 2 and message in capsys.readouterr().err


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--embeddings", "nowhere.npy"], "error: no embeddings at nowhere.npy"),
        (["--embeddings", "a.npy", "--rows", "1000", "--dim", "4"], "a.npy has no labels"),
        (["--embeddings", "a.npy", "--k", "50"], "--k 50 neighbours of an index of 18 rows"),
        (["--embeddings", "a.npy", "--peers-python", "no/python"], "no/python is no program"),
        (["--rows", "1000000000", "--dim", "100000"], "has no room for 372529.0 GiB of vectors"),
    ],
)
def test_what_cannot_be_measured(more, message, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    np.save("a.npy", np.random.default_rng(0).standard_normal((20, 4)))
    assert retrieval.main([*more, "--out", "out"]) == 1
    assert message in capsys.readouterr().err


def test_trees_are_left_out_where_the_rule_makes_them():
    assert repeated(5000, 32, 100) == set()
    chosen = Scann(761_757, 512, 100).parameters
    expected = {
        name
        for name, kind in (("scann_soar", ScannSoar), ("scann_tree", ScannTree))
        if kind(761_757, 512, 100).parameters == chosen
    }
    assert chosen.method == "tree_hashing"
    assert repeated(761_757, 512, 100) == expected != set()
    for rows in (1000, 78_480, 761_757):
        for kind in (ScannSoar, ScannTree):
            kind(rows, 128, 100).parameters.check(rows, 128)


def test_points_lie_around_the_rule_and_within_the_index():
    subject = Scann(761_757, 512, 100)
    points = subject.points()
    (chosen,) = [point for point in points if point.get("chosen")]
    parameters = subject.parameters
    assert chosen["reorder"] == parameters.reorder
    assert chosen["leaves_to_search"] == parameters.leaves_to_search
    for point in points:
        assert 100 <= point["reorder"] <= 761_757
        assert 1 <= point["leaves_to_search"] <= parameters.num_leaves
    assert len({tuple(point.items()) for point in points}) == len(points) >= 12
