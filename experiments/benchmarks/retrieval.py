"""Recall, speed, memory and size of searches: ours beside other libraries', on one set of vectors.

    python -m experiments.benchmarks.retrieval --rows 761757 --dim 512 --k 100
    python -m experiments.benchmarks.retrieval --embeddings FILE.npz --out FOLDER
    python -m experiments.benchmarks.retrieval --embeddings runs/mine --rows 100000 --dim 256

Vectors are given (`--embeddings`: .npy, .npz with `embeddings` and perhaps `labels`, .hdf5 of
ann-benchmarks, or the folder of a run) or drawn (`--rows`, `--dim`) from the spectrum of given ones
or of this project's own models (`--spectrum`), with class sizes as in GLDv2's index. Queries are
not in the index.

Every subject is built in one process and searched in others, on all cores and on one, at several
settings; with `--rounds` above 1 subjects have their turns again. The other libraries run in an
environment of their own: `make ann`, or `--peers-python PATH`.

`--out` gets retrieval.json, retrieval.md and retrieval.png, and holds what was measured: stopped or
killed, the same command goes on. In retrieval.json:

    {"format_version": 1, "data": {"kind", "name", "rows", "dim", "queries"}, "setting", "machine",
     "subjects": [{"name", "title", "version", "failed": null or why, "build": {"seconds",
     "cpu_seconds", "parameters", "bytes", "peak_mib"}, "search_peak_mib", "points": [{"point",
     "chosen", "recall": {"1", "10", "100"}, "queries_per_s": {"all", "one"},
     "rounds": {"all": [...]}, "cpu_ms_per_query"}]}], "left_out": {NAME: why},
     "targets": [{"text", "met"}], "choice": [sentences]}

Exit codes: 0 done (or a subject was over its budget, which is told), 1 a subject or the data
failed, 2 usage, 130 interrupted.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import platform
import shutil
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from experiments.benchmarks.retrieval_jobs import ROOT, Setting
from experiments.benchmarks.retrieval_spectra import BUILT_IN
from experiments.benchmarks.retrieval_subjects import OURS, TITLES
from experiments.command import MeasurementError, exit_code

_PEERS_PYTHON = ROOT / ".venv-ann" / "bin" / "python"
_HINT = (
    "build it with `make ann`, or name an interpreter that has "
    "tests/peers/ann_requirements.txt with --peers-python"
)
_LEAST = {"rows": 1000, "dim": 2, "k": 1, "queries": 10, "rounds": 1, "queries_one_core": 1}


def main(arguments: Sequence[str] | None = None) -> int:
    """Parse, measure, and turn every user's mistake into a message and an exit code."""
    parser = _parser()
    options = parser.parse_args(arguments)
    for name, least in _LEAST.items():
        value = getattr(options, name)
        if value is not None and value < least:
            parser.error(f"--{name.replace('_', '-')} must be at least {least}, received {value}")
    for name in ("seconds", "budget", "memory_gb"):
        if not 0 < getattr(options, name) < float("inf"):
            parser.error(f"--{name.replace('_', '-')} must be above 0")
    if (options.rows is None) != (options.dim is None):
        parser.error("--rows and --dim go together: they say how many vectors are drawn")
    if options.rows is None and options.embeddings is None:
        parser.error("what is to be searched? Give --rows and --dim, or --embeddings")
    if options.spectrum and options.embeddings:
        parser.error("--spectrum is a built-in one; --embeddings have their own: give one of them")
    if not options.embeddings:
        options.spectrum = options.spectrum or BUILT_IN[0]
    asked = options.subjects.split(",")
    if unknown := [name for name in asked if name not in TITLES]:
        parser.error(f"no subject {unknown[0]!r}; there are {', '.join(TITLES)}")
    return exit_code(
        lambda: _dispatch(options, asked),
        interrupted="interrupted; what was measured is kept, the same command goes on",
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m experiments.benchmarks.retrieval",
        description="Recall, speed, memory and size of searches: ours beside other libraries'.",
    )
    add = parser.add_argument
    add("--embeddings", metavar="PATH", type=Path, help=".npy, .npz, .hdf5, or a run's folder")
    add("--rows", metavar="N", type=int, help="draw so many vectors (761757: GLDv2's index)")
    add("--dim", metavar="D", type=int, help="of that dimension")
    add("--spectrum", choices=BUILT_IN, help=f"with no --embeddings; default: {BUILT_IN[0]}")
    add("--k", metavar="K", type=int, default=100, help="neighbours; default: 100")
    add("--queries", metavar="Q", type=int, default=2000, help="default: 2000")
    add("--queries-one-core", metavar="Q", type=int, default=500, help="default: 500")
    add("--rounds", metavar="N", type=int, default=1, help="turns of each subject; default: 1")
    add("--seconds", metavar="S", type=float, default=1.0, help="about, of a point; default: 1")
    add("--budget", metavar="S", type=float, default=600.0, help="a subject; default: 600")
    add("--memory-gb", metavar="G", type=float, default=15.0, help="a subject; default: 15")
    add("--subjects", metavar="A,B", default=",".join(TITLES), help=f"of {', '.join(TITLES)}")
    add("--peers-python", metavar="PATH", type=Path, help="default: .venv-ann/bin/python")
    add("--seed", metavar="N", type=int, default=0, help="of draws and of held-out rows")
    add("--out", metavar="DIR", type=Path, default=Path("runs/retrieval"))
    add("--json", action="store_true", help="print JSON instead of the tables")
    return parser


