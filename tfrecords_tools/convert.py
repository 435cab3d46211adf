"""Raw GLDv2 to records: plan, write the shards in parallel, then side-car and manifest.

The order on disk is the order of trust: shards and their notes first, the manifest last. Whatever
ends a conversion early, the same call continues it, and ends with the same bytes.
"""

from __future__ import annotations

import argparse
import dataclasses
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from landmarks_tf.records import Manifest, RecordIndex, list_splits, shard_name
from tfrecords_tools import resume
from tfrecords_tools.beam import cli as beam_cli
from tfrecords_tools.checked import read_stamps, refuse_without_use, told
from tfrecords_tools.convert_arguments import add_arguments as add_arguments
from tfrecords_tools.finish import copy_metadata, finish_split, summary, write_label_map
from tfrecords_tools.foreign import ForeignRecords
from tfrecords_tools.image_source import FolderImages, ImageSource
from tfrecords_tools.images import Reencoding
from tfrecords_tools.options import ConvertOptions, UsageError, options_from
from tfrecords_tools.plan import Plan, SplitPlan, make_plan
from tfrecords_tools.progress import progress_bar
from tfrecords_tools.published_splits import as_published
from tfrecords_tools.raw import RawFolder
from tfrecords_tools.shards import shard_task
from tfrecords_tools.subsets import list_images
from tfrecords_tools.workers import write_shards


@dataclasses.dataclass(frozen=True, eq=False)
class Conversion:
    """One call of `convert`: where from, where to, what, and with how many workers."""

    source: RawFolder | ForeignRecords
    out: Path
    options: ConvertOptions
    plan: Plan
    workers: int
    progress: bool
    say: Callable[[str], None]
    stamps: dict[str, np.ndarray] = dataclasses.field(default_factory=dict)

    @property
    def group(self) -> str:
        return self.options.split


def convert(
    raw: str | os.PathLike | ForeignRecords,
    out: str | os.PathLike,
    options: ConvertOptions,
    *,
    workers: int | None = None,
    checked: bool | str | os.PathLike = False,
    progress: bool = True,
    say: Callable[[str], None] = print,
) -> list[Manifest]:
    """Converts one split of a raw folder (train: also its validation part) to records.

    Bad images are left out and listed with their reasons in `<split>.skipped.csv`. Run again after
    an interruption it keeps the finished shards; run again after the end it changes nothing.

    Args:
        raw: GLDv2 as published, or records that others wrote.
        out: the records folder; made when it is not there. Other splits in it stay as they are.
        options: what to convert, and how.
        workers: shards written at a time; None means one per available core.
        checked: True, or the folder of its journals: do not decode again what `check` has proven
            and what did not change since. The records are the same.
        progress: whether to draw a progress bar (only where standard error is a terminal).
        say: receives the lines that tell what was done.

    Returns:
        the manifests, of validation (where there is one) and of the split.

    Raises:
        ValueError: bad options, a raw folder that is not GLDv2 or whose CSVs are wrong, nothing to
            convert, an `out` that holds records of another plan, or `checked` without a journal of
            this folder.
        OSError: the disk is full, a folder is not writable, and the like; the finished shards stay.
    """
    if workers is not None and workers < 1:
        raise ValueError(f"workers must be at least 1, got {workers}")
    if checked is not False:
        refuse_without_use(options, has_files=not isinstance(raw, ForeignRecords))
    source, plan = plan_conversion(raw, options)
    workers = workers or len(os.sched_getaffinity(0))
    stamps = {}
    if checked is not False:
        stamps = read_stamps(source, None if checked is True else checked, plan.splits)
    job = Conversion(source, Path(out), options, plan, workers, progress, say, stamps)
    for line in remarks_on(plan, options):
        say(line)
    if resume.is_complete(job.out, job.group, plan):
        manifests = _already_there(job)
    else:
        _make_folder(job.out)
        with resume.locked(job.out, job.group):
            manifests = _write(job)
    for manifest in manifests:
        say(summary(manifest, job.out))
    return manifests


