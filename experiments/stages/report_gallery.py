"""The queries that a run's report shows beside what was found for them."""

from __future__ import annotations

import csv
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from experiments.stages.context import Context
from experiments.stages.landmarks import landmark_names, searched_landmarks
from landmarks_tf import metrics as scores

QUERIES = 12
MATCHES = 6
_PARTS = ("public", "private")


@dataclass(frozen=True)
class _Query:
    """A test picture that is shown; `is_right` judges a searched row, None where nobody knows."""

    image_id: str
    note: str
    name: str = ""
    is_right: Callable[[int], bool] | None = None


def gallery(context: Context) -> list:
    """`GalleryRow`s of queries from the best to the worst, as far as that is known.

    By average precision where retrieval is scored; else by recognition, from the surest right
    answer to the surest wrong one, or to the least sure where nobody knows which are right.
    """
    from landmarks_tf.retrieval.embed import load_embeddings
    from landmarks_tf.retrieval.opening import open_index

    landmarks = searched_landmarks(context)
    names = landmark_names(context.metadata, context.searched_split)
    tests = load_embeddings(context.embeddings_path("test"))
    row_of = {image_id: row for row, image_id in enumerate(tests.ids.tolist())}
    if context.tasks["retrieval"].is_scored:
        chosen = _by_precision(context, landmarks, names)
    else:
        chosen = _by_confidence(context, landmarks)
    chosen = [query for query in chosen if query.image_id in row_of]
    if not chosen:
        return []
    index = open_index(context.workdir.index, check=False, report=lambda line: None)
    rows = [row_of[query.image_id] for query in chosen]
    found = index.search(np.asarray(tests.vectors[rows]), min(MATCHES, len(index)))
    return _rows(context, chosen, rows, found, [names.get(one, "") for one in landmarks.tolist()])


def _by_precision(context: Context, landmarks: np.ndarray, names: dict[int, str]) -> list[_Query]:
    from landmarks_tf.plots import pick_queries

    searched = context.index_of("index")
    landmark_of = dict(zip(_ids(searched), landmarks.tolist(), strict=True))
    solution = scores.read_retrieval_solution(
        context.metadata / context.tasks["retrieval"].solution
    )
    rankings = scores.read_retrieval_predictions(
        context.workdir.predictions / "retrieval.csv", solution
    )
    chosen = []
    for part in _PARTS:
        truth, answers = getattr(solution, part), getattr(rankings, part)
        if not truth:
            continue
        precisions = scores.average_precisions(scores.find_hits(answers, truth))
        queries = list(truth)
        for at in pick_queries(precisions, QUERIES // 2):
            relevant = frozenset(truth[queries[at]])
            chosen.append(
                _Query(
                    queries[at],
                    f"{part}, AP@100 {precisions[at]:.2f}",
                    names.get(landmark_of.get(truth[queries[at]][0], -1), ""),
                    lambda row, relevant=relevant: searched.id[row].decode("ascii") in relevant,
                )
            )
    return chosen


def _by_confidence(context: Context, landmarks: np.ndarray) -> list[_Query]:
    from landmarks_tf.plots import pick_queries

    answers = _answers(context)
    names = landmark_names(context.metadata, "train")
    notes = {
        query: f"answer: {names.get(landmark, f'landmark {landmark}')}, confidence {sure:.3g}"
        for query, (landmark, sure) in answers.items()
    }
    # The ground truth of recognition speaks of train landmarks: of an index it says nothing.
    if not (context.tasks["recognition"].is_scored and context.searched_split == "train"):
        queries = list(answers)
        picked = pick_queries([answers[query][1] for query in queries], QUERIES)
        return [_Query(queries[at], notes[queries[at]]) for at in picked]
    solution = scores.read_recognition_solution(
        context.metadata / context.tasks["recognition"].solution
    )
    chosen = []
    for part in _PARTS:
        truth = {q: set(t) for q, t in getattr(solution, part).items() if q in answers}
        queries = list(truth)
        right = [answers[query][0] in truth[query] for query in queries]
        order = [answers[q][1] * (1 if r else -1) for q, r in zip(queries, right, strict=True)]
        for at in pick_queries(order, QUERIES // 2):
            query = queries[at]
            chosen.append(
                _Query(
                    query,
                    f"{part}, {notes[query]}, {'right' if right[at] else 'wrong'}",
                    ", ".join(names.get(one, f"landmark {one}") for one in sorted(truth[query])),
                    lambda row, truth=truth[query]: int(landmarks[row]) in truth,
                )
            )
    return chosen


def _answers(context: Context) -> dict[str, tuple[int, float]]:
    """Test image id -> (landmark, confidence) as predicted; unanswered ones are left out."""
    with (context.workdir.predictions / "recognition.csv").open(newline="") as stream:
        rows = [(row["id"], row["landmarks"].split()) for row in csv.DictReader(stream)]
    return {query: (int(words[0]), float(words[1])) for query, words in rows if words}


def _ids(index) -> list[str]:
    return [image_id.decode("ascii") for image_id in index.id]


def _rows(context: Context, queries, query_rows, found, names: list[str]) -> list:
    from landmarks_tf.data.pictures import read_pictures
    from landmarks_tf.plots import GalleryRow, Match, thumbnail

    tests, searched = context.index_of("test"), context.index_of(context.searched_split)
    rows = []
    for query, row, cosines, matches in zip(queries, query_rows, *found, strict=True):
        picture = next(read_pictures(tests, [row]))
        shown = []
        for cosine, at, image in zip(
            cosines, matches, read_pictures(searched, matches), strict=True
        ):
            right = None if query.is_right is None else query.is_right(at)
            image_id = searched.id[at].decode("ascii")
            shown.append(Match(image_id, float(cosine), right, thumbnail(image), names[at]))
        rows.append(
            GalleryRow(query.image_id, thumbnail(picture), tuple(shown), query.name, query.note)
        )
    return rows
