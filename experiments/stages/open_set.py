"""Open-set recognition on an evaluated run: penalty, calibration and threshold, chosen on public.

    python -m experiments.run --exp NAME --data DATA --stage open_set

Most test pictures show no landmark of the train set. The public queries without one serve as the
known non-landmarks; number of neighbours, vote, weights, calibration and threshold are chosen by
the public queries alone, and the private ones tell what that is worth. A public query is never
compared with itself. Nothing of it enters metrics.json or the predictions of the run.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np

from experiments.config import Evaluation
from experiments.stages.context import Context
from experiments.workdir import write_json
from landmarks_tf import metrics
from landmarks_tf.retrieval.calibration import fit_logistic
from landmarks_tf.retrieval.exact import ExactIndex
from landmarks_tf.retrieval.knn import knn_classify
from landmarks_tf.retrieval.open_set import Penalty, non_landmark_similarity, recognize
from landmarks_tf.retrieval.threshold import choose_threshold, open_set_scores

NEIGHBOURS = (1, 3, 5)
VOTES = ("cosine", "majority")
REFERENCE_WEIGHTS = (0.0, 0.25, 0.5, 0.75, 1.0)
QUERY_WEIGHTS = (0.0, 0.25, 0.5, 1.0)
PARTS = ("public", "private")


class Pictures(NamedTuple):
    """What the study reads.

    Args:
        queries: (Q, D) unit rows, `ids` (Q,) their image ids.
        ids: see `queries`.
        train: the train images, searched exactly.
        landmarks: (N,) landmark id of each train image.
    """

    queries: np.ndarray
    ids: list[str]
    train: ExactIndex
    landmarks: np.ndarray


class Answers(NamedTuple):
    """Landmark ids (Q,) and confidences (Q,)."""

    landmarks: np.ndarray
    confidences: np.ndarray


def run(context: Context) -> list[Path]:
    """Write open_set/open_set.json and open_set.md.

    Raises:
        ValueError, OSError: no public query without a landmark, or as the readers.
    """
    import keras

    import landmarks_tf.layers  # noqa: F401  (registers the classes that the embedder holds)
    from experiments.stages.evaluate import embed, landmark_ids

    late = context.after_training()
    embedder = keras.saving.load_model(context.workdir.embedder, compile=False)
    tests, train = (embed(late, embedder, split, trained=True) for split in ("test", "train"))
    labels = np.asarray(late.index_of("train").label)
    pictures = Pictures(
        tests.vectors,
        tests.ids.tolist(),
        ExactIndex(train.vectors),
        landmark_ids(context.records)[labels],
    )
    solution = metrics.read_recognition_solution(context.metadata / "recognition_solution_v2.1.csv")
    result = study(pictures, solution, late.experiment.evaluation.knn_neighbours)
    folder = context.workdir.root / "open_set"
    folder.mkdir(exist_ok=True)
    text = markdown(result)
    (folder / "open_set.md").write_text(text, encoding="utf-8")
    write_json(folder / "open_set.json", result)
    print(text)
    return [folder / "open_set.json", folder / "open_set.md"]


def by_neighbours(
    evaluation: Evaluation, queries, train, labels: np.ndarray, solution: Path
) -> tuple[np.ndarray, np.ndarray]:
    """A recipe's recognition "knn": classes (Q,) and finite confidences (Q,) for GAP.

    Args:
        queries: `landmarks_tf.retrieval.Embeddings` of the test pictures.
        train: (N, D) unit rows, `labels` (N,) their classes.
        solution: the recognition solution, read where the recipe has a penalty.

    Raises:
        ValueError, OSError: an unknown vote, a negative weight, no public query without a landmark,
            or as the solution's reader.
    """
    common = {"k": evaluation.knn_neighbours, "vote": evaluation.knn_vote}
    if not evaluation.reference_penalty and not evaluation.query_penalty:
        classes, confidences = knn_classify(queries.vectors, train, labels, **common)
    else:
        penalty = Penalty(
            reference_weight=evaluation.reference_penalty, query_weight=evaluation.query_penalty
        )
        generic, own = _non_landmarks(
            queries.ids.tolist(), metrics.read_recognition_solution(solution)
        )
        scenes = np.asarray(queries.vectors)[generic]
        classes, confidences = recognize(
            queries.vectors, train, labels,
            non_landmarks=scenes, penalty=penalty, own_rows=own, **common,
        )  # fmt: skip
    # A vote at no distance is infinite, and a competition file takes no such number.
    return classes, np.minimum(confidences, np.finfo(np.float64).max)


def _non_landmarks(ids: list[str], solution: metrics.Solution) -> tuple[np.ndarray, np.ndarray]:
    """Rows of the public queries without a landmark, and (Q,) the place of each query among them.

    The place is -1 for others.
    """
    row_of = {image_id: row for row, image_id in enumerate(ids)}
    generic = [row_of[q] for q, truth in solution.public.items() if not truth and q in row_of]
    if not generic:
        raise ValueError(
            "expected public queries without a landmark in the recognition solution, to know "
            "non-landmarks by; found none among the test pictures."
        )
    own = np.full(len(ids), -1)
    own[generic] = np.arange(len(generic))
    return np.array(generic), own


def study(pictures: Pictures, solution: metrics.Solution, baseline_k: int) -> dict:
    """All steps for one set of embeddings; JSON-ready.

    Args:
        baseline_k: k of the run's own neighbours, which the steps are compared with.

    Returns:
        "non_landmarks", the number of them, and "steps": for each of the run's own neighbours, the
        best neighbours without a penalty, with it, and calibrated: what was "chosen", "public" and
        "private" {"gap", "gap_ignoring_non_landmarks", "top1", ...}, "against_baseline" (private:
        difference of GAP, interval, p-value), and "threshold" (private scores of the threshold of
        the best public F1).

    Raises:
        ValueError: no public query without a landmark has an embedding.
    """
    generic, own = _non_landmarks(pictures.ids, solution)
    steps = {
        "run": (
            {"k": baseline_k, "vote": "cosine"},
            Answers(
                *knn_classify(pictures.queries, pictures.train, pictures.landmarks, k=baseline_k)
            ),
        ),
        "neighbours": _best(pictures, solution, generic, own, (0.0,), (0.0,)),
        "penalty": _best(pictures, solution, generic, own, REFERENCE_WEIGHTS, QUERY_WEIGHTS),
    }
    chosen, answers = steps["penalty"]
    steps["calibrated"] = chosen, _calibrated(pictures, solution, answers, generic, own)
    return {
        "non_landmarks": len(generic),
        "steps": {
            name: {"chosen": chosen, **_judged(pictures, solution, answers, steps["run"][1])}
            for name, (chosen, answers) in steps.items()
        },
    }


def _best(pictures, solution, generic, own, reference_weights, query_weights):
    """What has the highest public GAP, the plainest of equals, and its answers."""
    from tqdm import tqdm

    scenes = pictures.queries[generic]
    grid = list(itertools.product(NEIGHBOURS, VOTES, reference_weights, query_weights))
    best, best_gap = None, -1.0
    for k, vote, reference, query in tqdm(grid, desc="chosen on public", disable=len(grid) < 9):
        penalty = Penalty(reference_weight=reference, query_weight=query)
        answers = Answers(
            *recognize(
                pictures.queries, pictures.train, pictures.landmarks,
                non_landmarks=scenes, penalty=penalty, k=k, vote=vote, own_rows=own,
            )
        )  # fmt: skip
        gap = metrics.global_average_precision(
            _of_part(pictures, answers, solution.public), solution.public
        )
        if gap > best_gap:
            chosen = {"k": k, "vote": vote, "reference_weight": reference, "query_weight": query}
            best, best_gap = (chosen, answers), gap
    return best


def _calibrated(pictures, solution, answers, generic, own) -> Answers:
    """The same answers with the probability, learnt on public, that they are right."""
    _, correct, rows = _truth(pictures, answers, solution.public)
    features = _signs(pictures, answers, generic, own)
    if correct.all() or not correct.any():
        return answers
    return Answers(answers.landmarks, fit_logistic(features[rows], correct)(features))


def _signs(pictures, answers, generic, own) -> np.ndarray:
    """(Q, 4) confidence, nearest cosine, its lead over the next class, likeness to scenes."""
    cosines, rows = pictures.train.search(pictures.queries, min(50, len(pictures.train)))
    others = pictures.landmarks[rows] != pictures.landmarks[rows[:, :1]]
    next_class = np.where(others, cosines, -1.0).max(axis=1)
    likeness = non_landmark_similarity(
        pictures.queries, pictures.queries[generic], top=10, own_rows=own
    )
    nearest = cosines[:, 0]
    return np.column_stack([answers.confidences, nearest, nearest - next_class, likeness])


def _judged(pictures, solution, answers, baseline) -> dict:
    parts = {part: getattr(solution, part) for part in PARTS}
    named = {part: _of_part(pictures, answers, truths) for part, truths in parts.items()}
    result = {p: metrics.recognition_summary(named[p], truths) for p, truths in parts.items()}
    if result["private"]["gap"] is None or result["public"]["gap"] is None:
        return result
    others = _of_part(pictures, baseline, solution.private)
    test = metrics.paired_gap_test(named["private"], others, solution.private, resamples=2000)
    result["against_baseline"] = {
        "difference": test.difference,
        "interval": list(test.interval),
        "p_value": test.p_value,
    }
    shown, correct, rows = _truth(pictures, answers, solution.public)
    chosen = choose_threshold(answers.confidences[rows], correct, shown)
    shown, correct, rows = _truth(pictures, answers, solution.private)
    scores = open_set_scores(answers.confidences[rows], correct, shown, chosen.threshold)
    result["threshold"] = scores._asdict()
    return result


def _of_part(pictures: Pictures, answers: Answers, truths: Mapping[str, list]) -> dict:
    """query id -> (landmark, confidence) for the queries of a part."""
    every = zip(pictures.ids, answers.landmarks.tolist(), answers.confidences.tolist(), strict=True)
    return {query: (landmark, score) for query, landmark, score in every if query in truths}


def _truth(pictures: Pictures, answers: Answers, truths: Mapping[str, list]):
    """(shows a landmark, answered rightly, row of the test split) of a part's queries."""
    rows = [row for row, query in enumerate(pictures.ids) if query in truths]
    shown = np.array([bool(truths[pictures.ids[row]]) for row in rows])
    correct = np.array([int(answers.landmarks[r]) in truths[pictures.ids[r]] for r in rows])
    return shown, correct, np.array(rows)


def markdown(result: dict) -> str:
    """The study as a table."""
    lines = [
        f"Open-set recognition; {result['non_landmarks']} public queries without a landmark are "
        "the known non-landmarks.",
        "All is chosen on public. Threshold: of the best public F1, scored on private.",
        "",
        "| step | chosen | GAP public | GAP private | gain, 95 % interval | p "
        "| precision | recall | accuracy |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for name, step in result["steps"].items():
        chosen = ", ".join(f"{key} {value}" for key, value in step["chosen"].items())
        gaps = " | ".join(_number(step[part]["gap"]) for part in PARTS)
        lines.append(f"| {name} | {chosen} | {gaps} | {_compared(step)} |")
    return "\n".join(lines) + "\n"


def _compared(step: dict) -> str:
    if "threshold" not in step:
        return " | ".join(["-"] * 5)
    test, scores = step["against_baseline"], step["threshold"]
    low, high = test["interval"]
    cells = [f"{test['difference']:+.4f} [{low:+.4f}, {high:+.4f}]", f"{test['p_value']:.3f}"]
    return " | ".join([*cells, *(_number(scores[k]) for k in ("precision", "recall", "accuracy"))])


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.4f}"
