"""How fast pictures become records, beside what no ingestion can do without and beside others.

    python -m experiments.benchmarks.ingestion --pictures DIR --out experiments/results
    python -m experiments.benchmarks.ingestion --rows 4132914

The first runs `python -m tfrecords_tools convert` over GLDv2-like files (about 120 kB, 1024 px),
as it is, with --checked (after one `check`, which is not timed) and with --no-verify-pixels, by
turns with the subjects of `experiments.benchmarks.ingestion_subjects`; for ours the whole command
counts, start-up included.
`--out` gets ingestion.json and ingestion.md:

    {"format_version": 1, "machine", "corpus", "repeats", "subjects": {NAME: {"images", "bytes",
     "seconds": [one a round], "cpu_seconds": [...]}},
     "ratios": {OURS: {NAME: {"median", "low", "high"}}}}

The second plans conversions of a made-up data set of so many rows (`convert --dry-run`), converts
it once, and prints the seconds and the most memory that each took; of the conversion the memory of
the process that plans, beside which each worker has its own.

Exit codes: 0 done, 1 a subject failed, 2 usage, 130 interrupted.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from experiments.benchmarks.ingestion_corpus import make_corpus, make_rows
from experiments.benchmarks.ingestion_report import markdown, speed_ratio
from experiments.benchmarks.ingestion_subjects import Clock
from experiments.command import MeasurementError, exit_code

OURS = {
    "convert": (),
    "convert, checked": ("--checked",),
    "convert, trusting": ("--no-verify-pixels",),
}
OTHERS = ("floor", "md5", "copy", "decode", "delf", "tfds")
# These are so slow that they get the first files only.
_SLOW = ("delf", "tfds", "decode")
_FULL = ("--subset", "full", "--validation-fraction", "0.2")
_ROWS = {
    "plan of clean, DELF's split": ("--dry-run", "--published-split", "delf"),
    "plan of full, a fifth of each class": ("--dry-run", *_FULL),
    "plan of c2x, one of each class": (
        *("--dry-run", "--subset", "c2x", "--validation-split", "one-per-class"),
    ),
    "conversion of full, a fifth of each class": _FULL,
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Parse, measure, and turn every user's mistake into a message and an exit code."""
    parser = _parser()
    options = parser.parse_args(arguments)
    for name in ("files", "names", "slow_images", "repeats"):
        if getattr(options, name) < 1:
            parser.error(f"--{name.replace('_', '-')} must be at least 1")
    if options.names < options.files:
        parser.error("--names must not be below --files")
    return exit_code(lambda: _dispatch(options))


def _dispatch(options: argparse.Namespace) -> int:
    if options.out is not None:
        options.out.mkdir(parents=True, exist_ok=True)  # before the work, not after it
    with _scratch(options.scratch) as scratch:
        return _measure_rows(options, scratch) if options.rows else _compare(options, scratch)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m experiments.benchmarks.ingestion",
        description="How fast pictures become records.",
    )
    add = parser.add_argument
    add("--pictures", metavar="DIR", type=Path, help="photographs; default: made-up pictures")
    add("--files", metavar="N", type=int, default=2000, help="different files; default: 2000")
    add("--names", metavar="N", type=int, default=20_000, help="images of a run; default: 20000")
    add("--slow-images", metavar="N", type=int, default=1000, help="of the slow; default: 1000")
    add("--repeats", metavar="N", type=int, default=5, help="rounds by turns; default: 5")
    add("--rows", metavar="N", type=int, help="measure the plan of so many rows instead")
    add("--scratch", metavar="DIR", type=Path, help="for pictures and records; default: temporary")
    add("--out", metavar="DIR", type=Path, help="write ingestion.md and ingestion.json there")
    return parser


@contextlib.contextmanager
def _scratch(folder: Path | None) -> Iterator[Path]:
    if folder is not None:
        folder.mkdir(parents=True, exist_ok=True)
        yield folder
        return
    with tempfile.TemporaryDirectory(prefix="ingestion-") as temporary:
        yield Path(temporary)


