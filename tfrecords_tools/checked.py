"""What `check` proved of the images of a conversion, so that they need not be decoded again.

A conversion with proof and one after a check write the same bytes: a file is taken unproven only
if its stamp (inode, size and times) is the one that the check noted after it had decoded it. All
others, and whatever changed since, are proven as ever.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np

from tfrecords_tools.integrity.journal import JOURNALS, Journal, journal_path
from tfrecords_tools.options import ConvertOptions, UsageError
from tfrecords_tools.plan import SplitPlan
from tfrecords_tools.raw import RawFolder


def refuse_without_use(options: ConvertOptions, *, has_files: bool) -> None:
    """Refuses a conversion that what was checked is of no use to.

    Args:
        options: of the conversion.
        has_files: whether its images are files, not records.

    Raises:
        UsageError: which option --checked does not go with.
    """
    for is_so, words in (
        (not has_files, "is for images in files, not for --records"),
        (not options.verify_pixels, "decodes what is not proven: leave --no-verify-pixels out"),
        (
            options.reencode_short_side is not None,
            "is of no use to --reencode-short-side, which decodes every image",
        ),
    ):
        if is_so:
            raise UsageError(f"--checked {words}")


def read_stamps(
    raw: RawFolder, folder: str | os.PathLike | None, splits: tuple[SplitPlan, ...]
) -> dict[str, np.ndarray]:
    """By split name (N,) uint64: the stamp that each image had when it was proven; 0 for none.

    Args:
        raw: what is converted.
        folder: of the journals; None means `.check` in the raw folder, where `check` keeps them.
        splits: of the plan.

    Raises:
        ValueError: there is no journal, or it is that of another folder or version.
        OSError: it cannot be read.
    """
    place = journal_path(raw.root / JOURNALS if folder is None else Path(folder), raw.split)
    if not place.is_file():
        raise ValueError(
            f"there is no {place}, where check notes what it has proven: run `python -m "
            f"tfrecords_tools check --raw {raw.root}` first (with --journal if that is not its "
            "place), or leave --checked out"
        )
    journal = Journal(place, raw.images)
    return {split.split: journal.stamps(split.ids) for split in splits}


def told(notes: list[dict[str, Any]]) -> str:
    """A line on what was not decoded again, and what was, from the notes of all shards."""
    images = sum(note["last"] - note["first"] + 1 for note in notes)
    checked = sum(note.get("checked", 0) for note in notes)
    others = "" if checked == images else "; the others were decoded now"
    return f"check had proven {checked} of {images} images{others}"
