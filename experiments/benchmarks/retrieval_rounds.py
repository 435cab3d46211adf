"""Subjects of a search benchmark by turns, and what they found, put together."""

from __future__ import annotations

import statistics
import sys
from pathlib import Path

import numpy as np

from experiments.benchmarks.retrieval_data import INDEX, QUERIES
from experiments.benchmarks.retrieval_jobs import Jobs, Setting, part_name
from experiments.benchmarks.retrieval_recall import recalls, true_scores
from experiments.benchmarks.retrieval_subjects import TITLES, repeated
from experiments.command import MeasurementError
from experiments.workdir import read_json, write_json

_OF_BUILD = ("seconds", "cpu_seconds", "parameters", "bytes", "peak_mib", "version")
_ALL, _ONE = 0, 1  # cores


def measure(
    names: list[str], data: dict, vectors: Path, out: Path, setting: Setting
) -> tuple[list[dict], dict[str, str]]:
    """Measures what is not measured yet.

    Args:
        names: subjects, "exact" first.
        data: description of the vectors.
        vectors: their folder.
        out: where what was measured is kept.
        setting: how.

    Returns:
        The subjects' entries of retrieval.json, and {name: why} of those that another one is.

    Raises:
        MeasurementError: exact search failed, without which there is no recall.
    """
    from tqdm import tqdm

    jobs = Jobs(data, vectors, out, setting)
    same = repeated(data["rows"], data["dim"], setting.k) if "scann" in names else ()
    left_out = {n: "its parameters are those that our rule chose" for n in names if n in same}
    names = [name for name in names if name not in left_out]
    with tqdm(total=len(names) * setting.rounds, desc="subjects", unit="turn") as bar:
        for turn in range(setting.rounds):
            for name in names:
                bar.set_postfix_str(TITLES[name])
                _turn(jobs, name, turn)
                if turn == 0:
                    _count_recall(jobs, name, vectors)
                if turn == setting.rounds - 1 and not jobs.outcome(name)["failed"]:
                    jobs.forget_index(name)  # of one that failed it is kept, for the next run
                bar.update()
                if failed := jobs.outcome(name)["failed"]:
                    print(f"{TITLES[name]}: {failed}", file=sys.stderr, flush=True)
    return [entry(jobs, name, setting.rounds) for name in names], left_out


def _turn(jobs: Jobs, name: str, turn: int) -> None:
    for cores in (_ALL, _ONE):
        if jobs.needs(name, cores, turn):
            jobs.build(name)
            if jobs.needs(name, cores, turn):  # it was built
                jobs.search(name, cores, turn)


def _count_recall(jobs: Jobs, name: str, vectors: Path) -> None:
    """Counts recall of the points that have their rows, and lets the rows go."""
    found = jobs.result(name, part_name(_ALL, 0))
    truth = jobs.measured / "true_scores.npy"
    path = jobs.measured / f"{name}-recall.json"
    known = read_json(path) if path.is_file() else {}
    rows, queries = (np.load(vectors / part, mmap_mode="r") for part in (INDEX, QUERIES))
    for one in (found or {"points": []})["points"]:
        if not one["rows"] or one["rows"] in known:
            continue
        file = jobs.measured / one["rows"]
        if name == "exact":
            np.save(truth, true_scores(rows, queries, np.load(file)))
        known[one["rows"]] = recalls(rows, queries, np.load(file), np.load(truth))
        write_json(path, known)
        file.unlink()
    if name == "exact" and not truth.is_file():
        why = jobs.outcome(name)["failed"] or "it found nothing"
        raise MeasurementError(f"exact search, which recall is counted against: {why}")


def entry(jobs: Jobs, name: str, rounds: int) -> dict:
    """One subject's entry of the report."""
    outcome, build = jobs.outcome(name), jobs.result(name, "build")
    parts = {
        cores: [jobs.result(name, part_name(cores, turn)) or {} for turn in range(rounds)]
        for cores in (_ALL, _ONE)
    }
    path = jobs.measured / f"{name}-recall.json"
    known = read_json(path) if path.is_file() else {}
    points = []
    for one in parts[_ALL][0].get("points", []):
        speeds = {
            word: _speeds(parts[cores], one["point"])
            for word, cores in (("all", _ALL), ("one", _ONE))
        }
        used = statistics.median(one["cpu_seconds"]) / one["queries"]
        points.append(
            {
                "point": {k: v for k, v in one["point"].items() if k != "chosen"},
                "chosen": name == "scann" and bool(one["point"].get("chosen")),
                "recall": known.get(one["rows"]),
                "queries_per_s": {
                    word: statistics.median(found) if found else None
                    for word, found in speeds.items()
                },
                "rounds": speeds,
                "cpu_ms_per_query": 1000 * used,
            }
        )
    peaks = [part["peak_mib"] for part in parts[_ALL] + parts[_ONE] if "peak_mib" in part]
    if build:
        build = {key: build[key] for key in _OF_BUILD}
        build["peak_mib"] = max(build["peak_mib"], outcome["peaks_mib"].get("build", 0.0))
    return {
        "name": name,
        "title": TITLES[name],
        "version": build.pop("version") if build else None,
        "failed": outcome["failed"],
        "spent_s": outcome["spent_s"],
        "build": build,
        "search_peak_mib": max(peaks, default=None),
        "points": points,
    }


def _speeds(parts: list[dict], point: dict) -> list[float]:
    """Queries a second, one number a turn that has this point."""
    return [
        one["queries"] / statistics.median(one["seconds"])
        for part in parts
        for one in part.get("points", [])
        if one["point"] == point
    ]
