"""What scoring starts from: a model in a folder or an archive, a solution that fits the data."""

from __future__ import annotations

import csv
import sys
import tempfile
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path

from landmarks_tf.metrics import Solution
from landmarks_tf.metrics.solution_version import check_solution_fits


def check_fits(solution: Solution, data: str | Path, task: str) -> None:
    """Compares a solution with the tables of the data set; tells on standard error what is missing.

    Args:
        data: folder with test.csv (or sample_submission.csv), and index.csv (retrieval) or
            train.csv (recognition).
        task: "retrieval" or "recognition".

    Raises:
        ValueError: nothing of it fits, or a table without the column.
        OSError: a table cannot be read.
    """
    folder = Path(data)
    if task == "retrieval":
        answers, what = _column(folder / "index.csv", "id"), "index images"
    else:
        answers, what = set(map(int, _column(folder / "train.csv", "landmark_id"))), "landmarks"
    tests = folder / "test.csv"
    if not tests.is_file() and (folder / "sample_submission.csv").is_file():
        tests = folder / "sample_submission.csv"  # the list of a Kaggle edition
    queries = _column(tests, "id")
    tell_what_is_missing(solution, queries=queries, answers=answers, what=what)


def tell_what_is_missing(
    solution: Solution, *, queries: Collection[str], answers: Collection, what: str
) -> None:
    """`metrics.check_solution_fits`, its notes as warnings on standard error.

    Raises:
        SolutionFormatError: nothing of the solution fits.
    """
    for note in check_solution_fits(solution, queries=queries, answers=answers, what=what):
        print(f"warning: {note}", file=sys.stderr)


@contextmanager
def model_folder(path: Path) -> Iterator[Path]:
    """The folder of a SavedModel; a submission.zip is unpacked into one that goes again.

    Raises:
        ValueError, OSError: as `landmarks_tf.export.kaggle_zip.unpack_submission`.
    """
    if path.suffix != ".zip" or path.is_dir():
        yield path
        return
    from landmarks_tf.export.kaggle_zip import unpack_submission

    with tempfile.TemporaryDirectory() as folder:
        unpack_submission(path, folder)
        yield Path(folder)


def _column(path: Path, name: str) -> set[str]:
    with path.open(newline="", encoding="utf-8-sig") as file:
        rows = csv.DictReader(file)
        if name not in (rows.fieldnames or ()):
            raise ValueError(
                f"{path}: expected a column {name}, received {','.join(rows.fieldnames or ())!r}."
            )
        return {row[name] for row in rows}
