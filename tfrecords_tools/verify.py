"""Reads records back, all of them, and tells exactly what is wrong."""

from __future__ import annotations

import argparse
import concurrent.futures
import csv
import dataclasses
import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from landmarks_tf.records import (
    DamagedRecordError,
    Manifest,
    RecordIndex,
    RecordsError,
    ShardInfo,
    frame_size,
    list_splits,
    read_frames,
    sha256_of_file,
    split_of_shard,
)
from tfrecords_tools.images import strict_decoding
from tfrecords_tools.progress import ProgressBar, progress_bar
from tfrecords_tools.record_check import check_record

LISTED_PROBLEMS = 20


@dataclasses.dataclass(frozen=True)
class Report:
    """What `verify_split` found: the number of records read and the problems, one line each."""

    split: str
    num_records: int
    problems: tuple[str, ...]


def verify(
    folder: str | os.PathLike,
    splits: list[str] | None = None,
    *,
    workers: int | None = None,
    progress: bool = True,
) -> list[Report]:
    """Verifies splits of a records folder, and that train and validation share no image.

    Args:
        folder: the records folder.
        splits: which; None means all that are complete or begun there.
        workers: shards read at a time; None means one per available core.
        progress: whether to draw a progress bar (only where standard error is a terminal).

    Raises:
        RecordsError: the folder holds no records at all.
    """
    folder = Path(folder)
    if splits is None:
        splits = _splits_in(folder)
    if not splits:
        raise RecordsError(f"{folder} holds no records: no <split>.manifest.json, no shards")
    workers = workers or len(os.sched_getaffinity(0))
    reports = [verify_split(folder, s, workers=workers, progress=progress) for s in splits]
    return [*reports, *_check_overlap(folder, [r.split for r in reports if not r.problems])]


def verify_split(folder: Path, split: str, *, workers: int = 1, progress: bool = False) -> Report:
    """Reads every byte of a split: hashes, frames and their checksums, features, pictures.

    Each record must have DELF's features, the label and id of its row in the side-car, and an
    image that decodes to the stored height and width.
    """
    try:
        manifest = Manifest.load(folder, split)
    except RecordsError as error:
        return Report(split, 0, (str(error),))
    problems = _check_side_files(folder, manifest)
    rows = _rows(folder, manifest, problems)
    first = np.cumsum([0, *(shard.records for shard in manifest.shards)])
    stop = threading.Event()
    with (
        progress_bar(progress, total=manifest.num_records, unit=" records", desc=split) as bar,
        strict_decoding(),
        concurrent.futures.ThreadPoolExecutor(workers) as pool,
    ):
        futures = []
        for number, shard in enumerate(manifest.shards):
            part = None if rows is None else rows[first[number] : first[number + 1]]
            futures.append(pool.submit(_check_shard, folder, manifest, shard, part, stop, bar))
        try:
            results = [future.result() for future in futures]
        except BaseException:
            stop.set()
            pool.shutdown(wait=True, cancel_futures=True)
            raise
    problems += [problem for _, found in results for problem in found]
    if not problems:
        problems += _check_opens(folder, split)
    return Report(split, sum(records for records, _ in results), tuple(problems))


def _check_side_files(folder: Path, manifest: Manifest) -> list[str]:
    problems = []
    listed = {shard.name for shard in manifest.shards}
    for path in sorted(folder.iterdir()):
        if split_of_shard(path.name) == manifest.split and path.name not in listed:
            problems.append(f"{path.name}: not part of the manifest, of another conversion")
    if manifest.num_classes is not None:
        problems += _check_label_map(folder / "relabeling.csv", manifest)
    skipped = folder / f"{manifest.split}.skipped.csv"
    try:
        with skipped.open(newline="", encoding="utf-8") as stream:
            count = sum(1 for _ in csv.DictReader(stream))
    except (OSError, UnicodeError, csv.Error) as error:
        problems.append(f"{skipped.name}: cannot be read: {error}")
    else:
        if count != manifest.skipped:
            problems.append(
                f"{skipped.name}: lists {count} images, the manifest says {manifest.skipped}"
            )
    return problems


def _check_label_map(path: Path, manifest: Manifest) -> list[str]:
    try:
        if sha256_of_file(path) != manifest.label_map_sha256:
            return [f"{path.name}: not the label map that the manifest was written with"]
        with path.open(newline="", encoding="utf-8") as stream:
            new = [int(row["new_label"]) for row in csv.DictReader(stream)]
    except (OSError, KeyError, TypeError, ValueError) as error:
        return [f"{path.name}: cannot be read: {error}"]
    if new != list(range(manifest.num_classes)):
        return [
            f"{path.name}: its new labels are not 0 to {manifest.num_classes - 1}, "
            f"the manifest says {manifest.num_classes} classes"
        ]
    return []


