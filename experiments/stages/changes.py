"""What changed in the data since an earlier call of the same run: no old answer to a new test.

The training pictures are part of the run (`Workdir.claim`). Another test set, other records and
ground truth that has come since are evaluated anew, without a training; a raw folder whose other
tables changed is no longer what the records were made from, and is refused.
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

from experiments.stages.context import Context
from experiments.stages.prepare import convert_split
from experiments.stages.submission import SAMPLE
from experiments.tasks import SOLUTIONS
from experiments.workdir import WorkdirError, read_json
from landmarks_tf.records import Manifest, replacing, sha256_of_file

_DIGITS = 12


def evaluated_on(context: Context) -> dict[str, str]:
    """Name of each split and each solution of the records -> the beginning of its SHA-256."""
    found = {
        split: Manifest.load(context.records, split).index_sha256[:_DIGITS]
        for split in ("train", "validation", "index", "test")
        if context.has_split(split)
    }
    paths = [context.metadata / name for name in SOLUTIONS.values()]
    return found | {path.name: sha256_of_file(path)[:_DIGITS] for path in paths if path.is_file()}


def look_for_changes(context: Context) -> None:
    """Forget an evaluation of other records or ground truth than are there now, and say so.

    Raises:
        WorkdirError: a table of the raw folder is not the one that the records were made from.
        ConversionError: the raw folder's new test set cannot be converted.
    """
    if context.source.kind == "raw" and context.workdir.is_done("prepare"):
        _follow_raw_folder(context)
    if not context.workdir.is_done("evaluate"):
        return
    before = read_json(context.workdir.metrics).get("evaluated_on")
    now = evaluated_on(context)
    if before is None or before == now:  # None: of a run from before this was noted
        return
    changed = [name for name in before | now if before.get(name) != now.get(name)]
    print(
        f"note: evaluated anew, for since then these changed: {', '.join(changed)}.",
        file=sys.stderr,
    )
    context.workdir.unmark("evaluate")


def _follow_raw_folder(context: Context) -> None:
    """Take over ground truth and another test set, neither of which the training has seen."""
    changeable = {
        name: place
        for name in (*SOLUTIONS.values(), SAMPLE)
        if (place := _place(context, name)) is not None
    }
    for copy in sorted(context.metadata.glob("*.csv")):
        place = _place(context, copy.name)
        if copy.name not in changeable and place is not None and _differ(place, copy):
            raise WorkdirError(
                f"{place} changed since the records of this run were made from it. Put the former "
                f"one back, or use another --workdir."
            )
    for name, place in changeable.items():
        copy = context.metadata / name
        if copy.is_file() and not _differ(place, copy):
            continue
        if name == SAMPLE and copy.is_file():
            print(f"note: {place} changed: the test set is converted anew.", file=sys.stderr)
            _forget_test_records(context.records)
        with replacing(copy) as partial:
            shutil.copyfile(place, partial)
    for split in ("index", "test"):
        # Also what was not there yet when the training was begun.
        if not context.has_split(split) and context.source.has(split):
            convert_split(context, context.source.folder, split)


def _forget_test_records(records: Path) -> None:
    # The manifest first: without it the rest is not taken for whole.
    Manifest.path(records, "test").unlink(missing_ok=True)
    for path in records.glob("test[-.]*"):
        path.unlink()


def _place(context: Context, name: str) -> Path | None:
    """Where a raw folder has a CSV; None where it is nowhere."""
    folder = context.source.folder
    places = [folder / where / name for where in (".", "train", "index", "test")]
    return next((place for place in places if place.is_file()), None)


def _differ(one: Path, other: Path) -> bool:
    return sha256_of_file(one) != sha256_of_file(other)
