"""Measure every backbone beside its twin in `keras.applications`, where there is one.

    python -m experiments.benchmarks.networks                       # all, on the device there is
    python -m experiments.benchmarks.networks --networks resnet50,resnet101 --image-size 224
    KERAS_BACKEND=jax python -m experiments.benchmarks.networks --precision mixed_bfloat16 --json

Pictures a second in inference and in training, multiply-adds, parameters and peak memory. Each
network has a process of its own; a network and its twin are run by turns, and what is compared is
the median of the rounds' ratios, so that other work on the machine falls on both.

`--out FOLDER` gets networks.md and networks.json:

    {"format_version": 1, "setting": {...}, "environment": {...}, "networks": [{"name",
     "parameters", "multiply_adds", "memory": {"counted", "inference_mib", "training_mib"},
     "inference": {"images_per_s", "seconds_per_step": [...]}, "training": {...},
     "twin": null or the same, "ratio": null or {"inference": {"median", "low", "high"}, ...},
     "twin_missing": null or why, "verdict"}]}

Exit codes: 0 done, 1 a network could not be measured, 2 usage, 130 interrupted.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from experiments.command import MeasurementError, UsageError, exit_code

PRECISIONS = ("float32", "mixed_bfloat16", "mixed_float16")


def main(arguments: Sequence[str] | None = None) -> int:
    """Parse, measure, and turn every user's mistake into a message and an exit code."""
    options = _parser().parse_args(arguments)
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    return exit_code(lambda: _dispatch(options))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m experiments.benchmarks.networks",
        description="Measure every backbone beside its twin in keras.applications.",
        epilog="On another backend of Keras: KERAS_BACKEND=jax before the command.",
    )
    add = parser.add_argument
    add("--networks", metavar="A,B", help="default: every backbone")
    add("--image-size", metavar="PX", type=int, default=128, help="default: 128")
    add("--batch", metavar="N", type=int, default=8, help="pictures a step; default: 8")
    add("--precision", choices=PRECISIONS, default="float32", help="default: float32")
    add("--repeats", metavar="N", type=int, default=7, help="rounds by turns; default: 7")
    add(
        "--seconds",
        metavar="S",
        type=float,
        default=0.5,
        help="about how long a network runs in a round, at least one step; default: 0.5",
    )
    add("--out", metavar="DIR", type=Path, help="write networks.md and networks.json there")
    add("--json", action="store_true", help="print JSON instead of the table")
    return parser


def _dispatch(options: argparse.Namespace) -> int:
    from experiments.benchmarks import tables
    from experiments.benchmarks.comparison import Setting
    from experiments.workdir import write_json

    try:
        setting = Setting(
            image_size=options.image_size,
            batch_size=options.batch,
            precision=options.precision,
            repeats=options.repeats,
            seconds=options.seconds,
        )
        names = _chosen(options.networks, setting.image_size)
    except ValueError as error:
        raise UsageError(str(error)) from None
    if options.out is not None:
        options.out.mkdir(parents=True, exist_ok=True)  # before the work, not after it
    report = _measure_all(names, setting)
    text = tables.markdown(report)
    if options.out is not None:
        (options.out / "networks.md").write_text(text + "\n", encoding="utf-8")
        write_json(options.out / "networks.json", report)
    print(json.dumps(report, indent=2) if options.json else text)
    return 1 if any("error" in entry for entry in report["networks"]) else 0


def _chosen(networks: str | None, image_size: int) -> list[str]:
    """The networks that were asked for, each of them known and able to take the size.

    Raises:
        ValueError: one is not.
    """
    from landmarks_tf.models.backbones import BACKBONES, find_backbone

    names = list(BACKBONES) if networks is None else [n.strip() for n in networks.split(",")]
    for name in names:
        smallest = find_backbone(name).min_image_size
        if image_size < smallest:
            raise ValueError(
                f"{name} needs images of at least {smallest} px. Received: --image-size "
                f"{image_size}. Give a larger one, or leave the network out with --networks."
            )
    return list(dict.fromkeys(names))


def _measure_all(names: list[str], setting) -> dict:
    from experiments.benchmarks import tables
    from experiments.benchmarks.comparison import measure

    report = {"format_version": 1, "setting": asdict(setting), "environment": None, "networks": []}
    for number, name in enumerate(names, start=1):
        started, place = time.monotonic(), f"[{number}/{len(names)}] {name}:"

        def progress(text: str, place: str = place) -> None:
            print(f"{place} {text}", file=sys.stderr, flush=True)

        try:
            entry = measure(name, setting, progress)
            report["environment"] = entry.pop("environment")
        except MeasurementError as error:
            entry = {"name": name, "error": str(error)}
        entry["verdict"] = tables.verdict(entry)
        progress(f"{entry['verdict']} ({time.monotonic() - started:.0f} s)")
        report["networks"].append(entry)
    return report


if __name__ == "__main__":
    sys.exit(main())
