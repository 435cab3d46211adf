"""Parameters of a ScaNN index by measurement: a recall/speed frontier within a time budget.

Few indexes are built, in a process of its own; on each many search-time settings are tried, which
cost a search of a thousand queries each. The process is killed when the time is up: the answer is
what was measured until then.
"""

from __future__ import annotations

import json
import queue
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np

from landmarks_tf.retrieval.files import read_json, write_json
from landmarks_tf.retrieval.parameters import ScannParameters
from landmarks_tf.retrieval.scann_build import ScannBuildError, child_environment, ending
from landmarks_tf.retrieval.vectors import as_matrix, check_k, check_unit_rows

_STDERR_LINES = 15


@dataclass(frozen=True)
class Trial:
    """One measured setting.

    Attributes:
        parameters: what was built and searched with.
        recall: share of the k exact neighbours found, mean over the queries.
        queries_per_s: in one batch, on all cores.
        build_s: seconds that building its index took.
    """

    parameters: ScannParameters
    recall: float
    queries_per_s: float
    build_s: float


@dataclass(frozen=True)
class Tuning:
    """What `tune` found.

    Attributes:
        num_rows: N. dim: D. k: neighbours. wanted: recall.
        exact_queries_per_s: of `ExactIndex`, same queries, same batch.
        trials: all of them, in the order tried.
        finished: False if the time was up before the grid was, or the process died.
        died: how the process ended, if ScaNN ended it; "" else. What it measured before counts.
        seconds: that it took.
    """

    num_rows: int
    dim: int
    k: int
    wanted: float
    exact_queries_per_s: float
    trials: list[Trial] = field(default_factory=list)
    finished: bool = False
    died: str = ""
    seconds: float = 0.0

    @property
    def reached(self) -> bool:
        """Whether a trial has the wanted recall."""
        return any(trial.recall >= self.wanted for trial in self.trials)

    @property
    def chosen(self) -> Trial:
        """The fastest trial of the wanted recall; the one of the highest recall if none has it."""
        good = [trial for trial in self.trials if trial.recall >= self.wanted]
        if good:
            return max(good, key=lambda trial: trial.queries_per_s)
        return max(self.trials, key=lambda trial: (trial.recall, trial.queries_per_s))

    @property
    def frontier(self) -> list[Trial]:
        """Trials that no other beats in recall and speed both, the fastest first."""
        best, kept = -1.0, []
        for trial in sorted(self.trials, key=lambda t: (-t.queries_per_s, -t.recall)):
            if trial.recall > best:
                best = trial.recall
                kept.append(trial)
        return kept

    def save(self, path: Path) -> None:
        """Writes everything as JSON; `read_tuned` reads what was chosen."""
        facts = {name: value for name, value in asdict(self).items() if name != "trials"}
        write_json(
            path,
            {
                **facts,
                "reached": self.reached,
                "chosen": asdict(self.chosen),
                "frontier": [asdict(trial) for trial in self.frontier],
                "num_trials": len(self.trials),
            },
        )


def read_tuned(path: Path, num_rows: int, dim: int) -> ScannParameters:
    """The parameters that a saved `Tuning` chose, for an index of (num_rows, dim).

    Raises:
        FileNotFoundError, ValueError: if there is none, or it is of vectors of another dimension.
    """
    tuned = read_json(path, what="tuned parameters")
    try:
        parameters = ScannParameters.from_dict(tuned["chosen"]["parameters"])
        tuned_dim = tuned["dim"]
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"{path} was not written by a tuning: {error!r} is missing") from None
    if tuned_dim != dim:
        raise ValueError(
            f"{path} was tuned on vectors of {tuned_dim} numbers, these have {dim}: tune again"
        )
    parameters = parameters.fitted_to(num_rows)
    parameters.check(num_rows, dim)
    return parameters


