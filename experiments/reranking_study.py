"""What each re-ranking method gains: its settings chosen on public, its gain reported on private.

Used by `python -m experiments.run --stage rerank` and by `experiments.benchmarks.reranking`.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import product

import numpy as np

from experiments.score_book import ScoreBook
from landmarks_tf.metrics import average_precisions, find_hits
from landmarks_tf.metrics.resampling import paired_mean_test
from landmarks_tf.retrieval.reranking import RetrievalData, needs, parse_pipeline, run_pipeline

PARTS = ("public", "private")
K = 100
FORMAT_VERSION = 1


def _grid(step: str, **settings: Sequence) -> tuple[str, ...]:
    """Every combination of some settings, as pipelines of one step."""
    return tuple(
        ":".join([step, *(f"{name}={value}" for name, value in zip(settings, values, strict=True))])
        for values in product(*settings.values())
    )


# Method -> pipelines that are tried, its usual settings among them.
METHODS: dict[str, tuple[str, ...]] = {
    "PCA whitening": _grid(
        "whiten:method=pca", dim=(32, 64, 128, 256, 512), power=(0.1, 0.25, 0.5)
    ),
    "learned whitening": _grid(
        "whiten:method=learned", dim=(0, 64, 128, 256, 512), ridge=(0.01, 0.1, 1, 10)
    ),
    "database augmentation": _grid("dba", n=(1, 3, 5, 10, 20), alpha=(0, 1, 3), rounds=(1, 2)),
    "average query expansion": _grid("aqe", n=(1, 2, 3, 5, 10), rounds=(1, 2)),
    "alpha query expansion": _grid("alpha_qe", n=(3, 5, 10, 20, 50), alpha=(1, 3), rounds=(1, 2)),
    "SuperGlobal refinement": _grid(
        "super_global", n=(5, 9), beta=(0.15, 0.5, 1), pooling=("max", "mean")
    ),
    "k-reciprocal": _grid("k_reciprocal", k1=(10, 20, 30), k2=(1, 3, 6, 10), weight=(0.1, 0.3)),
    "diffusion": _grid("diffusion", k=(10, 20, 50), n=(3, 5, 10), alpha=(0.7, 0.9, 0.99)),
    "class-aware": _grid(
        "class_aware", k=(1, 3, 5), min_confidence=(0, 0.3, 0.5, 0.7), insert=("true", "false")
    ),
    "geometric verification": _grid(
        "geometric", top=(20, 50, 100), weight=(0.3, 1), cap=(20, 50), least=(0, 8)
    ),
}
TOGETHER = "together"


def study(
    data: RetrievalData,
    query_ids,
    index_ids,
    solution,
    *,
    methods: Mapping[str, Sequence[str]] = METHODS,
    told: Callable[[str], None] | None = None,
    book: ScoreBook | None = None,
) -> dict:
    """The bare search and every method that the data can feed.

    Args:
        data: queries, index and what else there is; methods that need more are left out.
        query_ids: (Q,) ids; queries that the solution does not score are left out by the caller.
        index_ids: (M,) ids.
        solution: `landmarks_tf.metrics.Solution` of the retrieval task, with public and private.
        methods: name -> pipelines to try.
        told: is given each pipeline as it is tried.
        book: keeps the numbers of each pipeline and is asked for them first; its fingerprint names
            the data and the solution.

    Returns:
        {"queries": {part: count}, "bare": {part: mAP@100}, "methods": [...], "left_out": [...]}. A
        method has its name, how many pipelines were tried, the one of highest public mAP@100 (the
        first of equals), its mAP@100 public and private, the private gain with a 95 % interval and
        p-value over queries, and processor seconds. The last, "together", begins with the best of
        them and adds, as long as public mAP@100 rises, the one that raises it most.
    """
    scorer = _Scorer(data, query_ids, index_ids, solution, told, book)
    bare = scorer.score("")
    rows, left_out, best = [], [], {}
    for name, texts in methods.items():
        missing = _missing(data, texts)
        if missing:
            left_out.append({"method": name, "why": f"there are no {missing}"})
            continue
        scored, refused = scorer.all_of(texts)
        left_out += [{"method": name, "pipeline": text, "why": why} for text, why in refused]
        if scored:
            best[name] = max(scored, key=lambda one: one["public"])
            rows.append({"method": name, "tried": len(scored), **best[name]})
    joined = _joined(scorer, [row["pipeline"] for row in best.values()])
    if joined is not None:
        rows.append({"method": TOGETHER, **joined})
    gains = [_with_gain(row, bare) for row in rows]
    return {
        "format_version": FORMAT_VERSION,
        "queries": {part: len(getattr(solution, part)) for part in PARTS},
        "index_size": len(data.index),
        "bare": {part: bare[part] for part in PARTS},
        "methods": gains,
        "left_out": left_out,
    }


def _missing(data: RetrievalData, texts: Sequence[str]) -> str:
    steps = [step for text in texts for step in parse_pipeline(text)]
    if needs(steps, "train") and (data.train is None or data.train_labels is None):
        return "training embeddings"
    if needs(steps, "pictures") and data.count_inliers is None:
        return "local features of the pictures"
    return ""


class _Scorer:
    """mAP@100 of pipelines over the same queries."""

    def __init__(self, data, query_ids, index_ids, solution, told, book):
        self._data, self._told, self._book = data, told or (lambda text: None), book
        self._query_ids = np.asarray(query_ids).tolist()
        self._index_ids, self._solution = np.asarray(index_ids), solution

    def score(self, text: str) -> dict:
        """A pipeline's mAP@100 by part, with the private queries' own average precisions."""
        self._told(text or "exact search")
        known = None if self._book is None else self._book.get(text)
        if known is None:
            known = self._measured(text)
            if self._book is not None:
                self._book.put(text, known)
        return known

    def _measured(self, text: str) -> dict:
        started = time.process_time()
        _, rows = run_pipeline(parse_pipeline(text), self._data, k=K)
        seconds = time.process_time() - started
        named = zip(self._query_ids, self._index_ids[rows].tolist(), strict=True)
        rankings = dict(named)
        found = {"pipeline": text, "processor_seconds": round(seconds, 2)}
        for part in PARTS:
            truth = getattr(self._solution, part)
            answers = {query: rankings[query] for query in truth if query in rankings}
            precisions = average_precisions(find_hits(answers, truth, K))
            found[part] = float(precisions.mean())
        return found | {"precisions": precisions.tolist()}

    def all_of(self, texts: Iterable[str]) -> tuple[list[dict], list[tuple[str, str]]]:
        """Scores of those that this data allows, and (pipeline, why) of the others."""
        scored, refused = [], []
        for text in texts:
            try:
                scored.append(self.score(text))
            except ValueError as error:
                refused.append((text, str(error)))
        return scored, refused


def _joined(scorer: _Scorer, texts: Sequence[str]) -> dict | None:
    """Methods joined, in the order of `texts`: the best one, then whichever raises public most.

    None where no second method raises it.
    """
    kept: list[str] = []
    best, tried = None, 0
    while True:
        # Two methods may be one step with other settings; descriptors are whitened once.
        steps = {text.split(":")[0] for text in kept}
        more = [text for text in texts if text.split(":")[0] not in steps]
        wider = [[text for text in texts if text in (*kept, one)] for one in more]
        by_pipeline = {",".join(parts): parts for parts in wider}
        scored, _ = scorer.all_of(by_pipeline)
        tried += len(scored) if kept else 0
        better = max(scored, key=lambda one: one["public"], default=None)
        if better is None or (best is not None and better["public"] <= best["public"]):
            return {"tried": tried, **best} if len(kept) > 1 else None
        best, kept = better, by_pipeline[better["pipeline"]]


def _with_gain(row: dict, bare: dict) -> dict:
    test = paired_mean_test(*(np.array(one["precisions"]) for one in (row, bare)))
    kept = {name: value for name, value in row.items() if name != "precisions"}
    return kept | {
        "private_gain": test.difference,
        "private_gain_95": [test.interval.low, test.interval.high],
        "p_value": test.p_value,
    }


def markdown(found: Mapping, title: str) -> str:
    """One study as a table; gains are in points of mAP@100, of 100."""
    queries, bare = found["queries"], found["bare"]
    lines = [
        f"{title}: mAP@100 in %, {queries['public']} public and {queries['private']} private "
        f"queries, index of {found['index_size']:,}. Settings chosen on public.",
        "",
        "| method | settings | tried | public | private | private gain, 95 % interval | p | "
        "processor s |",
        "|---|---|---:|---:|---:|---:|---:|---:|",
        f"| exact search alone | | | {bare['public']:.2%} | {bare['private']:.2%} | | | |",
    ]
    for row in found["methods"]:
        low, high = row["private_gain_95"]
        cells = [
            row["method"],
            f"`{row['pipeline']}`",
            str(row["tried"]),
            f"{row['public']:.2%}",
            f"{row['private']:.2%}",
            f"{100 * row['private_gain']:+.2f} ({100 * low:+.2f} to {100 * high:+.2f})",
            f"{row['p_value']:.4f}",
            f"{row['processor_seconds']:.1f}",
        ]
        lines.append(f"| {' | '.join(cells)} |")
    whole = [one for one in found["left_out"] if "pipeline" not in one]
    lines += [f"\nLeft out: {one['method']}, {one['why']}." for one in whole]
    return "\n".join(lines)