def _dispatch(options: argparse.Namespace, asked: list[str]) -> int:
    from experiments.benchmarks import retrieval_plot, retrieval_report, retrieval_rounds
    from experiments.workdir import write_json

    options.out.mkdir(parents=True, exist_ok=True)
    python, missing = _peers_python(options.peers_python)
    left_out = {name: missing for name in asked if missing and name not in OURS}
    if left_out:
        print(f"note: left out: {', '.join(left_out)}: {missing}", file=sys.stderr)
    setting = Setting(
        k=options.k,
        rounds=options.rounds,
        seconds=options.seconds,
        queries_one_core=options.queries_one_core,
        budget_s=options.budget,
        memory_gib=options.memory_gb,
        peers_python=python,
    )
    _claim(options)
    data = _vectors(options)
    if data["rows"] < options.k:
        raise ValueError(f"--k {options.k} neighbours of an index of {data['rows']} rows")
    # Exact search first: recall is counted against it.
    names = [n for n in TITLES if n == "exact" or (n in asked and n not in left_out)]
    subjects, same = retrieval_rounds.measure(
        names, data, options.out / "vectors", options.out, setting
    )
    kept = {name: value for name, value in asdict(setting).items() if name != "peers_python"}
    report = {
        "format_version": 1,
        "data": data,
        "setting": kept,
        "machine": _machine(),
        "subjects": subjects,
        "left_out": left_out | same,
    }
    report |= retrieval_report.conclusions(report)
    text = retrieval_report.markdown(report)
    (options.out / "retrieval.md").write_text(text + "\n", encoding="utf-8")
    (options.out / "retrieval.png").write_bytes(retrieval_plot.draw(report))
    write_json(options.out / "retrieval.json", report)
    print(json.dumps(report, indent=2) if options.json else text)
    failed = [one for one in subjects if one["failed"] and one["spent_s"] < setting.budget_s]
    return 1 if failed else 0


def _peers_python(asked: Path | None) -> tuple[Path | None, str]:
    """The interpreter of the other libraries, or why there is none."""
    python = asked if asked is not None else _PEERS_PYTHON
    if python.is_file() and os.access(python, os.X_OK):
        return python.absolute(), ""
    if asked is not None:
        raise ValueError(f"--peers-python {asked} is no program; {_HINT}")
    return None, f"their environment .venv-ann is not there; {_HINT}"


def _claim(options: argparse.Namespace) -> None:
    """Refuses a folder that holds another measurement.

    Raises:
        MeasurementError: naming what differs.
    """
    from experiments.workdir import read_json, write_json

    path = options.out / "asked.json"
    embeddings = options.embeddings and str(options.embeddings.resolve())
    numbers = ("rows", "dim", "spectrum", "k", "queries", "queries_one_core", "seconds", "seed")
    asked = {"embeddings": embeddings} | {name: getattr(options, name) for name in numbers}
    if path.is_file():
        there = read_json(path)
        differ = [
            f"{name} {there.get(name)} there, {value} asked"
            for name, value in asked.items()
            if there.get(name) != value
        ]
        if differ:
            raise MeasurementError(
                f"{options.out} holds another measurement ({'; '.join(differ)}): name another --out"
            )
    write_json(path, asked)


def _vectors(options: argparse.Namespace) -> dict:
    """Makes the vectors, unless they are there; their description."""
    from experiments.benchmarks import retrieval_data, retrieval_spectra

    folder = options.out / "vectors"
    if (data := retrieval_data.prepared(folder)) is not None:
        return data
    needed = (options.rows or 0) * (options.dim or 0) * 4
    if needed > shutil.disk_usage(options.out).free:
        raise ValueError(f"{options.out} has no room for {needed / 2**30:.1f} GiB of vectors")
    source = options.embeddings and retrieval_data.read_source(options.embeddings)
    if options.rows is None:
        return retrieval_data.prepare_given(
            source, folder, queries=options.queries, seed=options.seed
        )
    if source is None:
        spectrum = retrieval_spectra.built_in(options.dim, options.spectrum)
    elif source.labels is None:
        raise ValueError(
            f"{options.embeddings} has no labels, so there is no telling what lies between classes "
            "and what within: leave --rows and --dim out, or give labelled embeddings"
        )
    else:
        spectrum = retrieval_spectra.measured(source.rows, source.labels, source.name)
        spectrum = retrieval_spectra.at_dimension(spectrum, options.dim)
    return retrieval_data.prepare_drawn(
        spectrum, folder, rows=options.rows, queries=options.queries, seed=options.seed
    )


def _machine() -> dict:
    name = platform.processor() or platform.machine()
    with contextlib.suppress(OSError):
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        name = next((line.split(": ")[1] for line in lines if line.startswith("model name")), name)
    return {
        "cpu": name,
        "cores": len(os.sched_getaffinity(0)),
        "memory_gib": os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**30,
        "python": platform.python_version(),
    }


if __name__ == "__main__":
    sys.exit(main())