def _rows(folder: Path, manifest: Manifest, problems: list[str]) -> np.ndarray | None:
    """The rows of the side-car, or None (and a problem) when they are not of this conversion."""
    path = folder / manifest.index_file
    try:
        if sha256_of_file(path) != manifest.index_sha256:
            problems.append(
                f"{path.name}: its SHA-256 is not the manifest's: damaged, or of another "
                "conversion; labels and ids of the records were not compared with it"
            )
            return None
        rows = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        problems.append(f"{path.name}: cannot be read: {error}")
        return None
    if len(rows) != manifest.num_records:
        problems.append(
            f"{path.name}: {len(rows)} rows, the manifest says {manifest.num_records} records"
        )
        return None
    ids = np.sort(rows["id"])
    for image_id in np.unique(ids[1:][ids[1:] == ids[:-1]])[:LISTED_PROBLEMS]:
        problems.append(f"{path.name}: image {image_id.decode()} is in it more than once")
    return rows


def _check_shard(
    folder: Path,
    manifest: Manifest,
    shard: ShardInfo,
    rows: np.ndarray | None,
    stop: threading.Event,
    bar: ProgressBar,
) -> tuple[int, list[str]]:
    """(records read, problems) of one shard."""
    path = folder / shard.name
    if not path.is_file():
        return 0, [f"{shard.name}: missing"]
    problems, num_records = [], 0
    size = path.stat().st_size
    if size != shard.bytes:
        problems.append(f"{shard.name}: {size} bytes, the manifest says {shard.bytes}")
    elif sha256_of_file(path) != shard.sha256:
        problems.append(f"{shard.name}: its SHA-256 is not the manifest's")
    for offset, record, damage in _records(path):
        where = f"{shard.name}, record {num_records} at byte {offset}"
        if damage:
            problems.append(f"{where}: {damage}; the rest of the shard was not read")
            break
        row = rows[num_records] if rows is not None and num_records < len(rows) else None
        problems += (f"{where}: {text}" for text in check_record(record, row, manifest))
        if row is not None and row["offset"] != offset:
            problems.append(f"{where}: the side-car says byte {row['offset']}")
        num_records += 1
        bar.update()
        if stop.is_set():
            break
    if num_records != shard.records:
        problems.append(
            f"{shard.name}: {num_records} records read, the manifest says {shard.records}"
        )
    return num_records, problems


def _records(path: Path) -> Iterator[tuple[int, bytes, str]]:
    """(offset, record, "") of each frame; (offset, b"", what is wrong) at the first bad one."""
    offset = 0
    try:
        for place, record in read_frames(path):
            yield place, record, ""
            offset = place + frame_size(len(record))
    except DamagedRecordError as error:
        cut = "the file ends inside it"
        yield offset, b"", cut if cut in str(error) else "its checksum does not match"


def _check_opens(folder: Path, split: str) -> list[str]:
    try:
        RecordIndex.open(folder, split)
    except RecordsError as error:
        return [str(error)]
    return []


def _check_overlap(folder: Path, splits: list[str]) -> list[Report]:
    """Images in both train and validation: what validation then measures is memory."""
    if not {"train", "validation"} <= set(splits):
        return []
    ids = [np.array(RecordIndex.open(folder, split).id) for split in ("train", "validation")]
    shared = np.intersect1d(*ids)
    if not len(shared):
        return []
    text = f"{len(shared)} image(s) are in both, such as {shared[0].decode()}"
    return [Report("train and validation", 0, (text,))]


def _splits_in(folder: Path) -> list[str]:
    if not folder.is_dir():
        raise RecordsError(f"there is no folder {folder}")
    begun = {split_of_shard(path.name) for path in folder.iterdir()} - {None}
    return sorted(begun.union(list_splits(folder)))


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the options of the command on `parser`."""
    parser.description = (
        "Reads records back: manifest, SHA-256 of the shards, checksum and features of each "
        "record, side-car, labels, and every image decoded. Prints what is wrong; exit code 1 if "
        "anything is."
    )
    parser.add_argument("--records", required=True, metavar="DIR", help="records folder")
    parser.add_argument(
        "--split", action="append", metavar="NAME", help="only this split; may be given repeatedly"
    )
    parser.add_argument(
        "--workers", type=int, metavar="N", help="shards read at a time (default: one per core)"
    )


def run(args: argparse.Namespace, say: Callable[[str], None] = print) -> int:
    """Runs the command; returns 0 when all is well, else 1.

    Raises:
        RecordsError: there are no records at all; the caller prints it.
    """
    reports = verify(args.records, args.split, workers=args.workers)
    for report in reports:
        if not report.problems:
            say(f"{report.split}: {report.num_records} records, all well")
            continue
        say(f"{report.split}: {len(report.problems)} problem(s)")
        for problem in report.problems[:LISTED_PROBLEMS]:
            say(f"  {problem}")
        if len(report.problems) > LISTED_PROBLEMS:
            say(f"  ... and {len(report.problems) - LISTED_PROBLEMS} more")
    return 1 if any(report.problems for report in reports) else 0