def plan_conversion(
    raw: str | os.PathLike | ForeignRecords, options: ConvertOptions
) -> tuple[RawFolder | ForeignRecords, Plan]:
    """What `convert` would read and write; reads CSVs and names of files, and writes nothing.

    Raises:
        ValueError, OSError: as `convert`.
    """
    source = raw if isinstance(raw, ForeignRecords) else RawFolder(raw, options.split)
    files = source.files()
    listing, clean = list_images(source, files, options)
    given = source.is_validation if isinstance(source, ForeignRecords) else None
    if given is not None and len(given) != len(listing.ids):
        raise ValueError("records that are divided already are converted whole: no subset")
    return source, make_plan(listing, files, options, clean=clean, validation=given)


def _already_there(job: Conversion) -> list[Manifest]:
    for split in job.plan.splits:
        RecordIndex.open(job.out, split.split)  # refuses what was damaged since
    resume.finish(job.out, job.group)
    job.say(f"{job.out} is already complete: nothing to do")
    return [Manifest.load(job.out, split.split) for split in job.plan.splits]


def _write(job: Conversion) -> list[Manifest]:
    resume.begin(job.out, job.group, job.plan)
    if isinstance(job.source, RawFolder):
        copy_metadata(job.source, job.out)
    if job.plan.classes is not None:
        write_label_map(job.out, job.plan.classes)
    # A run that was killed between the two manifests of train left one of them.
    left = [split for split in job.plan.splits if split.split not in list_splits(job.out)]
    notes = _write_shards(job, left)
    for split in left:
        names = [shard_name(split.split, i, split.num_shards) for i in range(split.num_shards)]
        ordered = [notes[name] for name in names]
        place = job.source.place if isinstance(job.source, ForeignRecords) else None
        finish_split(job.out, job.options.split, job.plan, split, ordered, place)
    resume.finish(job.out, job.group)
    return [Manifest.load(job.out, split.split) for split in job.plan.splits]


def _write_shards(job: Conversion, splits: list[SplitPlan]) -> dict[str, dict[str, Any]]:
    """Writes the shards that are not there yet; returns the notes of all, by shard name."""
    sizes = {
        shard_name(split.split, shard, split.num_shards): int(size)
        for split in splits
        for shard, size in enumerate(np.diff(split.bounds))
    }
    found = {name: resume.load_note(job.out, job.group, name) for name in sizes}
    notes = {name: note for name, note in found.items() if note is not None}
    if notes:
        job.say(f"continuing: {len(notes)} of {len(sizes)} shards are there already")
    tasks = [
        shard_task(
            _images(job, split, shard),
            job.out,
            split,
            shard,
            reencoding_of(job.options),
            job.options.verify_pixels,
            job.stamps.get(split.split),
        )
        for split in splits
        for shard in range(split.num_shards)
        if shard_name(split.split, shard, split.num_shards) not in notes
    ]
    bar = progress_bar(
        job.progress,
        total=sum(sizes.values()),
        initial=sum(sizes[name] for name in notes),
        unit=" images",
        desc=job.group,
    )
    with bar:
        try:
            for note in write_shards(
                tasks, out=job.out, group=job.group, workers=job.workers, progress=bar.update
            ):
                notes[note["name"]] = note
        except OSError as error:
            # Counted anew: others were finished while the work was stopped.
            kept = sum(resume.load_note(job.out, job.group, name) is not None for name in sizes)
            raise OSError(
                f"{error.strerror or error}\n{kept} of {len(sizes)} shards are finished "
                "and kept: once this is mended, the same command continues"
            ) from error
    if job.stamps:
        job.say(told(list(notes.values())))
    return notes


def _images(job: Conversion, split: SplitPlan, shard: int) -> ImageSource:
    if isinstance(job.source, ForeignRecords):
        return job.source.part(split.ids[split.bounds[shard] : split.bounds[shard + 1]])
    return FolderImages(job.source)


