"""Measure the heads of many classes beside the matrix products that none of them can avoid.

    python -m experiments.benchmarks.large_head                       # 81,313 and 203,094 classes
    python -m experiments.benchmarks.large_head --classes 20000 --repeats 3
    KERAS_BACKEND=jax python -m experiments.benchmarks.large_head --out FOLDER

Forward and backward of ArcFace at batch 240 and width 512. Times are taken by turns in one process
for each number of classes; the ratio to the products is the median of the rounds'. Memory is
measured in a process for each. `--out FOLDER` gets large_head.md and large_head.json:

    {"format_version": 1, "setting": {...}, "environment": {...}, "heads": [{"classes", "name",
     "title", "seconds": {"wall": [...], "processor": [...]},
     "ratio": {"wall", "processor"}, "memory": {"counted", "mib", "beyond_in_logits"}}]}

and on TensorFlow "process_mib", what the process held for it, with the gaps of its pool.

Exit codes: 0 done, 1 a measurement failed, 2 usage, 130 interrupted.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from experiments.benchmarks.allocations import LOGGED, most_bytes_alive
from experiments.command import MeasurementError, exit_code

NAMES = ("products", "textbook", "apart", "fused", "streamed", "sampled")


def main(arguments: Sequence[str] | None = None) -> int:
    """Parse, measure, and turn every user's mistake into a message and an exit code."""
    options = _parser().parse_args(arguments)
    try:
        classes = [int(text) for text in options.classes.split(",")]
    except ValueError as error:
        print(
            f"error: --classes takes whole numbers such as 81313,203094. {error}", file=sys.stderr
        )
        return 2
    for name, values in (
        ("classes", classes),
        ("batch", [options.batch]),
        ("dim", [options.dim]),
        ("repeats", [options.repeats]),
    ):
        if min(values) < 2:
            print(
                f"error: Every number is at least 2. Received: --{name} {min(values)}.",
                file=sys.stderr,
            )
            return 2
    return exit_code(lambda: _dispatch(options, classes))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m experiments.benchmarks.large_head",
        description="Measure heads of many classes beside the products none can avoid.",
        epilog="On another backend of Keras: KERAS_BACKEND=jax before the command.",
    )
    add = parser.add_argument
    add("--classes", metavar="N,N", default="81313,203094", help="default: 81313,203094")
    add("--batch", metavar="B", type=int, default=240, help="rows a step; default: 240")
    add("--dim", metavar="D", type=int, default=512, help="width; default: 512")
    add("--repeats", metavar="N", type=int, default=9, help="rounds by turns; default: 9")
    add("--heads", metavar="A,B", default=",".join(NAMES), help=f"default: {','.join(NAMES)}")
    add("--out", metavar="DIR", type=Path, help="write large_head.md and large_head.json there")
    add("--json", action="store_true", help="print JSON instead of the table")
    return parser


def _dispatch(options: argparse.Namespace, classes: list[int]) -> int:
    from experiments.workdir import write_json

    names = ["products", *(n for n in options.heads.split(",") if n != "products")]
    unknown = [name for name in names if name not in NAMES]
    if unknown:
        print(
            f"error: expected --heads among {', '.join(NAMES)}. Received: {unknown[0]!r}.",
            file=sys.stderr,
        )
        return 2
    if options.out is not None:
        options.out.mkdir(parents=True, exist_ok=True)  # before the work, not after it
    setting = {"batch_size": options.batch, "dim": options.dim}
    report = {
        "format_version": 1,
        "setting": setting | {"repeats": options.repeats},
        "environment": None,
        "heads": [],
    }
    for count in classes:
        size = setting | {"num_classes": count}
        print(f"{count:,} classes: time", file=sys.stderr, flush=True)
        timed, _ = _child(measure="time", names=names, repeats=options.repeats, **size)
        report["environment"] = timed["environment"]
        for name in names:
            print(f"{count:,} classes: memory of {name}", file=sys.stderr, flush=True)
            memory = _memory(name=name, **size)
            report["heads"].append(entry(name, count, timed["seconds"], memory, setting))
    text = markdown(report)
    if options.out is not None:
        (options.out / "large_head.md").write_text(text + "\n", encoding="utf-8")
        write_json(options.out / "large_head.json", report)
    print(json.dumps(report, indent=2) if options.json else text)
    return 0


def _memory(**arguments) -> dict:
    """On JAX what XLA planned; else what TensorFlow's allocator was asked for, and beside it what
    the process held."""
    if os.environ.get("KERAS_BACKEND", "tensorflow") != "tensorflow":
        return _child(measure="memory", **arguments)[0]
    found, log = _child(LOGGED, measure="memory", **arguments)
    try:
        asked = most_bytes_alive(log.splitlines())
    except ValueError as error:
        raise MeasurementError(str(error)) from error
    return {"counted": "asked", "mib": asked / 2**20, "process_mib": found["mib"]}


def _child(environment: dict | None = None, **arguments) -> tuple[dict, str]:
    """What the worker answers, and its standard error."""
    done = subprocess.run(
        [sys.executable, "-m", "experiments.benchmarks.large_head_worker", json.dumps(arguments)],
        env={"TF_CPP_MIN_LOG_LEVEL": "3", **os.environ, **(environment or {})},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        lines = done.stderr.strip().splitlines() or ["it was killed, most likely for memory"]
        raise MeasurementError(f"a measurement failed ({arguments}): {lines[-1]}")
    return json.loads(done.stdout.strip().splitlines()[-1]), done.stderr


def entry(name: str, classes: int, seconds: dict, memory: dict, setting: dict) -> dict:
    """One head's entry of the report.

    `beyond_in_logits` is the memory beyond the centres and their gradient, in (B, N) tensors.
    """
    from experiments.benchmarks.large_head_subjects import TITLES

    ratios = {
        clock: statistics.median(
            mine / least
            for mine, least in zip(seconds[name][clock], seconds["products"][clock], strict=True)
        )
        for clock in ("wall", "processor")
    }
    centers, logits = (classes * setting[key] * 4 / 2**20 for key in ("dim", "batch_size"))
    beyond = (memory["mib"] - 2 * centers) / logits
    return {
        "classes": classes,
        "name": name,
        "title": TITLES[name],
        "seconds": seconds[name],
        "ratio": ratios,
        "memory": memory | {"beyond_in_logits": beyond},
    }


def markdown(report: dict) -> str:
    """Where it was measured, and a table."""
    setting, environment = report["setting"], report["environment"]
    device = environment["device"]
    lines = [
        f"{device['name']} ({device['count']} {'cores' if device['kind'] == 'cpu' else 'devices'})"
        f", {environment['backend']} {environment['backend_version']}, Keras "
        f"{environment['keras_version']}, float32, batch {setting['batch_size']}, width "
        f"{setting['dim']}, medians of {setting['repeats']} rounds",
        "",
        "| classes | head | ms a step | times the products | the same in processor time | "
        "memory, MiB | beyond centres and gradient, logits tensors | process, MiB |",
        "|---:|---|---:|---:|---:|---:|---:|---:|",
    ]
    for one in report["heads"]:
        wall = 1000 * statistics.median(one["seconds"]["wall"])
        held = one["memory"].get("process_mib")
        lines.append(
            f"| {one['classes']:,} | {one['title']} | {wall:,.0f} | {one['ratio']['wall']:.2f} | "
            f"{one['ratio']['processor']:.2f} | {one['memory']['mib']:,.0f} | "
            f"{one['memory']['beyond_in_logits']:.1f} | {'' if held is None else f'{held:,.0f}'} |"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
