"""Measure the input pipeline beside bare JPEG decoding and beside other people's pipelines.

    python -m experiments.benchmarks.input_pipeline                      # on rendered pictures
    python -m experiments.benchmarks.input_pipeline --pictures FOLDER    # on your own
    python -m experiments.benchmarks.input_pipeline --sizes 224 --repeats 3 --out FOLDER

Pictures are enlarged to a longer side of 1024 px and about 120 kB. Each pipeline runs in a process
of its own, all by turns, so that what else the machine does falls on them alike; what is compared
is the median of the rounds' ratios to bare decoding of the same files on all cores. Then the start
on a made-up index of GLDv2 clean's size is timed (`--rows 0` leaves it out).

tensorflow-similarity runs in the Keras-2 environment of the tests where there is one.
`--out FOLDER` gets input_pipeline.md and input_pipeline.json:

    {"format_version": 1, "setting": {...}, "environment": {...}, "pipelines": [{"name", "title",
     "image_size", "seconds": {"wall": [...], "processor": [...]}, "ratio": {"wall": {"median",
     "low", "high"}, "processor": {...}}}], "start": {...} or null}

Exit codes: 0 done, 1 a measurement failed, 2 usage, 130 interrupted.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from experiments.command import MeasurementError, exit_code

# name: (title, function of input_pipeline_subjects, its own arguments)
PIPELINES = {
    "decoding": ("bare decoding, bytes in memory: the floor", "decoding", {}),
    "p_x_k": ("P x K, no augmentation", "p_x_k", {}),
    "p_x_k_s1": ("P x K, S1's augmentation", "p_x_k", {"augment": "s1"}),
    "p_x_k_scaled": ("P x K, decoded at 1/2 to 1/8", "p_x_k", {"decoding": "scaled"}),
    "p_x_k_scaled_s1": (
        "P x K, decoded at 1/2 to 1/8, S1's augmentation",
        "p_x_k",
        {"decoding": "scaled", "augment": "s1"},
    ),
    "shuffled": ("global shuffle, no augmentation", "shuffled", {}),
    "similarity": ("tensorflow-similarity's sampler", "similarity", {}),
    "sequential": ("plain tf.data: interleave, shuffle buffer", "sequential", {}),
    "directory": ("Keras' image_dataset_from_directory", "directory", {}),
}
FLOOR = "decoding"
_ROOT = Path(__file__).resolve().parents[2]
_KERAS2 = Path(os.environ.get("LANDMARKS_KERAS2_PYTHON", _ROOT / ".venv-keras2" / "bin" / "python"))


def main(arguments: Sequence[str] | None = None) -> int:
    """Parse, measure, and turn every user's mistake into a message and an exit code."""
    options = _parser().parse_args(arguments)
    mistake = _mistake(options)
    if mistake:
        print(f"error: {mistake}", file=sys.stderr)
        return 2
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    return exit_code(lambda: _dispatch(options))


def _dispatch(options: argparse.Namespace) -> int:
    from experiments.benchmarks.input_pipeline_report import markdown
    from experiments.workdir import write_json

    if options.out is not None:
        options.out.mkdir(parents=True, exist_ok=True)  # before the work, not after it
    with tempfile.TemporaryDirectory(prefix="input-pipeline-") as folder:
        report = measure(options, Path(folder))
    text = markdown(report)
    if options.out is not None:
        (options.out / "input_pipeline.md").write_text(text + "\n", encoding="utf-8")
        write_json(options.out / "input_pipeline.json", report)
    print(json.dumps(report, indent=2) if options.json else text)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m experiments.benchmarks.input_pipeline",
        description="The input pipeline beside bare JPEG decoding and others' pipelines.",
    )
    add = parser.add_argument
    add("--pictures", metavar="DIR", type=Path, help="photographs to enlarge; default: rendered")
    add("--sizes", metavar="PX,PX", default="224,299", help="default: 224,299")
    add("--classes", metavar="N", type=int, default=48, help="of the data; default: 48")
    add("--images-per-class", metavar="N", type=int, default=10, help="default: 10")
    add("--batch", metavar="B", type=int, default=120, help="P x K with K = 5; default: 120")
    add("--batches", metavar="N", type=int, default=5, help="timed in a round; default: 5")
    add("--repeats", metavar="N", type=int, default=7, help="rounds by turns; default: 7")
    add("--pipelines", metavar="A,B", default=",".join(PIPELINES), help=",".join(PIPELINES))
    add("--rows", metavar="N", type=int, default=1_580_470, help="of the made-up index; 0: none")
    add("--out", metavar="DIR", type=Path, help="write input_pipeline.md and .json there")
    add("--json", action="store_true", help="print JSON instead of the table")
    return parser


