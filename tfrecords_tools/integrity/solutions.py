"""The ground truth of the competitions against the ids that a folder knows."""

from __future__ import annotations

import dataclasses
from collections import Counter

import numpy as np

from tfrecords_tools.integrity.tables import Tables
from tfrecords_tools.tables import RawFolderError, read_rows, some_ids

USAGES = ("Public", "Private", "Ignored")
RETRIEVAL, RECOGNITION = "retrieval_solution_v2.1.csv", "recognition_solution_v2.1.csv"
_ID_BYTES = 16


@dataclasses.dataclass(frozen=True)
class _Solution:
    """Queries (Q,) S16, their `Usage`, and the words of each one's ground truth."""

    queries: np.ndarray
    usages: list[str]
    answers: list[list[str]]

    def __len__(self) -> int:
        return len(self.queries)


def check_solutions(tables: Tables) -> None:
    """Adds to `tables` what the two solution files hold, and what is wrong with them."""
    retrieval = tables.read(RETRIEVAL, lambda path: _read(path, "images"))
    if retrieval is not None:
        _check_queries(tables, RETRIEVAL, retrieval)
        _check_retrieval(tables, retrieval)
    recognition = tables.read(RECOGNITION, lambda path: _read(path, "landmarks"))
    if recognition is not None:
        _check_queries(tables, RECOGNITION, recognition)
        _check_recognition(tables, recognition)


def _read(path, column: str) -> _Solution:
    """Raises RawFolderError: wrong columns, an unknown Usage, an id that is none."""
    queries, usages, answers = [], [], []
    for line, (query, answer, usage) in read_rows(path, ["id", column, "Usage"]):
        if usage not in USAGES:
            raise RawFolderError(
                f"{path}, line {line}: Usage is one of {', '.join(USAGES)}, found {usage[:40]!r}"
            )
        words = answer.split()
        if usage != "Ignored" and column == "images" and words in ([], ["None"]):
            raise RawFolderError(
                f"{path}, line {line}: query {query[:40]!r} is scored ({usage}) and has no images; "
                "a query without ground truth has the Usage Ignored"
            )
        if column == "landmarks":
            _require_numbers(path, line, words)
        for word in (query, *words) if column == "images" else (query,):
            _require_id(path, line, word)
        queries.append(query.encode())
        usages.append(usage)
        answers.append([] if words == ["None"] else words)
    return _Solution(np.array(queries, f"S{_ID_BYTES}"), usages, answers)


def _require_id(path, line: int, word: str) -> None:
    if not (word.isascii() and 1 <= len(word) <= _ID_BYTES):
        raise RawFolderError(
            f"{path}, line {line}: an image id is at most {_ID_BYTES} ASCII letters and digits, "
            f"found {word[:40]!r}"
        )


def _require_numbers(path, line: int, words: list[str]) -> None:
    wrong = [word for word in words if not (word.isascii() and word.isdigit() and len(word) < 10)]
    if wrong:
        raise RawFolderError(
            f"{path}, line {line}: landmarks are whole numbers, found {wrong[0][:40]!r}"
        )


def _check_queries(tables: Tables, name: str, solution: _Solution) -> None:
    unique, counts = np.unique(solution.queries, return_counts=True)
    if len(unique) != len(solution):
        tables.problems.append(
            f"{name} has {int((counts > 1).sum())} quer(ies) with more than one row: "
            f"{some_ids(unique[counts > 1])}"
        )
    task = name.split("_")[0]
    usages = Counter(solution.usages)
    for usage in USAGES:
        tables.counts[f"{task} queries, {usage}"] = usages[usage]
    if tables.test_ids is None:
        return
    _report_unknown(tables, name, "quer(ies)", unique, tables.test_ids, "test.csv")


def _check_retrieval(tables: Tables, solution: _Solution) -> None:
    scored = sum(usage != "Ignored" for usage in solution.usages)
    tables.counts["scored retrieval queries"] = scored
    tables.truth = frozenset(word.encode() for answer in solution.answers for word in answer)
    if tables.index_ids is None:
        return
    images = np.array(sorted(tables.truth), f"S{_ID_BYTES}")
    _report_unknown(tables, RETRIEVAL, "image(s)", images, tables.index_ids, "index.csv")


def _check_recognition(tables: Tables, solution: _Solution) -> None:
    tables.counts["recognition queries with a landmark"] = sum(map(bool, solution.answers))
    if tables.train is None:
        return
    words = {int(word) for answer in solution.answers for word in answer}
    landmarks = np.array(sorted(words), np.int64)
    unknown = np.setdiff1d(landmarks, tables.train[1])
    if len(unknown):
        tables.problems.append(
            f"{RECOGNITION} names {len(unknown)} landmark_id(s) that train.csv does not have, "
            f"such as {unknown[0]}; index counts landmarks in another space than train"
        )


def _report_unknown(
    tables: Tables, name: str, what: str, ids: np.ndarray, known: np.ndarray, where: str
) -> None:
    unknown = np.setdiff1d(ids, known)
    if len(unknown):
        tables.problems.append(
            f"{name} names {len(unknown)} {what} that {where} does not know: {some_ids(unknown)}"
        )
