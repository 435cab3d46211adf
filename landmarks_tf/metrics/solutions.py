"""Readers of the competition's solution and prediction files.

The rules are those of the organisers' own reader (tensorflow/models, research/delf,
google_landmarks_dataset), so a file that both accept gives the same numbers. This one is stricter
where theirs would lose something in silence: they skip the first line whatever it holds, and so a
prediction file without a header loses its first query and nobody is told. Here that is an error.

    retrieval_solution_v2.1.csv     id,images,Usage      images: index ids, or None where ignored
    recognition_solution_v2.1.csv   id,landmarks,Usage   landmarks: train landmark ids, or empty
    retrieval predictions           id,images            index ids, best first
    recognition predictions         id,landmarks         "<landmark> <confidence>", or empty
"""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Container, Iterator
from dataclasses import dataclass, field
from math import isfinite
from pathlib import Path
from typing import NamedTuple

USAGES = ("Public", "Private", "Ignored")
_IMAGE_ID = re.compile(r"[0-9a-f]{16}")
_INTEGER = re.compile(r"[+-]?[0-9]{1,18}")
# The ground truth of one query can be longer than the csv module's own limit of 131,072 characters
# (7,710 ids), and NumPy alone bounds what we can score.
_LONGEST_FIELD = 1 << 30


class SolutionFormatError(ValueError):
    """A solution or prediction file breaks its format; the message names file and line."""


@dataclass(frozen=True)
class Solution:
    """Ground truth of one competition file.

    Args:
        public: query id -> its ground truth, in file order: index image ids (str) for retrieval,
            train landmark ids (int, perhaps none) for recognition.
        private: the same for the queries of the private part.
        ignored: ids of queries that are not scored.
    """

    public: dict[str, list]
    private: dict[str, list]
    ignored: set[str] = field(default_factory=set)

    def __contains__(self, query_id: str) -> bool:
        return query_id in self.public or query_id in self.private or query_id in self.ignored


class Prediction(NamedTuple):
    """One recognition answer: a train landmark id and a confidence on any scale."""

    landmark: int
    score: float


class Predictions(NamedTuple):
    """Predictions of one file, split as its solution is; queries without an answer are absent."""

    public: dict
    private: dict


def read_retrieval_solution(path: str | Path) -> Solution:
    """Reads `id,images,Usage`. Ground truth is a non-empty list of index ids.

    Raises:
        SolutionFormatError: wrong columns, an unknown Usage, a repeated query, or a Public or
            Private row without ground truth (its average precision is undefined).
        OSError: the file cannot be read.
    """
    return _read_solution(Path(path), "images", _retrieval_truth)


def read_recognition_solution(path: str | Path) -> Solution:
    """Reads `id,landmarks,Usage`. Ground truth is a list of landmark ids, empty for no landmark.

    Raises:
        SolutionFormatError: wrong columns, an unknown Usage, a repeated query or a landmark id
            that is no integer.
        OSError: the file cannot be read.
    """
    return _read_solution(Path(path), "landmarks", _recognition_truth)


def read_retrieval_predictions(path: str | Path, solution: Solution) -> Predictions:
    """Reads `id,images`: query id -> list of index ids, best first, of any length.

    Rows of ignored queries are dropped, rows without an answer count as no prediction.

    Raises:
        SolutionFormatError: no header, wrong columns, a query that the solution does not know, a
            query answered twice, two blanks in a row inside a list (the organisers' reader would
            take the gap for an id that occupies a rank).
        OSError: the file cannot be read.
    """
    return _read_predictions(Path(path), "images", solution, _ranked_ids)


def read_recognition_predictions(path: str | Path, solution: Solution) -> Predictions:
    """Reads `id,landmarks`: query id -> `Prediction`.

    Raises:
        SolutionFormatError: as `read_retrieval_predictions`, and an answer that is not exactly a
            landmark id and a finite confidence.
        OSError: the file cannot be read.
    """
    return _read_predictions(Path(path), "landmarks", solution, _landmark_and_score)


def _read_solution(path: Path, column: str, parse: Callable[[str], list]) -> Solution:
    solution = Solution({}, {}, set())
    parts = {"Public": solution.public, "Private": solution.private}
    for line, (query_id, answer, usage, *_) in _rows(path, ("id", column, "Usage"), ()):
        where = f"{path}, line {line}"
        if usage not in USAGES:
            raise SolutionFormatError(
                f"{where}: expected Usage to be one of {', '.join(USAGES)}, received {usage!r}."
            )
        if query_id in solution:
            raise SolutionFormatError(
                f"{where}: query {query_id!r} is repeated; expected one row a query."
            )
        if usage == "Ignored":
            solution.ignored.add(query_id)
            continue
        try:
            parts[usage][query_id] = parse(answer)
        except ValueError as error:
            raise SolutionFormatError(f"{where}, query {query_id!r}: {error}") from None
    return solution