def tune(
    embeddings: np.ndarray,
    *,
    queries: np.ndarray | None = None,
    k: int = 100,
    recall: float = 0.99,
    budget_s: float = 120.0,
    progress: bool = False,
) -> Tuning:
    """Looks for the fastest parameters that reach a recall.

    Args:
        embeddings: (N, D) unit rows, N at least 2.
        queries: (Q, D) unit rows that are not among them; None holds out a thousand rows, which
            the indexes that are tried then lack.
        k: neighbours wanted; cut to what is left of N.
        recall: share of them that is wanted, 0 < recall <= 1.
        budget_s: seconds; what runs when they are over is killed.
        progress: show a progress bar.

    Raises:
        EmbeddingError, ValueError: for rows, queries or numbers that do not fit.
        ScannBuildError: if the process that tries ends before anything was measured, or the time
            was too short for a single trial.
    """
    embeddings = as_matrix(embeddings, name="the index")
    check_unit_rows(embeddings, name="the index")
    if queries is not None:
        queries = as_matrix(queries, name="queries", dim=embeddings.shape[1])
        check_unit_rows(queries, name="queries")
    if not 0 < recall <= 1:
        raise ValueError(f"recall must lie above 0 and be at most 1, received {recall}")
    if not budget_s > 0:
        raise ValueError(f"the budget must be above 0 seconds, received {budget_s}")
    left = len(embeddings) - (0 if queries is not None else max(1, len(embeddings) // 10))
    if left < 1 or (queries is not None and not len(queries)):
        raise ValueError("tuning needs rows to index and queries beside them; give more")
    k = min(check_k(k, max(k, 1)), left)
    folder = Path(tempfile.mkdtemp(prefix="tune-"))
    try:
        return _tune(folder, embeddings, queries, k, recall, budget_s, progress)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _tune(folder, embeddings, queries, k, recall, budget_s, progress) -> Tuning:
    np.save(folder / "rows.npy", embeddings)
    if queries is not None:
        np.save(folder / "queries.npy", queries)
    options = {"k": k, "recall": recall, "budget_s": budget_s, "folder": str(folder / "index")}
    options["queries"] = None if queries is None else str(folder / "queries.npy")
    command = [sys.executable, "-m", "landmarks_tf.retrieval.tuning_trials"]
    start = time.monotonic()
    with (folder / "stderr").open("w+") as stderr:
        child = subprocess.Popen(
            [*command, str(folder / "rows.npy"), json.dumps(options)],
            env=child_environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=stderr,
            start_new_session=True,  # Ctrl-C is for us: we end it
        )
        try:
            said = _listen(child, start + budget_s, progress)
        finally:
            child.kill()
            child.wait()
            child.stdout.close()
        stderr.seek(0)
        last_lines = stderr.read().strip().splitlines()[-_STDERR_LINES:]
    trials = [_trial(value["trial"]) for value in said if "trial" in value]
    timed_out = child.returncode == -signal.SIGKILL and time.monotonic() - start >= budget_s
    if not trials:
        how = "was not done with its first trial" if timed_out else ending(child.returncode)
        last = "\n".join(last_lines) or "(nothing)"
        advice = "give it a larger budget" if timed_out else f"it last said:\n{last}"
        raise ScannBuildError(f"tuning measured nothing in {budget_s:g} s: it {how}; {advice}")
    exact = next(value["exact"]["queries_per_s"] for value in said if "exact" in value)
    facts = {"finished": child.returncode == 0, "seconds": time.monotonic() - start}
    if child.returncode and not timed_out:
        facts["died"] = f"{ending(child.returncode)}: {(last_lines or ['(nothing)'])[-1]}"
    return Tuning(*embeddings.shape, k, recall, exact, trials, **facts)


def _trial(value: dict) -> Trial:
    return Trial(**{**value, "parameters": ScannParameters.from_dict(value["parameters"])})


def _listen(child: subprocess.Popen, deadline: float, progress: bool) -> list[dict]:
    """What the child says until it ends or the deadline has come."""
    from tqdm import tqdm

    lines: queue.Queue = queue.Queue()

    def read() -> None:
        for line in child.stdout:
            lines.put(line)
        lines.put(None)

    threading.Thread(target=read, daemon=True).start()
    said: list[dict] = []
    started = time.monotonic()
    bar_format = "{desc}: {n:.0f}/{total:.0f} s |{bar}|{postfix}"
    total = deadline - started
    with tqdm(total=total, desc="tune", bar_format=bar_format, disable=not progress) as bar:
        while (left := deadline - time.monotonic()) > 0:
            bar.update(min(time.monotonic() - started, total) - bar.n)
            try:
                line = lines.get(timeout=min(left, 0.5))
            except queue.Empty:
                continue
            if line is None:
                child.wait()
                break
            if line.startswith(b"{"):
                said.append(json.loads(line))
                _show(bar, said)
    return said


def _show(bar, said: list[dict]) -> None:
    value = said[-1]
    if "building" in value:
        bar.set_description(f"build {value['building']}")
    elif "trial" in value:
        trial = value["trial"]
        bar.set_description(f"trial {sum('trial' in v for v in said)}")
        bar.set_postfix_str(f"recall {trial['recall']:.4f} at {trial['queries_per_s']:.0f}/s")