def remarks_on(plan: Plan, options: ConvertOptions) -> list[str]:
    """What the reader of the output should know about the source before the work begins."""
    counts, split = plan.counts, options.split
    lines = []
    if len(plan.absent):
        lines.append(
            f"{len(plan.absent)} of {counts['images_listed']} listed images have no file; "
            f"{split}.skipped.csv names them"
        )
    if plan.classes is not None and counts["classes_large_enough"] > len(plan.classes):
        lost = counts["classes_large_enough"] - len(plan.classes)
        lines.append(f"{lost} class(es) have no file at all and get no label")
    if counts["files_not_listed"]:
        lines.append(f"{counts['files_not_listed']} file(s) in {split}/ are in no CSV: ignored")
    for part in plan.splits:
        if options.shards and part.num_shards < options.shards:
            lines.append(
                f"{part.split} gets {part.num_shards} shard(s), one for each of its images"
            )
    if options.published_split is not None:
        found = {part.split: len(part.ids) for part in plan.splits}
        found["classes"] = len(plan.classes)
        lines.append(as_published(options.published_split, found))
    return lines


def _make_folder(out: Path) -> None:
    try:
        out.mkdir(parents=True, exist_ok=True)
    except FileExistsError:
        raise OSError(f"{out} is a file: --out must be a folder, or not exist yet") from None
    except OSError as error:
        raise OSError(f"cannot make the folder {out}: {error.strerror}") from None
    if not os.access(out, os.W_OK | os.X_OK):
        raise OSError(f"no permission to write into {out}")


def reencoding_of(options: ConvertOptions) -> Reencoding | None:
    """What images become where they are written anew; None where all bytes stay."""
    if options.reencode_short_side is None:
        return None
    return Reencoding(options.reencode_short_side, options.quality)


def run(args: argparse.Namespace) -> int:
    """Runs the command; returns the exit code.

    Raises:
        UsageError: options that do not go together, or out of their range.
        ValueError, OSError: what `convert` raises; the caller prints it.
    """
    options = options_from(args)
    if args.checked is not False:
        refuse_without_use(options, has_files=args.records is None)
    if args.runner is not None:
        if args.checked is not False:
            raise UsageError("--checked is for processes of this machine, not for --runner")
        return beam_cli.run(args, options)
    if args.beam_options is not None:
        raise UsageError("--beam-options goes with --runner")
    if args.records is None:
        if args.validation_records or args.dialect != "auto":
            raise UsageError("--validation-records and --dialect go with --records")
        source = args.raw
    else:
        source = _records_of_others(args, options)
    if args.dry_run:
        _, plan = plan_conversion(source, options)
        print_plan(plan, options)
        return 0
    convert(source, args.out, options, workers=args.workers, checked=args.checked)
    return 0


def _records_of_others(args: argparse.Namespace, options: ConvertOptions) -> ForeignRecords:
    if args.validation_records and (options.split != "train" or options.has_validation):
        raise UsageError(
            "--validation-records are the validation part of --split train: leave the other "
            "options of validation out"
        )
    return ForeignRecords(
        args.records,
        options.split,
        args.dialect,
        validation=args.validation_records or (),
        state=None if args.dry_run else resume.state_folder(Path(args.out), options.split),
        progress=True,
    )


def print_plan(plan: Plan, options: ConvertOptions, say: Callable[[str], None] = print) -> None:
    """What a conversion would write, a line a split, and the SHA-256 of its ids in order."""
    for line in remarks_on(plan, options):
        say(line)
    for split in plan.splits:
        classes = "" if plan.classes is None else f" of {len(plan.classes)} classes"
        say(
            f"{split.split}: {len(split.ids)} images{classes} in {split.num_shards} shard(s), "
            f"ids' SHA-256 {split.parameters['sha256_of_ids']}"
        )