def _compare(options: argparse.Namespace, scratch: Path) -> int:
    raw = scratch / "raw"
    corpus = make_corpus(raw, files=options.files, names=options.names, pictures=options.pictures)
    _output(["tfrecords_tools", "check", "--raw", str(raw), "--split", "train"])
    report = {
        "format_version": 1,
        "machine": _machine(),
        "corpus": corpus,
        "repeats": options.repeats,
        "subjects": {},
    }
    order = [*OTHERS, *OURS]
    for turn in range(options.repeats + 1):  # the first only warms the caches
        for name in order if turn % 2 else reversed(order):
            count = min(options.slow_images, options.names) if name in _SLOW else options.names
            result = _run(name, raw, scratch / "records", count, corpus["bytes"])
            speed = result["images"] / result["seconds"]
            print(f"[{turn}/{options.repeats}] {name}: {speed:.0f} images/s", file=sys.stderr)
            if turn:
                entry = report["subjects"].setdefault(
                    name,
                    {
                        "images": result["images"],
                        "bytes": result["bytes"],
                        "seconds": [],
                        "cpu_seconds": [],
                    },
                )
                for key in ("seconds", "cpu_seconds"):
                    entry[key].append(result[key])
    report["ratios"] = {
        ours: {
            name: speed_ratio(report["subjects"][ours], report["subjects"][name]) for name in OTHERS
        }
        for ours in OURS
    }
    text = markdown(report)
    if options.out is not None:
        (options.out / "ingestion.md").write_text(text + "\n", encoding="utf-8")
        (options.out / "ingestion.json").write_text(json.dumps(report, indent=1) + "\n")
    print(text)
    return 0


def _run(name: str, raw: Path, records: Path, images: int, size: int) -> dict:
    """{"seconds", "images", "bytes"} of one run of a subject into an empty folder."""
    shutil.rmtree(records, ignore_errors=True)
    records.mkdir()
    os.sync()  # what the run before left to write is not this one's
    if name not in OURS:
        module = "experiments.benchmarks.ingestion_subjects"
        command = [module, name, "--raw", str(raw), "--out", str(records), "--images", str(images)]
        return json.loads(_output(command).splitlines()[-1])
    command = ["tfrecords_tools", "convert", "--raw", str(raw), "--out", str(records)]
    clock = Clock()
    _output([*command, "--split", "train", "--shards", "128", *OURS[name]])
    return clock.read() | {"images": images, "bytes": size}


def _output(words: list[str]) -> str:
    done = subprocess.run(
        [sys.executable, "-m", *words], capture_output=True, text=True, check=False
    )
    if done.returncode:
        last = " ".join(done.stderr.strip().splitlines()[-1:])
        raise MeasurementError(f"`python -m {' '.join(words)}` failed ({done.returncode}): {last}")
    return done.stdout


def _machine() -> dict:
    name = platform.processor() or platform.machine()
    with contextlib.suppress(OSError):
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        name = next((line.split(": ")[1] for line in lines if line.startswith("model name")), name)
    return {"cpu": name, "cores": len(os.sched_getaffinity(0))}


def _measure_rows(options: argparse.Namespace, scratch: Path) -> int:
    raw = scratch / f"rows-{options.rows}"
    if not (raw / "train_clean.csv").is_file():
        raw.mkdir(exist_ok=True)
        make_rows(raw, options.rows)
    shutil.rmtree(scratch / "records", ignore_errors=True)
    for title, words in _ROWS.items():
        command = ["convert", "--raw", str(raw), "--out", str(scratch / "records")]
        command += ["--split", "train", *words]
        seconds, peak = _peak([sys.executable, "-m", "tfrecords_tools", *command])
        told = f"{seconds:.1f} s, at most {peak / 2**20:,.0f} MiB"
        print(f"{options.rows:,} rows, {title}: {told}", flush=True)
    return 0


def _peak(command: list[str]) -> tuple[float, int]:
    """Seconds and the most bytes of memory that a command held."""
    started = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise MeasurementError(f"{' '.join(command)} failed with exit code {process.returncode}")
    return time.perf_counter() - started, usage.ru_maxrss * 1024


if __name__ == "__main__":
    sys.exit(main())
