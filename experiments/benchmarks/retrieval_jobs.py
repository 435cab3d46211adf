"""The parts of a search benchmark, each in a guarded process, none of them done twice.

A part is (subject, build or search, cores, round). What it found stands in a JSON file under
`measured/`; a part that is there, whole, is not run again. A process that takes more than its time
or memory is ended with all that it started, and the subject keeps what it had by then.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from experiments.benchmarks.retrieval_data import INDEX, QUERIES
from experiments.benchmarks.retrieval_subjects import OURS
from experiments.workdir import read_json, write_json

ROOT = Path(__file__).resolve().parents[2]
_WORKER = "experiments.benchmarks.retrieval_worker"
_SECONDS_BETWEEN_LOOKS = 0.2
_PAGE = os.sysconf("SC_PAGE_SIZE")
_BUILD = "build"


@dataclass(frozen=True)
class Setting:
    """How subjects are measured.

    Attributes:
        k: neighbours of a search.
        rounds: how often each subject has its turn.
        seconds: about how long one point is repeated within a turn; it is run once at least.
        queries_one_core: at most so many of the queries are used on one core.
        budget_s: seconds that a subject may take in all, building included.
        memory_gib: that a subject's processes may hold together.
        peers_python: the interpreter that has the other libraries; None leaves them out.
    """

    k: int
    rounds: int
    seconds: float
    queries_one_core: int
    budget_s: float
    memory_gib: float
    peers_python: Path | None


class Jobs:
    """Runs parts of subjects over one set of vectors.

    Args:
        data: its description (`experiments.benchmarks.retrieval_data`).
        vectors: the folder of index.npy and queries.npy.
        out: where `measured/` and `indexes/` are.
        setting: how.
    """

    def __init__(self, data: dict, vectors: Path, out: Path, setting: Setting):
        self._shape = [data["rows"], data["dim"], min(setting.k, data["rows"])]
        self._vectors, self._setting = vectors, setting
        self.measured, self._indexes = out / "measured", out / "indexes"
        self.measured.mkdir(parents=True, exist_ok=True)

    def outcome(self, subject: str) -> dict:
        """What is known of a subject: {"spent_s", "failed": None or why, "peaks_mib"}."""
        path = self._path(subject, "outcome")
        blank = {"spent_s": 0.0, "failed": None, "peaks_mib": {}}
        return read_json(path) if path.is_file() else blank

    def result(self, subject: str, part: str) -> dict | None:
        """What a part found, as far as it came."""
        path = self._path(subject, part)
        return read_json(path) if path.is_file() else None

    def build(self, subject: str) -> None:
        """Builds the index, unless it is there or nothing is left to be searched."""
        folder, done = self._indexes / subject, self.result(subject, _BUILD)
        if done and folder.is_dir():
            return
        shutil.rmtree(folder, ignore_errors=True)
        partial = folder.with_name(f"{subject}.partial")
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True)
        told = {"vectors": str(self._vectors / INDEX), "index": str(partial)}
        if self._run(subject, _BUILD, told, cores=0):
            partial.replace(folder)
        else:
            shutil.rmtree(partial, ignore_errors=True)

    def search(self, subject: str, cores: int, turn: int) -> None:
        """Times all points of a built subject on one core or (0) on all."""
        told = {
            "queries": str(self._vectors / QUERIES),
            "index": str(self._indexes / subject),
            "seconds": self._setting.seconds,
            "most_queries": self._setting.queries_one_core if cores == 1 else sys.maxsize,
            "keep_rows": cores != 1 and turn == 0,
        }
        self._run(subject, part_name(cores, turn), told, cores=cores)

    def needs(self, subject: str, cores: int, turn: int) -> bool:
        """Whether a part is still to be done, and can be."""
        found = self.result(subject, part_name(cores, turn))
        return not (found and found.get("finished")) and not self._given_up(subject)

    def forget_index(self, subject: str) -> None:
        """Deletes the index of a subject that is done."""
        shutil.rmtree(self._indexes / subject, ignore_errors=True)

    def _given_up(self, subject: str) -> bool:
        """Over its budget, or failed in this very run; a failure of an earlier run is tried anew,
        and so is a subject whose budget has grown."""
        outcome = self.outcome(subject)
        return outcome["spent_s"] >= self._setting.budget_s or (
            outcome["failed"] is not None and outcome.get("pid") == os.getpid()
        )

    def _path(self, subject: str, part: str) -> Path:
        return self.measured / f"{subject}-{part}.json"

    def _run(self, subject: str, part: str, told: dict, *, cores: int) -> bool:
        outcome, started = self.outcome(subject), time.monotonic()
        told |= {"subject": subject, "shape": self._shape, "cores": cores}
        told |= {"do": part if part == _BUILD else "search"}
        told |= {"result": str(self._path(subject, part))}
        limit = self._setting.budget_s - outcome["spent_s"]
        failed, peak = _guarded(
            self._python(subject), told, limit, self._setting.memory_gib * 2**30
        )
        outcome["spent_s"] += time.monotonic() - started
        outcome |= {"failed": f"{part}: {failed}" if failed else None, "pid": os.getpid()}
        outcome["peaks_mib"][part] = max(peak / 2**20, outcome["peaks_mib"].get(part, 0.0))
        write_json(self._path(subject, "outcome"), outcome)
        return not failed

    def _python(self, subject: str) -> str:
        return sys.executable if subject in OURS else str(self._setting.peers_python)


def part_name(cores: int, turn: int) -> str:
    """The name of a search: "one-0", "all-2"."""
    return f"{'one' if cores == 1 else 'all'}-{turn}"


def _guarded(python: str, told: dict, limit_s: float, limit_bytes: float) -> tuple[str | None, int]:
    """Runs the worker to its end or to a limit: (None or why it failed, most bytes held)."""
    search_path = os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
    environment = {**os.environ, "PYTHONPATH": search_path, "TF_CPP_MIN_LOG_LEVEL": "3"}
    until, peak = time.monotonic() + limit_s, 0
    with tempfile.TemporaryFile("w+", errors="replace") as log:
        process = subprocess.Popen(
            [python, "-m", _WORKER, json.dumps(told)],
            stdin=subprocess.PIPE,  # it ends when this does
            stdout=log,
            stderr=log,
            env=environment,
            start_new_session=True,
        )
        try:
            while process.returncode is None:
                held = _held_bytes(process.pid)
                peak = max(peak, held)
                if held > limit_bytes:
                    return f"it held more than {limit_bytes / 2**30:g} GiB", peak
                if time.monotonic() > until:
                    return f"not done within the budget ({limit_s:.0f} s were left)", peak
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(_SECONDS_BETWEEN_LOOKS)
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            process.stdin.close()
        return _ending(process.returncode, log), peak


def _ending(code: int, log) -> str | None:
    if code == 0:
        return None
    if code < 0:
        return f"its process was ended by {signal.Signals(-code).name}"
    log.seek(0)
    lines = log.read().strip().splitlines()
    return " ".join(lines[-1:]) or f"its process ended with code {code}"


def _held_bytes(pid: int) -> int:
    """Memory of a process and of those that it started, in bytes. Looked at often while others are
    timed: it reads a few small files."""
    total, folder = 0, Path(f"/proc/{pid}")
    # A process may end between two looks at it.
    with contextlib.suppress(OSError, IndexError):
        total = int((folder / "statm").read_text().split()[1]) * _PAGE
        for children in folder.glob("task/*/children"):
            total += sum(_held_bytes(int(child)) for child in children.read_text().split())
    return total