def _read_predictions(
    path: Path, column: str, solution: Solution, parse: Callable[[str], object]
) -> Predictions:
    predictions = Predictions({}, {})
    for line, (query_id, answer, *_) in _rows(path, ("id", column), solution):
        where = f"{path}, line {line}"
        # As the organisers have it: only an answer that was kept can be repeated.
        if query_id in predictions.public or query_id in predictions.private:
            raise SolutionFormatError(
                f"{where}: query {query_id!r} is repeated; expected one row a query."
            )
        if query_id in solution.ignored or not answer.rstrip(" "):
            continue
        if query_id in solution.public:
            part = predictions.public
        elif query_id in solution.private:
            part = predictions.private
        else:
            raise SolutionFormatError(
                f"{where}: query {query_id!r} is unknown; expected an id of the solution file "
                f"({len(solution.public)} public, {len(solution.private)} private, "
                f"{len(solution.ignored)} ignored). Is this the solution of another data set or of "
                "another version?"
            )
        try:
            part[query_id] = parse(answer)
        except ValueError as error:
            raise SolutionFormatError(f"{where}, query {query_id!r}: {error}") from None
    return predictions


def _retrieval_truth(answer: str) -> list[str]:
    ids = answer.split()
    if not ids or ids == ["None"]:
        raise ValueError(
            f"expected index ids in the column images, received {answer!r}. "
            "A query without ground truth must have the Usage Ignored."
        )
    return ids


def _recognition_truth(answer: str) -> list[int]:
    return [_landmark(text) for text in answer.split()]


def _ranked_ids(answer: str) -> list[str]:
    ids = answer.rstrip(" ").split(" ")
    if "" in ids:
        raise ValueError(
            f"expected ids with one blank between them, received a gap at rank "
            f"{ids.index('') + 1}; write the list again without it."
        )
    return ids


def _landmark_and_score(answer: str) -> Prediction:
    words = answer.rstrip(" ").split(" ")
    if len(words) != 2:
        raise ValueError(
            f'expected exactly "<landmark> <confidence>", received {len(words)} words: {answer!r}.'
        )
    try:
        score = float(words[1])
    except ValueError:
        score = float("nan")
    if not isfinite(score):
        raise ValueError(f"expected a finite number as confidence, received {words[1]!r}.")
    return Prediction(_landmark(words[0]), score)


def _landmark(text: str) -> int:
    if not _INTEGER.fullmatch(text):
        raise ValueError(f"expected an integer landmark id, received {text!r}.")
    return int(text)


def _rows(
    path: Path, columns: tuple[str, ...], known_ids: Container[str]
) -> Iterator[tuple[int, list[str]]]:
    """Yields (line number, fields) of every row that is not blank, after checking the header."""
    header: list[str] | None = None
    for line, row in _csv_rows(path):
        if not any(field.strip() for field in row):
            continue
        if header is None:
            _check_header(path, row, columns, known_ids)
            header = row
        elif len(row) != len(header):
            raise SolutionFormatError(
                f"{path}, line {line}: expected {len(header)} fields ({','.join(header)}), "
                f"received {len(row)}. Ids in a list are separated by blanks, not commas."
            )
        else:
            yield line, row
    if header is None:
        raise SolutionFormatError(
            f"{path} is empty; expected the header {','.join(columns)} and one row a query."
        )


def _check_header(
    path: Path, row: list[str], columns: tuple[str, ...], known_ids: Container[str]
) -> None:
    received = tuple(name.strip().lower() for name in row[: len(columns)])
    if received == tuple(name.lower() for name in columns):
        return
    wanted = ",".join(columns)
    if row[0] in known_ids or _IMAGE_ID.fullmatch(row[0]):
        raise SolutionFormatError(
            f"{path} has no header: its first line is already the query {row[0]!r}, which the "
            f"organisers' reader would skip without a word. Put the line {wanted} on top."
        )
    raise SolutionFormatError(
        f"{path}, line 1: expected the columns {wanted}, received {','.join(row)[:200]!r}."
        + _what_it_is([name.strip().lower() for name in row], columns)
    )


def _what_it_is(received: list[str], columns: tuple[str, ...]) -> str:
    """A sentence where the header is that of another of the competition's files."""
    tasks = {"images": "retrieval", "landmarks": "recognition"}
    task = tasks.get(received[1]) if len(received) > 1 else None
    if task is None:
        return ""
    if received[1] != columns[1]:
        return f" This is a file of the {task} task."
    return " A solution has the column Usage; this is a predictions file, or of another version."


def _csv_rows(path: Path) -> Iterator[tuple[int, list[str]]]:
    previous = csv.field_size_limit(_LONGEST_FIELD)
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(file)
            for row in reader:
                yield reader.line_num, row
    except UnicodeDecodeError as error:
        raise SolutionFormatError(
            f"{path} is no UTF-8 text ({error.reason} at byte {error.start}); "
            "expected a CSV file of the competition."
        ) from None
    except csv.Error as error:
        raise SolutionFormatError(f"{path} cannot be read as CSV: {error}.") from None
    finally:
        csv.field_size_limit(previous)