def _mistake(options: argparse.Namespace) -> str | None:
    unknown = [name for name in options.pipelines.split(",") if name not in PIPELINES]
    if unknown:
        return f"expected --pipelines among {', '.join(PIPELINES)}. Received: {unknown[0]!r}."
    try:
        sizes = [int(text) for text in options.sizes.split(",")]
    except ValueError as error:
        return f"--sizes takes whole numbers such as 224,299. {error}."
    smallest = {"sizes": min(sizes)} | {
        name: getattr(options, name)
        for name in ("classes", "images_per_class", "batch", "batches", "repeats")
    }
    for name, value in smallest.items():
        if value < 1:
            return f"--{name.replace('_', '-')} must be at least 1. Received: {value}."
    if options.batch % 5 or options.batch > 5 * options.classes:
        return (
            f"A batch is P classes x 5 pictures, of at most --classes {options.classes}. Received: "
            f"--batch {options.batch}."
        )
    if options.rows and options.rows < 1000:
        return f"--rows is 0 or at least 1,000. Received: {options.rows}."
    return None


def measure(options: argparse.Namespace, folder: Path) -> dict:
    """Make the pictures, measure every pipeline by turns, then the start.

    Raises:
        MeasurementError: a pipeline failed or was killed.
    """
    from experiments.benchmarks import device, input_pipeline_pictures

    _say("making the pictures")
    input_pipeline_pictures.make(
        folder,
        options.pictures,
        classes=options.classes,
        images_per_class=options.images_per_class,
    )
    names = [FLOOR, *(name for name in options.pipelines.split(",") if name != FLOOR)]
    missing = None
    if "similarity" in names and not _KERAS2.exists():
        missing = "tensorflow-similarity is not here: `make peers` builds its environment"
        names.remove("similarity")
    pipelines, versions = [], {}
    for image_size in map(int, options.sizes.split(",")):
        measured, versions = _by_turns(names, image_size, folder, options)
        pipelines += measured
    report = {
        "format_version": 1,
        "setting": {
            "pictures": options.classes * options.images_per_class,
            "mean_bytes": input_pipeline_pictures.mean_bytes(folder),
            "longer_side": input_pipeline_pictures.LONGER_SIDE_PX,
            "batch_size": options.batch,
            "images_per_class": 5,
            "batches": options.batches,
            "repeats": options.repeats,
        },
        "environment": {"device": device.describe_device(), "tensorflow": versions},
        "missing": missing,
        "pipelines": pipelines,
        "start": None,
    }
    if options.rows:
        _say(f"the start on {options.rows:,} rows")
        report["start"] = _start(folder, options.rows)
    return report


def _by_turns(
    names: list[str], image_size: int, folder: Path, options: argparse.Namespace
) -> tuple[list[dict], dict]:
    """The entries of the pipelines at one size, and the TensorFlow version of each."""
    from experiments.benchmarks.comparison import Process

    with contextlib.ExitStack() as stack:
        processes = {
            name: stack.enter_context(
                Process(
                    name,
                    "experiments.benchmarks.input_pipeline_worker",
                    _arguments(name, image_size, folder, options),
                    python=str(_KERAS2) if name == "similarity" else None,
                )
            )
            for name in names
        }
        versions = {}
        for name, process in processes.items():
            _say(f"{image_size} px: preparing {name}")
            versions[name] = process.ask("prepare")["tensorflow"]
        rounds: dict[str, list[dict]] = {name: [] for name in names}
        for number in range(options.repeats):
            _say(f"{image_size} px: round {number + 1} of {options.repeats}")
            order = list(processes.items())
            # None is always the one that finds the machine warm.
            for name, process in order if number % 2 == 0 else reversed(order):
                rounds[name].append(process.ask("run"))
    return [entry(name, image_size, rounds[name], rounds[FLOOR]) for name in names], versions


def _arguments(name: str, image_size: int, folder: Path, options: argparse.Namespace) -> dict:
    _, subject, own = PIPELINES[name]
    settings = {"batch_size": options.batch, "image_size": image_size, "images_per_class": 5}
    return {
        "subject": subject,
        "folder": str(folder),
        "settings": settings | own,
        "batches": options.batches,
        "warm_up": 2,
    }


def entry(name: str, image_size: int, own: list[dict], floor: list[dict]) -> dict:
    """One pipeline's entry of the report, of its rounds and the floor's."""
    from experiments.benchmarks.ratios import speed_ratio

    seconds = {clock: [one[clock] for one in own] for clock in ("wall", "processor")}
    ratio = {
        clock: speed_ratio(values, [one[clock] for one in floor])
        for clock, values in seconds.items()
    }
    return {
        "name": name,
        "title": PIPELINES[name][0],
        "image_size": image_size,
        "seconds": seconds,
        "ratio": ratio,
    }


def _start(folder: Path, rows: int) -> dict:
    from experiments.benchmarks import input_pipeline_start

    made = folder / "start"
    paths = (folder / "files").rglob("*.jpg")
    typical = min(paths, key=lambda path: abs(path.stat().st_size - 118_000))
    input_pipeline_start.make(made, typical.read_bytes(), rows)
    done = subprocess.run(
        [
            *(sys.executable, "-m", "experiments.benchmarks.input_pipeline_start"),
            json.dumps({"folder": str(made)}),
        ],
        env={"TF_CPP_MIN_LOG_LEVEL": "3", **os.environ},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        lines = done.stderr.strip().splitlines() or ["it was killed, most likely for memory"]
        raise MeasurementError(f"the start could not be measured: {lines[-1]}")
    return json.loads(done.stdout.strip().splitlines()[-1])


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
