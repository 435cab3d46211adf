"""Parts of a search benchmark in guarded processes: limits, endings, and nothing done twice."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace

import numpy as np
import pytest

from experiments.benchmarks import retrieval_jobs as jobs
from tests.conftest import ROOT

SETTING = jobs.Setting(
    k=5,
    rounds=1,
    seconds=0.01,
    queries_one_core=10,
    budget_s=60.0,
    memory_gib=4.0,
    peers_python=None,
)
DATA = {"rows": 200, "dim": 4, "queries": 20}


@pytest.fixture
def vectors(tmp_path):
    random = np.random.default_rng(0)
    for name, count in (("index", 200), ("queries", 20)):
        rows = random.standard_normal((count, 4)).astype(np.float32)
        np.save(tmp_path / f"{name}.npy", rows / np.linalg.norm(rows, axis=1, keepdims=True))
    return tmp_path


def made(vectors, **changed):
    return jobs.Jobs(DATA, vectors, vectors / "out", replace(SETTING, **changed))


def test_a_part_is_done_once(vectors):
    run = made(vectors)
    assert run.needs("exact", 0, 0)
    run.build("exact")
    assert run.result("exact", "build")["bytes"] == (vectors / "index.npy").stat().st_size
    run.search("exact", 0, 0)
    found = run.result("exact", "all-0")
    (one,) = found["points"]
    index, queries = (np.load(vectors / f"{name}.npy") for name in ("index", "queries"))
    rows = np.load(run.measured / one["rows"])
    np.testing.assert_array_equal(rows, np.argsort(-(queries @ index.T), axis=1)[:, :5])
    assert one["queries"] == 20 and min(one["seconds"]) > 0 and found["peak_mib"] > 10
    again = made(vectors)  # as after a restart
    assert not again.needs("exact", 0, 0) and again.needs("exact", 1, 0)
    again.build("exact")  # it is there
    spent = again.outcome("exact")["spent_s"]
    again.search("exact", 1, 0)
    assert again.outcome("exact")["spent_s"] > spent > 0
    one = again.result("exact", "one-0")["points"][0]
    assert one["queries"] == 10 and one["rows"] is None
    again.forget_index("exact")
    assert not (vectors / "out" / "indexes" / "exact").exists() and not again.needs("exact", 1, 0)


def test_points_that_were_measured_are_not_measured_again(vectors):
    run = made(vectors)
    run.build("exact")
    path = run.measured / "exact-all-0.json"
    before = {"points": [{"point": {}, "seconds": [9.0], "queries": 20, "rows": None}]}
    path.write_text(json.dumps(before))
    run.search("exact", 0, 0)
    found = run.result("exact", "all-0")
    assert found["finished"] and found["points"] == before["points"]


def test_a_subject_over_its_budget_is_given_up(vectors):
    run = made(vectors, budget_s=0.001)  # loading ScaNN alone takes longer
    run.build("scann")
    assert run.outcome("scann")["failed"].startswith("build: not done within the budget")
    assert not run.needs("scann", 0, 0)
    assert not (vectors / "out" / "indexes" / "scann").exists()
    # With a larger one it is tried again.
    assert made(vectors, budget_s=60.0)._given_up("scann")  # in this process it failed already
    outcome = run.measured / "scann-outcome.json"
    outcome.write_text(json.dumps(json.loads(outcome.read_text()) | {"pid": 1}))
    assert made(vectors, budget_s=60.0).needs("scann", 0, 0)


def test_a_subject_that_holds_too_much_is_ended(vectors):
    run = made(vectors, memory_gib=0.001)
    run.build("scann")
    assert run.outcome("scann")["failed"] == "build: it held more than 0.001 GiB"
    assert run.outcome("scann")["peaks_mib"]["build"] > 1


def test_what_fails_says_why(vectors):
    run = made(vectors)
    run.build("exact")
    (vectors / "out" / "indexes" / "exact" / "index.npy").unlink()
    run.search("exact", 0, 0)
    assert "all-0: FileNotFoundError: [Errno 2] No such file" in run.outcome("exact")["failed"]
    assert not run.needs("exact", 0, 0)  # not again in this run


@pytest.mark.parametrize(("code", "said"), [(0, None), (-6, "its process was ended by SIGABRT")])
def test_endings(code, said, tmp_path):
    with (tmp_path / "log").open("w+") as log:
        assert jobs._ending(code, log) == said


def test_a_worker_ends_with_whoever_started_it(vectors):
    # Reading a pipe that nobody writes to, the search lasts for ever.
    fifo = vectors / "fifo.npy"
    os.mkfifo(fifo)
    script = (
        "import subprocess, sys, time\n"
        "p = subprocess.Popen([sys.executable, '-m', 'experiments.benchmarks.retrieval_worker', "
        "sys.argv[1]], stdin=subprocess.PIPE, start_new_session=True)\n"
        "print(p.pid, flush=True)\n"
        "time.sleep(60)\n"
    )
    told = {"do": "search", "subject": "product", "shape": [200, 4, 5], "cores": 0, "seconds": 1}
    told |= {"queries": str(fifo), "index": "", "result": "", "most_queries": 1, "keep_rows": False}
    starter = subprocess.Popen(
        [sys.executable, "-c", script, json.dumps(told)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    )
    worker = int(starter.stdout.readline())
    time.sleep(0.5)
    assert not _ended(worker)
    starter.send_signal(signal.SIGKILL)
    starter.wait()
    starter.stdout.close()
    for _ in range(100):
        if _ended(worker):
            break
        time.sleep(0.1)
    assert _ended(worker)


def _ended(pid: int) -> bool:
    try:
        with open(f"/proc/{pid}/stat") as file:  # noqa: PTH123
            return file.read().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


def test_memory_of_a_process_and_of_those_that_it_started():
    child = "b = bytearray(60 * 2**20); print('ready', flush=True); input()"
    script = f"import subprocess, sys\nsubprocess.run([sys.executable, '-c', {child!r}])"
    with subprocess.Popen(
        [sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout.readline() == "ready\n"
        assert 60 * 2**20 < jobs._held_bytes(process.pid) < 150 * 2**20
        process.communicate("\n")
    assert jobs._held_bytes(process.pid) == 0
