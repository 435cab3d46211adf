"""Command line of the check: `python -m tfrecords_tools check --raw DIR ...`."""

from __future__ import annotations

import argparse
import contextlib
import json
import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from landmarks_tf.records import replacing, write_text
from tfrecords_tools.integrity.files import SplitFiles, file_problems, find_files
from tfrecords_tools.integrity.journal import JOURNALS, Journal, journal_path
from tfrecords_tools.integrity.pictures import inspect
from tfrecords_tools.integrity.published import Comparison, compare, edition_of
from tfrecords_tools.integrity.report import counted, make_report, summary
from tfrecords_tools.integrity.solutions import check_solutions
from tfrecords_tools.integrity.tables import Tables, read_tables, submission_columns
from tfrecords_tools.integrity.tally import FindingsList, Tally
from tfrecords_tools.options import SPLITS, UsageError
from tfrecords_tools.progress import progress_bar
from tfrecords_tools.raw import RawFolderError, find_csv


def check(
    raw: str | os.PathLike,
    *,
    splits: Sequence[str] = SPLITS,
    published: bool = False,
    decode: bool = True,
    workers: int | None = None,
    findings: str | os.PathLike | None = None,
    journals: str | os.PathLike | None = None,
    again: bool = False,
    progress: bool = True,
) -> dict[str, Any]:
    """Checks a GLDv2 folder, of any edition or made by oneself in that layout.

    Run again after an interruption, or after files were mended, it opens only what was not proven
    to decode before (by size and time of the file).

    Args:
        raw: the folder with the CSVs and `train/`, `index/`, `test/`.
        splits: whose images to look at; the CSVs are always compared, all of them.
        published: whether counts other than those of the published edition are a fault.
        decode: whether to open every image.
        workers: images decoded at a time; None means one per available core.
        findings: CSV for every image that is missing, at fault or unusual.
        journals: folder for the memory of what was proven; None means `.check` in `raw`, or none
            where that cannot be written.
        again: forget what was proven before.
        progress: whether to draw progress bars (only where standard error is a terminal).

    Returns:
        the report, as `report.make_report` makes it; `sound` tells whether nothing is wrong.

    Raises:
        RawFolderError: there is no such folder, or nothing of GLDv2 in it.
        ValueError: a journal that is none.
        OSError: `findings` or a journal cannot be written; the folder went away meanwhile.
    """
    root = Path(raw)
    _require_gldv2(root)
    tables = read_tables(root)
    check_solutions(tables)
    found = {split: find_files(tables, split) for split in splits}
    found = {split: files for split, files in found.items() if files is not None}
    place = _journal_folder(root, journals)
    tallies: dict[str, Tally | None] = dict.fromkeys(found)
    with _findings_list(findings) as listing:
        for split, files in found.items():
            for name, ids in (("missing", files.absent), ("not listed", files.not_listed)):
                for image_id in ids.tolist():
                    listing.add(split, image_id, name)
            if decode:
                path = journal_path(place, split) if place else None
                with contextlib.closing(Journal(path, files.raw.images, again=again)) as journal:
                    tally = Tally(split, listing, tables.truth if split == "index" else frozenset())
                    _open_images(files, journal, tally, workers, progress)
                    tallies[split] = tally
    edition = edition_of(
        is_kaggles=tables.is_kaggles,
        has_index=(root / "index").is_dir(),
        submission_columns=submission_columns(root),
    )
    _count_folders(tables, found)
    comparisons = compare(edition, tables.counts)
    problems = list(tables.problems)
    for split, files in found.items():
        problems += [*file_problems(files), *_image_problems(split, tallies[split])]
    problems += _truth_problems(tables, found.get("index"), tallies.get("index"))
    if published:
        problems += _published_problems(edition, comparisons)
    parts = {split: (files, tallies[split]) for split, files in found.items()}
    return make_report(tables, edition, comparisons, parts, problems)


def _open_images(
    files: SplitFiles,
    journal: Journal,
    tally: Tally,
    workers: int | None,
    progress: bool,
) -> None:
    workers = workers or len(os.sched_getaffinity(0))
    bar = progress_bar(progress, total=len(files.present), unit=" images", desc=files.split)
    with bar:
        for verdict in inspect(files.raw, files.present, journal, workers=workers):
            tally.add(verdict)
            bar.update()


def _require_gldv2(root: Path) -> None:
    if not root.is_dir():
        raise RawFolderError(f"there is no folder {root}: --raw is the GLDv2 folder")
    if any(find_csv(root, f"{split}.csv") or (root / split).is_dir() for split in SPLITS):
        return
    names = sorted(path.name for path in root.iterdir())[:10]
    raise RawFolderError(
        f"{root} is no GLDv2 folder: looked for train.csv, index.csv, test.csv and for folders "
        f"train/, index/, test/; it holds: {', '.join(names) or 'nothing'}"
    )


