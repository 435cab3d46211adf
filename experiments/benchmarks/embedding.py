"""Measure embedding beside its two bounds: reading the pictures, and the network on its own.

    python -m experiments.benchmarks.embedding            # rendered pictures, MobileNetV2
    python -m experiments.benchmarks.embedding --backbone resnet50 --image-size 224 --batch 32
    python -m experiments.benchmarks.embedding --records DIR --split index --out FOLDER

Three subjects by turns in one process, over the same pictures: `pipeline` reads, decodes and
letterboxes the batches and drops them; `network` describes batches that lie in memory; `embed` is
what `python -m experiments.embed` does, with its checks and the file it writes. Weights are random.

Two ratios, each of one round, and their medians. In processor time embedding is held against the
sum of both parts: the excess is its own work. By the clock it is held against the slowest of the
pipeline, the network, and both parts' processor time over all cores, which is what a machine
without an accelerator has to share out: the excess is waiting. `--out FOLDER` gets embedding.md and
embedding.json:

    {"format_version": 1, "setting": {...}, "environment": {"device", "cores", "load"},
     "seconds": {"pipeline": {"wall": [...], "processor": [...]}, "network": ..., "embed": ...},
     "ratio": {"wall": {"median", "low", "high"}, "processor": {...}}}

Exit codes: 0 done, 1 a measurement failed, 2 usage, 130 interrupted.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from experiments.benchmarks.exact_search import by_turns
from experiments.benchmarks.ratios import speed_ratio
from experiments.command import MeasurementError, UsageError, exit_code

SUBJECTS = {
    "pipeline": "the pipeline alone: read, decode, letterbox",
    "network": "the network alone, pictures in memory",
    "embed": "`embed`",
}
_LEAST = {"image_size": 1, "batch": 1, "repeats": 1, "landmarks": 2}


def main(arguments: Sequence[str] | None = None) -> int:
    """Parse, measure, and turn every user's mistake into a message and an exit code."""
    options = _parser().parse_args(arguments)
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    return exit_code(lambda: _dispatch(options))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m experiments.benchmarks.embedding",
        description="Measure embedding beside reading the pictures and the network on its own.",
    )
    add = parser.add_argument
    add("--backbone", metavar="NAME", default="mobilenet_v2", help="default: mobilenet_v2")
    add("--image-size", metavar="PX", type=int, default=128, help="default: 128")
    add("--batch", metavar="N", type=int, default=64, help="pictures at once; default: 64")
    add("--records", metavar="DIR", type=Path, help="default: those of rendered pictures")
    add("--split", metavar="NAME", default="train", help="of --records; default: train")
    add("--landmarks", metavar="N", type=int, default=10, help="to render; default: 10")
    add("--repeats", metavar="N", type=int, default=7, help="rounds by turns; default: 7")
    add("--out", metavar="DIR", type=Path, help="write embedding.md and embedding.json there")
    add("--json", action="store_true", help="print JSON instead of the table")
    return parser


def _dispatch(options: argparse.Namespace) -> int:
    from experiments.workdir import write_json

    for name, least in _LEAST.items():
        if (value := getattr(options, name)) < least:
            flag = f"--{name.replace('_', '-')}"
            raise UsageError(f"{flag} must be at least {least}. Received: {value}.")
    if options.out is not None:
        options.out.mkdir(parents=True, exist_ok=True)  # before the work, not after it
    with tempfile.TemporaryDirectory(prefix="embedding-") as folder:
        report = measure(options, Path(folder))
    text = markdown(report)
    if options.out is not None:
        (options.out / "embedding.md").write_text(text + "\n", encoding="utf-8")
        write_json(options.out / "embedding.json", report)
    print(json.dumps(report, indent=2) if options.json else text)
    return 0


