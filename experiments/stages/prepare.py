"""Raw pictures -> records, by the quarry's own commands.

`tfrecords_tools` and `experiments` meet in files, so the commands run as processes of their own.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np

from experiments.command import NO_READER
from experiments.data_source import DataSource
from experiments.stages.context import Context
from experiments.training_sets import TrainingSet, check_subset
from landmarks_tf.records import Manifest


class ConversionError(ValueError):
    """A command of tfrecords_tools failed; what it said is on standard error."""


def run(context: Context) -> list[Path]:
    """Make the demo data set if it is asked for, and convert what is not yet records."""
    source = context.source
    if source.kind == "records":
        _say_what_made(context)
        _tell_what_is_not_scored(context)
        return _prepare_stages(context)
    raw = source.folder
    if source.kind == "demo":
        raw = context.workdir.raw
        _tool("demo", "--out", raw)
    data = context.experiment.data
    convert = ("convert", "--raw", raw, "--out", context.records)
    _tool(
        *convert,
        *("--split", "train"),
        *_subset(data.train_set),
        *("--min-images-per-class", data.min_images_per_class),
        *("--validation-fraction", data.validation_fraction),
        *("--validation-split", data.validation_split),
        *("--seed", data.split_seed),
    )
    for split in ("index", "test"):
        if DataSource("raw", raw, 0).has(split):  # Kaggle's recognition editions have no index
            convert_split(context, raw, split)
    _compare_class_count(context)
    _tell_what_is_not_scored(context)
    return [context.records, *_prepare_stages(context)]


def convert_split(context: Context, raw: Path, split: str) -> None:
    """Convert the index or the test pictures of a raw folder into the run's records.

    Raises:
        ConversionError: it failed; the command has said why.
    """
    _tool("convert", "--raw", raw, "--out", context.records, "--split", split)


def _prepare_stages(context: Context) -> list[Path]:
    """Convert what stages train on of their own, each once, and tell what every stage has."""
    data, made = context.experiment.data, []
    for stage, pictures in context.training_sets():
        if pictures.raw is not None and pictures.records not in made:
            # Nothing is held out of them: what the run itself holds out is left out when they are
            # read.
            _tool(
                *("convert", "--raw", pictures.raw, "--out", pictures.records, "--split", "train"),
                *_subset(pictures.subset),
                *("--min-images-per-class", data.min_images_per_class),
                *("--seed", data.split_seed),
            )
            made.append(pictures.records)
        if stage.name:
            theirs = f" The source: {stage.data}." if stage.data else ""
            print(
                f"{stage.title} trains on {pictures.words}.{_held_out(context, pictures)}{theirs}",
                file=sys.stderr,
            )
    return made


def _held_out(context: Context, pictures: TrainingSet) -> str:
    """How many of other pictures the run holds out, for people; "" for its own."""
    if pictures.is_own or not context.has_split("validation"):
        return ""
    held_out = context.index_of("validation").id
    theirs = context.on(pictures.records).index_of("train").id
    among = int(np.isin(theirs, held_out).sum())
    if not among:
        return " By their ids none of them is a picture that the run holds out."
    return f" Left out, as the run holds them out: {among:,} of {len(theirs):,} pictures (by id)."


def _subset(name: str | None) -> tuple[str, ...]:
    check_subset(name)
    return () if name is None else ("--subset", name)


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


def _tell_what_is_not_scored(context: Context) -> None:
    if context.has_split("test"):
        notes = [task.note for task in context.tasks.values() if task.note]
    else:
        notes = ["there are no test pictures: the network can be trained, not evaluated"]
    if notes:
        print(f"note: {'; '.join(notes)}.", file=sys.stderr)


def _compare_class_count(context: Context) -> None:
    expected, found = context.experiment.data.expected_classes, context.num_classes
    if expected is not None and expected != found:
        print(
            f"note: the source trains on {expected:,} classes, this data set gives {found:,}: "
            f"the numbers will not be comparable with the published ones.",
            file=sys.stderr,
        )
