"""The scored queries of an evaluated run with what was found for them, as arrays."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from experiments.stages.context import Context
from experiments.stages.landmarks import index_landmarks, landmark_names
from landmarks_tf import metrics

PARTS = ("public", "private")
_ROWS_PER_BLOCK = 65_536


@dataclass(frozen=True, eq=False)
class Rankings:
    """Queries of the public and the private part, in the solution's order, public first.

    Attributes:
        queries: (Q,) ids.
        query_rows: (Q,) rows of the test split.
        parts: (Q,) "public" or "private".
        truth: for each query the index rows that answer it (those that the index has).
        precision: (Q,) AP@100.
        found: (Q, K) index rows, best first, -1 past the end of a list.
        tests: (T, D) embeddings of the test split.
        index: (N, D) embeddings of the index.
        landmark: (N,) the landmark of each index row, -1 where none is known.
        names: landmark -> name.
    """

    queries: list[str]
    query_rows: np.ndarray
    parts: list[str]
    truth: list[np.ndarray]
    precision: np.ndarray
    found: np.ndarray
    tests: np.ndarray
    index: np.ndarray
    landmark: np.ndarray
    names: dict[int, str]

    @cached_property
    def asked(self) -> np.ndarray:
        """(Q,) the landmark of each query: the commonest of its answers; -1 where none is known."""
        asked = []
        for rows in self.truth:
            known = [one for one in self.landmark[rows].tolist() if one >= 0]
            asked.append(Counter(known).most_common(1)[0][0] if known else -1)
        return np.array(asked, np.int64)

    @cached_property
    def right(self) -> np.ndarray:
        """(Q, K) whether a found row is an answer."""
        return np.stack([np.isin(r, t) for r, t in zip(self.found, self.truth, strict=True)])

    def name(self, landmark: int) -> str:
        """A landmark's name, its number where it has none, "" for none."""
        return "" if landmark < 0 else self.names.get(landmark, f"landmark {landmark}")

    def cosine(self, query: int, row: int) -> float:
        """Of a query and an index row."""
        vectors = self.tests[self.query_rows[query]], self.index[row]
        return float(np.dot(*(vector.astype(np.float64) for vector in vectors)))

    def first_right(self, query: int) -> tuple[int, int] | None:
        """(rank from 1, index row) of the best placed answer; None if the index has none.

        Beyond the ranking it is counted by the float32 product with the whole index.
        """
        hits = np.flatnonzero(self.right[query])
        if len(hits):
            return int(hits[0]) + 1, int(self.found[query, hits[0]])
        answers = self.truth[query]
        if not len(answers):
            return None
        vector = self.tests[self.query_rows[query]].astype(np.float32)
        scores = np.asarray(self.index[answers], np.float32) @ vector
        above = 0
        for start in range(0, len(self.index), _ROWS_PER_BLOCK):
            block = np.asarray(self.index[start : start + _ROWS_PER_BLOCK], np.float32)
            above += int((block @ vector > scores.max()).sum())
        return above + 1, int(answers[scores.argmax()])


def read_rankings(context: Context) -> Rankings:
    """The trained network's rankings, as they were written and scored.

    Raises:
        ValueError, OSError: embeddings of another model, or files that do not belong together.
    """
    from landmarks_tf.retrieval.embed import load_embeddings

    late = context.after_training()
    tests, index = (
        load_embeddings(
            late.embeddings_path(split, trained=True),
            fingerprint=late.fingerprint_of(split, trained=True),
        )
        for split in ("test", "index")
    )
    solution = metrics.read_retrieval_solution(context.metadata / "retrieval_solution_v2.1.csv")
    answers = metrics.read_retrieval_predictions(
        context.workdir.predictions / "retrieval.csv", solution
    )
    test_row = {image_id: row for row, image_id in enumerate(tests.ids.tolist())}
    index_row = {image_id: row for row, image_id in enumerate(index.ids.tolist())}
    queries, parts, truth, precision, found = [], [], [], [], []
    for part in PARTS:
        truths, given = getattr(solution, part), getattr(answers, part)
        if not truths:
            continue
        scores = metrics.average_precisions(metrics.find_hits(given, truths))
        for (query, wanted), score in zip(truths.items(), scores.tolist(), strict=True):
            if query not in test_row:
                continue
            queries.append(query)
            parts.append(part)
            truth.append(np.array([index_row[i] for i in wanted if i in index_row], np.int64))
            precision.append(score)
            found.append([index_row[image_id] for image_id in given.get(query, ())])
    if not queries:
        raise ValueError(
            "no query of the solution has an embedding: is the solution of another data set?"
        )
    table = index_landmarks(context.metadata)
    return Rankings(
        queries=queries,
        query_rows=np.array([test_row[query] for query in queries]),
        parts=parts,
        truth=truth,
        precision=np.array(precision),
        found=_padded(found),
        tests=tests.vectors,
        index=index.vectors,
        landmark=np.array([table.get(i, -1) for i in index.ids.tolist()], np.int64),
        names=landmark_names(context.metadata),
    )


def _padded(lists: list[list[int]]) -> np.ndarray:
    rows = np.full((len(lists), max(1, max(map(len, lists)))), -1, np.int64)
    for row, values in zip(rows, lists, strict=True):
        row[: len(values)] = values
    return rows
