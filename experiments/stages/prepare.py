"""Raw pictures -> records, by the quarry's own commands.

`tfrecords_tools` and `experiments` meet in files, so the commands run as processes of their own.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from experiments.command import NO_READER
from experiments.stages.context import Context
from landmarks_tf.records import Manifest

SOLUTIONS = ("retrieval_solution_v2.1.csv", "recognition_solution_v2.1.csv")


class ConversionError(ValueError):
    """A command of tfrecords_tools failed; what it said is on standard error."""


def run(context: Context) -> list[Path]:
    """Make the demo data set if it is asked for, and convert what is not yet records."""
    source = context.source
    if source.kind == "records":
        _say_what_made(context)
        _tell_missing_truth(context)
        return []
    raw = source.folder
    if source.kind == "demo":
        raw = context.workdir.raw
        _tool("demo", "--out", raw)
    data = context.experiment.data
    convert = ("convert", "--raw", raw, "--out", context.records)
    _tool(
        *convert,
        *("--split", "train"),
        *("--min-images-per-class", data.min_images_per_class),
        *("--validation-fraction", data.validation_fraction),
        *("--validation-split", data.validation_split),
        *("--seed", data.split_seed),
    )
    for split in ("index", "test"):
        _tool(*convert, "--split", split)
    _compare_class_count(context)
    _tell_missing_truth(context)
    return [context.records]


def _tool(*arguments) -> None:
    words = [str(argument) for argument in arguments]
    # Its progress bars and messages go straight to the person who waits.
    done = subprocess.run([sys.executable, "-m", "tfrecords_tools", *words], check=False)
    if done.returncode in (130, -2):
        raise KeyboardInterrupt
    if done.returncode == NO_READER:
        raise BrokenPipeError  # its output is ours: nobody reads that either
    if done.returncode:
        raise ConversionError(
            f"`python -m tfrecords_tools {' '.join(words)}` failed; its message stands above."
        )


def _say_what_made(context: Context) -> None:
    manifest = Manifest.load(context.records, "train")
    print(
        f"Using the records in {context.records} as they are: {manifest.num_records:,} training "
        f"pictures of {manifest.num_classes:,} classes. The recipe's own selection of classes "
        f"and split was not applied to them.",
        file=sys.stderr,
    )


def missing_truth(metadata: Path) -> list[str]:
    """Names of the solution files that a folder of metadata lacks."""
    return [name for name in SOLUTIONS if not (metadata / name).is_file()]


def _tell_missing_truth(context: Context) -> None:
    missing = missing_truth(context.metadata)
    if missing:
        print(
            f"note: there is no {' and no '.join(missing)} (Kaggle's editions come without): the "
            f"network can be trained, not evaluated; --stage train stops there.",
            file=sys.stderr,
        )


def _compare_class_count(context: Context) -> None:
    expected, found = context.experiment.data.expected_classes, context.num_classes
    if expected is not None and expected != found:
        print(
            f"note: the source trains on {expected:,} classes, this data set gives {found:,}: "
            f"the numbers will not be comparable with the published ones.",
            file=sys.stderr,
        )
