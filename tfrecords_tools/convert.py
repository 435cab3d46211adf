"""Raw GLDv2 to records: plan, write the shards in parallel, then side-car and manifest.

The order on disk is the order of trust: shards and their notes first, the manifest last. Whatever
ends a conversion early, the same call continues it, and ends with the same bytes.
"""

from __future__ import annotations

import argparse
import concurrent.futures
import dataclasses
import importlib
import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tqdm import tqdm

from landmarks_tf.records import Manifest, RecordIndex, list_splits, shard_name
from tfrecords_tools import resume
from tfrecords_tools.finish import copy_metadata, finish_split, summary, write_label_map
from tfrecords_tools.images import Reencoding, strict_decoding
from tfrecords_tools.options import ConvertOptions, options_from
from tfrecords_tools.options import add_arguments as add_arguments
from tfrecords_tools.plan import Plan, SplitPlan, make_plan
from tfrecords_tools.raw import RawFolder
from tfrecords_tools.shards import ShardTask, write_shard


@dataclasses.dataclass(frozen=True, eq=False)
class Conversion:
    """One call of `convert`: where from, where to, what, and with how many workers."""

    raw: RawFolder
    out: Path
    options: ConvertOptions
    plan: Plan
    workers: int
    progress: bool
    say: Callable[[str], None]

    @property
    def group(self) -> str:
        return self.options.split


def convert(
    raw: str | os.PathLike,
    out: str | os.PathLike,
    options: ConvertOptions,
    *,
    workers: int | None = None,
    progress: bool = True,
    say: Callable[[str], None] = print,
) -> list[Manifest]:
    """Converts one split of a raw folder (train: also its validation part) to records.

    Bad images are left out and listed with their reasons in `<split>.skipped.csv`. Run again after
    an interruption it keeps the finished shards; run again after the end it changes nothing.

    Args:
        raw: GLDv2 as published.
        out: the records folder; made when it is not there. Other splits in it stay as they are.
        options: what to convert, and how.
        workers: shards written at a time; None means one per available core.
        progress: whether to draw a progress bar (only where standard error is a terminal).
        say: receives the lines that tell what was done.

    Returns:
        the manifests, of validation (where there is one) and of the split.

    Raises:
        ValueError: bad options, a raw folder that is not GLDv2 or whose CSVs are wrong, nothing to
            convert, or an `out` that holds records of another plan.
        OSError: the disk is full, a folder is not writable, and the like; the finished shards stay.
    """
    if workers is not None and workers < 1:
        raise ValueError(f"workers must be at least 1, got {workers}")
    source = RawFolder(raw, options.split)
    files = source.files()
    plan = make_plan(source.listing(files, options.clean), files, options)
    workers = workers or len(os.sched_getaffinity(0))
    job = Conversion(source, Path(out), options, plan, workers, progress, say)
    for line in _remarks(job):
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


def _already_there(job: Conversion) -> list[Manifest]:
    for split in job.plan.splits:
        RecordIndex.open(job.out, split.split)  # refuses what was damaged since
    resume.finish(job.out, job.group)
    job.say(f"{job.out} is already complete: nothing to do")
    return [Manifest.load(job.out, split.split) for split in job.plan.splits]


def _write(job: Conversion) -> list[Manifest]:
    resume.begin(job.out, job.group, job.plan)
    copy_metadata(job.raw, job.out)
    if job.plan.classes is not None:
        write_label_map(job.out, job.plan.classes)
    # A run that was killed between the two manifests of train left one of them.
    left = [split for split in job.plan.splits if split.split not in list_splits(job.out)]
    notes = _write_shards(job, left)
    for split in left:
        names = [shard_name(split.split, i, split.num_shards) for i in range(split.num_shards)]
        ordered = [notes[name] for name in names]
        finish_split(job.out, job.options.split, job.plan, split, ordered)
    resume.finish(job.out, job.group)
    return [Manifest.load(job.out, split.split) for split in job.plan.splits]


def _write_shards(job: Conversion, splits: list[SplitPlan]) -> dict[str, dict[str, Any]]:
    """Writes the shards that are not there yet; returns the notes of all, by shard name."""
    tasks = [
        ShardTask(job.raw, job.out, split, shard, _reencoding(job.options))
        for split in splits
        for shard in range(split.num_shards)
    ]
    found = {task.name: resume.load_note(job.out, job.group, task.name) for task in tasks}
    notes = {name: note for name, note in found.items() if note is not None}
    if notes:
        job.say(f"continuing: {len(notes)} of {len(tasks)} shards are there already")
    left = [task for task in tasks if task.name not in notes]
    importlib.import_module("tensorflow")  # takes seconds, which are not the first image's
    total = sum(len(task.rows) for task in tasks)
    bar = tqdm(
        total=total,
        initial=total - sum(len(task.rows) for task in left),
        unit=" images",
        desc=job.group,
        disable=None if job.progress else True,
    )
    with bar, strict_decoding():
        try:
            _run_workers(job, left, notes, bar)
        except OSError as error:
            raise OSError(
                f"{error.strerror or error}\n{len(notes)} of {len(tasks)} shards are finished "
                "and kept: once this is mended, the same command continues"
            ) from error
    return notes


def _run_workers(
    job: Conversion, tasks: list[ShardTask], notes: dict[str, dict[str, Any]], bar: tqdm
) -> None:
    """One thread a shard: the decoders and the writer release the interpreter's lock."""
    stop, lock = threading.Event(), threading.Lock()

    def tick() -> None:
        with lock:
            bar.update()

    def work(task: ShardTask) -> None:
        note = write_shard(task, stop=stop, tick=tick)
        resume.save_note(job.out, job.group, note)
        notes[task.name] = note

    with concurrent.futures.ThreadPoolExecutor(job.workers) as pool:
        futures = [pool.submit(work, task) for task in tasks]
        try:
            for future in concurrent.futures.as_completed(futures):
                future.result()
        except BaseException:  # Ctrl-C too: the others give up at their next image
            stop.set()
            pool.shutdown(wait=True, cancel_futures=True)
            raise


def _remarks(job: Conversion) -> list[str]:
    """What the reader of the output should know about the source before the work begins."""
    counts, plan, split = job.plan.counts, job.plan, job.options.split
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
        if job.options.shards and part.num_shards < job.options.shards:
            lines.append(
                f"{part.split} gets {part.num_shards} shard(s), one for each of its images"
            )
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


def _reencoding(options: ConvertOptions) -> Reencoding | None:
    if options.reencode_short_side is None:
        return None
    return Reencoding(options.reencode_short_side, options.quality)


def run(args: argparse.Namespace) -> int:
    """Runs the command; returns the exit code.

    Raises:
        UsageError: options that do not go together, or out of their range.
        ValueError, OSError: what `convert` raises; the caller prints it.
    """
    convert(args.raw, args.out, options_from(args), workers=args.workers)
    return 0
