"""submission.csv, as Kaggle's editions of 2020 and 2021 take predictions.

A set with a sample_submission.csv asks for a row of each picture that it lists, in the task that
its header names; without one, data that has no index is taken for a recognition edition. GLDv2 and
Retrieval 2020, which takes a model, get none.
"""

from __future__ import annotations

import csv
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from experiments.stages.context import Context

SAMPLE = "sample_submission.csv"


def write_submission(context: Context) -> list[Path]:
    """Write submission.csv from the predictions of the evaluated run; [] where none is wanted.

    Raises:
        ValueError: the sample is malformed, or of other test pictures.
        OSError: a file cannot be read or written.
    """
    sample = context.metadata / SAMPLE
    if sample.is_file():
        task, ids = _asked(sample)
    elif context.has_split("index"):
        return []
    else:
        task, ids = "recognition", None
    if not context.tasks[task].is_answered:
        print(
            f"note: no submission.csv: {SAMPLE} asks for {task}, and the data has no index.",
            file=sys.stderr,
        )
        return []
    predictions = context.workdir.predictions / f"{task}.csv"
    rows = _rows(predictions)
    if ids is not None:
        rows = _as_asked(rows, ids, sample)
    _write(context.workdir.submission_csv, rows, task)
    answered = sum(map(bool, rows.values()))
    print(f"submission.csv: {len(rows):,} test pictures, {answered:,} of them with an answer.")
    return [context.workdir.submission_csv]


def _asked(sample: Path) -> tuple[str, list[str]]:
    """The task that a sample is of, and the ids that it lists."""
    from landmarks_tf.export.kaggle import read_sample_ids

    ids = read_sample_ids(sample)
    with sample.open(newline="", encoding="utf-8-sig") as stream:
        header = next(row for row in csv.reader(stream) if row)
    return "retrieval" if header[1].strip() == "images" else "recognition", ids


def _rows(predictions: Path) -> dict[str, str]:
    with predictions.open(newline="", encoding="ascii") as stream:
        rows = csv.reader(stream)
        next(rows)
        return dict(rows)


def _as_asked(rows: Mapping[str, str], ids: Sequence[str], sample: Path) -> dict[str, str]:
    """A row for each id of the sample, an empty one where the data lacks the picture."""
    strange = sorted(rows.keys() - set(ids))
    if strange:
        raise ValueError(
            f"{sample} lists {len(ids):,} pictures, but not {len(strange):,} of the {len(rows):,} "
            f"test pictures, such as {strange[0]}: it is of another test set. Convert the test "
            f"split anew with its own {SAMPLE}, or remove that file."
        )
    missing = len(ids) - len(rows)
    if missing:
        print(
            f"warning: {missing:,} of the {len(ids):,} pictures of {SAMPLE} are not among the test "
            f"pictures: their rows are empty.",
            file=sys.stderr,
        )
    return {image_id: rows.get(image_id, "") for image_id in ids}


def _write(path: Path, rows: Mapping[str, str], task: str) -> None:
    from landmarks_tf.export.kaggle import (
        write_recognition_submission,
        write_retrieval_submission,
    )

    if task == "retrieval":
        write_retrieval_submission(path, {query: answer.split() for query, answer in rows.items()})
        return
    answers = {query: answer.split() for query, answer in rows.items()}
    write_recognition_submission(
        path, {q: (int(a[0]), float(a[1])) if a else None for q, a in answers.items()}
    )