def measure(options: argparse.Namespace, folder: Path) -> dict:
    """The report.

    Args:
        options: of the command.
        folder: gets pictures, network and embeddings.

    Raises:
        MeasurementError: the pictures could not be made.
        ValueError, OSError: an unknown backbone, or records that cannot be read.
    """
    import numpy as np

    from experiments.benchmarks.device import describe_device
    from experiments.embedding_job import EmbeddingJob
    from landmarks_tf.retrieval.embed import embed_dataset

    records = options.records or _rendered(folder, options.landmarks)
    job = EmbeddingJob(
        _network(folder / "embedder.keras", options.backbone, options.image_size),
        str(records),
        options.split,
        folder / "embeddings.npy",
        batch_size=options.batch,
    )
    opened = job.opened()
    count = len(opened.ids)
    held = [np.asarray(images) for images, _ in opened.batches_between(0, count)]

    def pipeline() -> None:
        for _ in opened.batches_between(0, count):
            pass

    def network() -> None:
        for images in held:
            opened.predict(images)

    def embed() -> None:
        job.path.with_suffix(".json").unlink(missing_ok=True)  # or it would find itself done
        embed_dataset(
            opened.predict,
            lambda row: opened.batches_between(row, count),
            path=job.path,
            progress=False,
            **opened.about,
        )

    subjects = {"pipeline": pipeline, "network": network, "embed": embed}
    for subject in subjects.values():
        subject()  # what is traced and cached once is not measured
    _say(f"{count:,} pictures, {options.repeats} rounds")
    cores, load = len(os.sched_getaffinity(0)), os.getloadavg()[0]
    seconds = by_turns(subjects, options.repeats)
    return {
        "format_version": 1,
        "setting": {
            "pictures": count,
            "backbone": options.backbone,
            "image_size": options.image_size,
            "batch_size": options.batch,
            "dim": opened.dim,
            "repeats": options.repeats,
        },
        "environment": {"device": describe_device(), "cores": cores, "load": load},
        "seconds": seconds,
        "ratio": ratios(seconds, cores),
    }


def ratios(seconds: dict[str, dict], cores: int) -> dict[str, dict]:
    """How much longer embedding took than it must, round by round.

    Args:
        seconds: {"pipeline", "network", "embed"}: {"wall", "processor"}: a number a round.
        cores: that the process may use.

    Returns:
        {"processor", "wall"}: {"median", "low", "high"} of the quotient with its bound.
    """
    pipeline, network, embed = (seconds[name] for name in SUBJECTS)
    work = [a + b for a, b in zip(pipeline["processor"], network["processor"], strict=True)]
    bounds = zip(pipeline["wall"], network["wall"], (one / cores for one in work), strict=True)
    return {
        "processor": speed_ratio(work, embed["processor"]),
        "wall": speed_ratio([max(one) for one in bounds], embed["wall"]),
    }


def markdown(report: dict) -> str:
    """Where it was measured, a table, and what follows."""
    setting, where = report["setting"], report["environment"]
    lines = [
        f"{setting['pictures']:,} pictures, {setting['backbone']} at {setting['image_size']} px "
        f"({setting['dim']:,} numbers a row), batch {setting['batch_size']}, "
        f"{where['device']['name']}, {where['cores']} cores, load {where['load']:.1f} at the "
        f"start, medians of {setting['repeats']} rounds",
        "",
        "| | pictures/s | processor time a picture, ms |",
        "|---|---:|---:|",
    ]
    for name, title in SUBJECTS.items():
        wall, processor = (
            statistics.median(report["seconds"][name][clock]) for clock in ("wall", "processor")
        )
        speed, cost = setting["pictures"] / wall, 1000 * processor / setting["pictures"]
        lines.append(f"| {title} | {speed:,.0f} | {cost:.2f} |")
    processor, wall = (_words(report["ratio"][clock]) for clock in ("processor", "wall"))
    lines += [
        "",
        f"`embed` takes {processor} times the processor time of the pipeline and the network "
        f"together, and {wall} times the clock time of the slowest bound.",
    ]
    return "\n".join(lines)


def _words(ratio: dict[str, float]) -> str:
    return f"{ratio['median']:.2f} ({ratio['low']:.2f}-{ratio['high']:.2f})"


def _network(path: Path, backbone: str, image_size: int) -> Path:
    import keras

    from landmarks_tf.models import build_embedder, create_backbone

    keras.utils.set_random_seed(0)
    build_embedder(create_backbone(backbone, image_size=image_size)).save(path)
    return path


def _rendered(folder: Path, landmarks: int) -> Path:
    """Records of the demo data set, as a run of the demo size has them."""
    _say("rendering the pictures")
    raw, records = folder / "raw", folder / "records"
    _tool("demo", "--out", raw, "--landmarks", landmarks, "--seed", 5)
    _tool("convert", "--raw", raw, "--out", records, "--split", "train")
    return records


def _tool(*arguments) -> None:
    command = [sys.executable, "-m", "tfrecords_tools", *map(str, arguments)]
    # Its progress bars go to the person who waits, its last words are no part of the report.
    if subprocess.run(command, stdout=subprocess.DEVNULL, check=False).returncode:
        raise MeasurementError(f"`{' '.join(command[1:])}` failed; its message stands above")


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
