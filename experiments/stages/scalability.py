"""How mAP@100 falls as the index grows: the scalability study of S0/S1.

Each index is all ground-truth images and every k-th row of index_image_to_landmark.csv, for k = 80,
40, 20, 10, 5, 2 and 1 (reproduction.md section 2.9); the search is exact, the numbers are relative
to the smallest index, public and private apart.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from experiments.stages.context import Context
from experiments.workdir import write_json

STEPS = (80, 40, 20, 10, 5, 2, 1)
NEIGHBOURS = 100
PARTS = ("public", "private")
FORMAT_VERSION = 1
# Above this share of ground truth in the smallest index its size says little of distractors.
_MOSTLY_GROUND_TRUTH = 0.5


def run(context: Context) -> list[Path]:
    """Write scalability.json, .csv, .md and .png for the trained and the untrained network.

    Raises:
        ValueError, OSError: embeddings of another model, a solution of another data set, or files
            that cannot be read.
    """
    from experiments import scalability_report

    result = _measured(context)
    folder = context.workdir.root / "scalability"
    written = scalability_report.write([result], folder)
    # Last: who finds it finds the others.
    write_json(folder / "scalability.json", result)
    print(scalability_report.markdown([result]))
    return [folder / "scalability.json", *written]


def members(order: np.ndarray, ground_truth: np.ndarray, steps: Sequence[int]) -> np.ndarray:
    """Which index rows stand in each sub-index: (S, N) bool.

    Args:
        order: (N,) integers, the place of each row in the table whose every k-th row is taken.
        ground_truth: (N,) bool, rows that stand in every sub-index.
        steps: the S values of k, each at least 1.
    """
    order = np.asarray(order)
    return np.stack([(order % step == 0) | ground_truth for step in steps])


def search_subsets(
    embeddings, queries, subsets: np.ndarray, k: int, *, device: str = "cpu"
) -> list[np.ndarray]:
    """Exact search of several overlapping parts of one index, where each row is compared once.

    Rows that stand in the same sub-indexes are searched together; the best k of a sub-index are the
    best k of what its groups found. Scores and the order of equal ones do not depend on where a row
    is searched (`ExactIndex`), so each ranking is that of the sub-index alone. One by one the
    study's seven indexes would compare 1.9 times as many rows.

    Args:
        embeddings: (N, D) unit rows; may be memory-mapped.
        queries: (Q, D) unit rows.
        subsets: (S, N) bool.
        k: neighbours a query, at least 1.
        device: of `ExactIndex`.

    Returns:
        For each sub-index (Q, min(k, its size)) int64 rows of `embeddings`, best first.
    """
    from tqdm import tqdm

    from landmarks_tf.retrieval.exact import ExactIndex

    subsets = np.asarray(subsets)
    patterns = (subsets.astype(np.int64) << np.arange(len(subsets))[:, None]).sum(axis=0)
    nothing = np.zeros((len(queries), 0), np.float32), np.zeros((len(queries), 0), np.int64)
    best = [nothing] * len(subsets)
    with tqdm(total=int((patterns > 0).sum()), desc="search", unit=" rows") as bar:
        for pattern in filter(None, np.unique(patterns).tolist()):
            rows = np.flatnonzero(patterns == pattern)
            part = ExactIndex(embeddings[rows], device=device)
            scores, found = part.search(queries, min(k, len(rows)))
            for at in range(len(subsets)):
                if pattern >> at & 1:
                    best[at] = _better(best[at], (scores, rows[found]), k)
            bar.update(len(rows))
    return [rows for _, rows in best]


def _better(some: tuple, others: tuple, k: int) -> tuple[np.ndarray, np.ndarray]:
    """The k best of two lists of (Q, n) scores and rows: falling scores, equal ones by row."""
    scores, rows = (np.concatenate(pair, axis=1) for pair in zip(some, others, strict=True))
    order = np.lexsort((rows, -scores), axis=1)[:, :k]
    return np.take_along_axis(scores, order, 1), np.take_along_axis(rows, order, 1)


def study(
    embeddings,
    ids,
    queries: Mapping[str, np.ndarray],
    solution,
    order,
    *,
    steps: Sequence[int] = STEPS,
    device: str = "cpu",
) -> list[dict]:
    """mAP@100 of every sub-index, the smallest first.

    Args:
        embeddings: (N, D) unit rows of the whole index.
        ids: (N,) their image ids.
        queries: query id -> (D,) unit row; a query of the solution that is not among them scores
            zero.
        solution: `landmarks_tf.metrics.Solution` of the retrieval task.
        order: (N,) as `members` takes it.
        steps: the values of k, falling.
        device: of `ExactIndex`.

    Returns:
        A dict for each k: "step", "index_size", "ground_truth" (images of it in the index),
        "public" and "private", each {"map@100", "relative", "queries"}; a relative value is None
        where the smallest index' is zero or there are no queries.
    """
    from landmarks_tf.metrics import retrieval_summary

    ids = np.asarray(ids)
    truth = ground_truth_ids(solution)
    in_truth = np.isin(ids, np.array(sorted(truth), ids.dtype if truth else str))
    subsets = members(order, in_truth, steps)
    asked = [q for part in PARTS for q in getattr(solution, part) if q in queries]
    if not asked:
        raise ValueError(
            "no query of the solution has an embedding: is the solution of another data set?"
        )
    vectors = np.stack([queries[query] for query in asked])
    rankings = search_subsets(embeddings, vectors, subsets, NEIGHBOURS, device=device)
    rows = []
    for step, subset, ranking in zip(steps, subsets, rankings, strict=True):
        named = {query: ids[found].tolist() for query, found in zip(asked, ranking, strict=True)}
        row = {"step": step, "index_size": int(subset.sum()), "ground_truth": int(in_truth.sum())}
        for part in PARTS:
            queries_of = getattr(solution, part)
            answers = {query: named[query] for query in queries_of if query in named}
            scores = retrieval_summary(answers, queries_of, NEIGHBOURS)
            row[part] = {name: scores[name] for name in (f"map@{NEIGHBOURS}", "queries")}
        rows.append(row)
    return _with_relative(rows)


def _with_relative(rows: list[dict]) -> list[dict]:
    key = f"map@{NEIGHBOURS}"
    for part in PARTS:
        smallest = rows[0][part][key]
        for row in rows:
            row[part]["relative"] = row[part][key] / smallest if smallest else None
    return rows


def ground_truth_ids(solution) -> set[str]:
    """Every index image that is an answer to a public or a private query."""
    return {one for part in PARTS for truth in getattr(solution, part).values() for one in truth}


def table_order(ids, table: Mapping[str, int]) -> tuple[np.ndarray, int]:
    """(N,) the place of each id among the rows of a table, and how many are not in it.

    Those come after the table's last row, in their own order.

    Args:
        ids: (N,) image ids of the index.
        table: image id -> anything, in the order of index_image_to_landmark.csv.
    """
    place = {image_id: row for row, image_id in enumerate(table)}
    ids = np.asarray(ids).tolist()
    strangers = [image_id for image_id in ids if image_id not in place]
    place |= {image_id: len(table) + row for row, image_id in enumerate(strangers)}
    return np.array([place[image_id] for image_id in ids], np.int64), len(strangers)


def _measured(context: Context) -> dict:
    from experiments.stages.landmarks import index_landmarks
    from landmarks_tf import metrics
    from landmarks_tf.retrieval.embed import load_embeddings

    late = context.after_training()
    solution = metrics.read_retrieval_solution(context.metadata / "retrieval_solution_v2.1.csv")
    table = index_landmarks(context.metadata)
    states, fingerprints = {}, {}
    for name in ("trained", "untrained"):
        trained = name == "trained"
        if not trained and not late.experiment.evaluation.untrained_baseline:
            continue
        print_of = {s: late.fingerprint_of(s, trained=trained) for s in ("index", "test")}
        index, tests = (
            load_embeddings(late.embeddings_path(s, trained=trained), fingerprint=print_of[s])
            for s in ("index", "test")
        )
        queries = dict(zip(tests.ids.tolist(), tests.vectors, strict=True))
        order, strangers = table_order(index.ids, table)
        device = late.experiment.evaluation.search_device
        states[name] = study(index.vectors, index.ids, queries, solution, order, device=device)
        fingerprints[name] = print_of["index"]
    present = set(index.ids.tolist())
    return {
        "format_version": FORMAT_VERSION,
        "experiment": context.experiment.name,
        "loss": late.experiment.loss.name,
        "size": context.size,
        "data": "demo" if context.source.kind == "demo" else str(context.source.folder),
        "seeds": {
            "train": context.experiment.train.seed,
            "split": context.experiment.data.split_seed,
        },
        "search": "exact",
        "fingerprints": fingerprints,
        "missing_ground_truth": len(ground_truth_ids(solution) - present),
        "not_in_table": strangers,
        **states,
        "notes": _notes(states["trained"], len(present), strangers, bool(table)),
    }


def _notes(rows: list[dict], index_size: int, strangers: int, has_table: bool) -> list[str]:
    notes = []
    smallest = rows[0]
    share = smallest["ground_truth"] / smallest["index_size"]
    if share > _MOSTLY_GROUND_TRUTH:
        left = (
            "there are few distractors to leave out, and the sizes hardly differ"
            if smallest["index_size"] < index_size
            else "there is no distractor to leave out, and every index is the whole one"
        )
        notes.append(
            f"{share:.0%} of the smallest index is ground truth ({smallest['ground_truth']:,} of "
            f"{smallest['index_size']:,} images; in GLDv2 about a quarter), and of the whole index "
            f"{rows[-1]['ground_truth'] / index_size:.0%}: {left}. The table says little of scale."
        )
    if not has_table:
        notes.append(
            "There is no index_image_to_landmark.csv: every k-th row is of the records' own order."
        )
    elif strangers:
        notes.append(
            f"{strangers:,} index images do not stand in index_image_to_landmark.csv; they follow "
            f"its last row."
        )
    return notes
