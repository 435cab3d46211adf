"""The result of a check: JSON for machines, a page of text for people."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any

from tfrecords_tools.integrity.files import SplitFiles
from tfrecords_tools.integrity.published import Comparison, stage_of
from tfrecords_tools.integrity.tables import Tables
from tfrecords_tools.integrity.tally import EXAMPLES, Tally
from tfrecords_tools.integrity.traits import TREATMENT, TREATMENT_OF_FAULTS

FORMAT_VERSION = 1
SHOWN_PROBLEMS = 20


def make_report(
    tables: Tables,
    edition: str,
    comparisons: list[Comparison],
    splits: dict[str, tuple[SplitFiles, Tally | None]],
    problems: list[str],
) -> dict[str, Any]:
    """Everything that was found, as JSON values.

    Args:
        tables: what the CSVs hold.
        edition: a key of `published.EDITIONS`.
        comparisons: counts beside the published ones.
        splits: files of each split that is there, and what its images are where they were opened.
        problems: all that is wrong, a line each; none means that the folder is sound.
    """
    stage = None
    if tables.is_kaggles:
        stage = stage_of(tables.counts.get("train images", 0))
    return {
        "format_version": FORMAT_VERSION,
        "folder": str(tables.root),
        "sound": not problems,
        "problems": problems,
        "edition": edition,
        "stage": stage,
        "published": [dataclasses.asdict(c) | {"agrees": c.agrees} for c in comparisons],
        "tables": tables.files,
        "counts": tables.counts,
        "splits": {name: _split(files, tally) for name, (files, tally) in splits.items()},
        "treatment": TREATMENT_OF_FAULTS | TREATMENT,
    }


def summary(report: dict[str, Any]) -> Iterator[str]:
    """The report as lines for a terminal; of each kind of finding a count, never a list."""
    stage = f", {report['stage']} stage" if report["stage"] else ""
    yield f"{report['folder']}: laid out as {report['edition']}{stage}"
    for name, split in report["splits"].items():
        yield from _split_lines(name, split)
    shared = report["counts"].get("index classes that train has too")
    if shared is not None:
        images = report["counts"].get("index images of classes that train has too")
        yield f"label spaces: {shared:,} classes of index are in train too, by category" + (
            "" if images is None else f", with {images:,} index images"
        )
    yield _published_line(report)
    problems = report["problems"]
    if not problems:
        yield "nothing is wrong"
        return
    yield f"{len(problems)} problem(s):"
    for problem in problems[:SHOWN_PROBLEMS]:
        yield f"  {problem}"
    if len(problems) > SHOWN_PROBLEMS:
        yield f"  ... and {len(problems) - SHOWN_PROBLEMS} more"


def counted(kinds: dict[str, int]) -> str:
    """`{"grey": 3, "tiny": 1}` as "3 grey, 1 tiny"."""
    return ", ".join(f"{count:,} {kind}" for kind, count in kinds.items())


def _split(files: SplitFiles, tally: Tally | None) -> dict[str, Any]:
    return {
        "listed": len(files.listed),
        "with_file": len(files.present),
        "missing": len(files.absent),
        "missing_of_clean": files.clean_absent,
        "missing_examples": [image_id.decode("ascii") for image_id in files.absent[:EXAMPLES]],
        "not_listed": len(files.not_listed),
        "not_listed_examples": [
            image_id.decode("ascii") for image_id in files.not_listed[:EXAMPLES]
        ],
        "unreadable_folders": len(files.unreadable),
        "unreadable_examples": [
            {"path": path, "reason": reason} for path, reason in files.unreadable[:EXAMPLES]
        ],
        "images": None if tally is None else tally.as_json(),
    }


def _split_lines(name: str, split: dict[str, Any]) -> Iterator[str]:
    line = f"{name}: {split['listed']:,} images listed, {split['with_file']:,} with a file"
    images = split["images"]
    if images is None:
        yield line + " (not opened)"
    else:
        before = images["checked_before"]
        yield f"{line}, {images['good']:,} decode" + (
            f" ({before:,} of them proven before)" if before else ""
        )
        if images["traits"]:
            yield f"  unusual, kept: {counted(images['traits'])}"
    if split["not_listed"]:
        yield f"  {split['not_listed']:,} file(s) are in no list: ignored"


def _published_line(report: dict[str, Any]) -> str:
    rows = report["published"]
    other = [row for row in rows if not row["agrees"]]
    if not other:
        return f"all {len(rows)} counts are the published ones of {report['edition']}"
    if len(other) == len(rows):
        first = other[0]
        return (
            f"a data set of its own: none of the {len(rows)} counts is that of the published "
            f"{report['edition']} ({first['name']}: {first['published']:,})"
        )
    parts = [
        f"{row['name']} {'none' if row['found'] is None else format(row['found'], ',')} "
        f"({row['published']:,})"
        for row in other
    ]
    return (
        f"{len(rows) - len(other)} of {len(rows)} counts are the published ones of "
        f"{report['edition']}; here (published): {', '.join(parts)}"
    )