def _journal_folder(root: Path, asked: str | os.PathLike | None) -> Path | None:
    if asked is not None:
        return Path(asked)
    return root / JOURNALS if _can_write_into(root) else None


def _can_write_into(folder: Path) -> bool:
    effective = os.access in os.supports_effective_ids
    return os.access(folder, os.W_OK | os.X_OK, effective_ids=effective)


@contextlib.contextmanager
def _findings_list(path: str | os.PathLike | None) -> Iterator[FindingsList]:
    if path is None:
        yield FindingsList(None)
        return
    with (
        replacing(path) as temporary,
        temporary.open("w", encoding="utf-8", newline="") as stream,
    ):
        yield FindingsList(stream)


def _count_folders(tables: Tables, found: dict[str, SplitFiles]) -> None:
    """Kaggle's editions list their index in no CSV: the folder is the list."""
    for split, files in found.items():
        if files.unreadable:
            continue
        tables.counts.setdefault(f"{split} images", len(files.listed))


def _image_problems(split: str, tally: Tally | None) -> list[str]:
    if tally is None or not tally.faults:
        return []
    return [
        f"{tally.faults.total()} image(s) of {split} cannot become records: "
        f"{counted(dict(tally.faults.most_common()))}"
    ]


def _truth_problems(tables: Tables, files: SplitFiles | None, tally: Tally | None) -> list[str]:
    if files is None:
        return []
    lost = sum(image_id in tables.truth for image_id in files.absent.tolist())
    lost += tally.lost_truth if tally is not None else 0
    if not lost:
        return []
    return [
        f"{lost} of {len(tables.truth)} images that the retrieval ground truth asks for are "
        "missing or at fault: no search can find them, and mAP counts them as missed"
    ]


def _published_problems(edition: str, comparisons: list[Comparison]) -> list[str]:
    return [
        f"{c.name}: {'none' if c.found is None else c.found}, the published {edition} has "
        f"{c.published} ({c.source})"
        for c in comparisons
        if c.demanded and not c.agrees
    ]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the options of the command on `parser`."""
    parser.description = (
        "Checks a GLDv2 folder (as published, or of Kaggle's editions of 2020 and 2021): files "
        "against CSVs, CSVs against each other and the ground truth, counts against the published "
        "ones; opens every image. Exit code 0 when nothing is wrong, else 1. An interrupted check "
        "continues when the same command is given again."
    )
    parser.add_argument("--raw", required=True, metavar="DIR", help="the GLDv2 folder")
    parser.add_argument(
        "--split",
        action="append",
        choices=SPLITS,
        help="only the images of this split; may be given repeatedly",
    )
    parser.add_argument(
        "--published",
        action="store_true",
        help="other counts than those of the published edition are a fault",
    )
    parser.add_argument("--json", metavar="FILE", help="write the whole report there")
    parser.add_argument(
        "--list",
        metavar="FILE",
        help="write a CSV of every image that is missing, at fault or unusual",
    )
    parser.add_argument(
        "--decode",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="whether to open every image (default: yes)",
    )
    parser.add_argument(
        "--workers", type=int, metavar="N", help="images opened at a time (default: one per core)"
    )
    parser.add_argument(
        "--journal",
        metavar="DIR",
        help=f"where to note what was proven to decode (default: {JOURNALS} in the GLDv2 folder, "
        "if that can be written)",
    )
    parser.add_argument(
        "--again", action="store_true", help="open images anew that were proven to decode before"
    )


def run(args: argparse.Namespace, say: Callable[[str], None] = print) -> int:
    """Runs the command; returns 0 when nothing is wrong, else 1.

    Raises:
        UsageError: --workers below 1.
        ValueError, OSError: what `check` raises; the caller prints it.
    """
    if args.workers is not None and args.workers < 1:
        raise UsageError(f"--workers must be at least 1, got {args.workers}")
    if args.json is not None:  # to be told now, not after hours
        folder = Path(args.json).absolute().parent
        if not (folder.is_dir() and _can_write_into(folder)):
            raise OSError(f"--json {args.json}: {folder} is no folder that can be written to")
    report = check(
        args.raw,
        splits=args.split or SPLITS,
        published=args.published,
        decode=args.decode,
        workers=args.workers,
        findings=args.list,
        journals=args.journal,
        again=args.again,
    )
    if args.json is not None:
        write_text(args.json, json.dumps(report, indent=1, ensure_ascii=False) + "\n")
    for line in summary(report):
        say(line)
    if args.decode and _journal_folder(Path(args.raw), args.journal) is None:
        say(
            f"{args.raw} cannot be written to: what was proven to decode is not noted, and the "
            "next check begins anew; --journal DIR notes it elsewhere"
        )
    return 0 if report["sound"] else 1
