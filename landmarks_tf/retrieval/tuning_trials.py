"""The process that tries settings of ScaNN: `python -m landmarks_tf.retrieval.tuning_trials`.

One line of JSON on standard output for each thing it knows, as soon as it knows it: the process is
killed when its time is up, and what it said until then counts. `tuning` starts it and reads it.
"""

from __future__ import annotations

import json
import math
import os
import shutil
import signal
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

from landmarks_tf.retrieval.exact import ExactIndex
from landmarks_tf.retrieval.files import read_npy
from landmarks_tf.retrieval.parameters import (
    MAX_BLOCKS,
    MIN_ROWS_PER_LEAF,
    ScannParameters,
    choose_parameters,
)

HELD_OUT = 1_000
_SHARES = (0.01, 0.02, 0.03, 0.045, 0.065, 0.09, 0.12, 0.16, 0.2, 0.25, 0.32, 0.4, 0.55)
_FACTORS = (1.3, 1.6, 2, 2.5, 3.2, 4.5, 6.5, 10)  # candidates re-ordered, of k
_GAIN = 0.0005  # of recall that makes more candidates worth trying
_NEAR = 0.04  # of the wanted recall: below that a point of the frontier for each number will do
_REPEATS = 2


def trees(num_rows: int, dim: int, k: int, recall: float) -> Iterator[ScannParameters]:
    """Indexes worth building, the likeliest first: the rule's own choice, then its neighbours."""
    first = choose_parameters(num_rows, dim, k, recall)
    yield first
    if num_rows < 1_000:
        return
    if first.method == "brute_force":
        leaves = min(round(math.sqrt(num_rows)), num_rows // MIN_ROWS_PER_LEAF)
        first = replace(first, method="tree_hashing", num_leaves=leaves, leaves_to_search=1)
        first = replace(first, reorder=k, dimensions_per_block=max(1, math.ceil(dim / MAX_BLOCKS)))
        yield first
    most = num_rows // MIN_ROWS_PER_LEAF
    coarse = max(2, math.ceil(dim / MAX_BLOCKS))
    fewer = max(1, min(MAX_BLOCKS, (first.projected_dim or dim) * 2 // 3))
    changes = (
        {"num_leaves": min(most, first.num_leaves * 2)},
        {"soar_lambda": 1.5},
        {"projected_dim": 0, "dimensions_per_block": min(dim, coarse)},
        {"projected_dim": fewer, "dimensions_per_block": 1},
        {"num_leaves": max(1, first.num_leaves // 2)},
        {"num_leaves": min(most, first.num_leaves * 4)},
    )
    seen = {first}
    for change in changes:
        other = replace(first, **change)
        other = replace(other, leaves_to_search=min(other.leaves_to_search, other.num_leaves))
        if other not in seen:
            seen.add(other)
            yield other


def sweep(searcher, base: ScannParameters, num_rows: int, measure, wanted: float) -> None:
    """Tries search-time settings of one index: the rule's own, then from the fastest on.

    Where even many candidates do not bring a number of leaves near the wanted recall, fewer are not
    tried; the sweep ends where more leaves are of no use.

    Args:
        searcher: a `ScannSearcher` over it; its parameters are set here.
        base: what it was built with.
        num_rows: N.
        measure: parameters -> recall; says what it found.
        wanted: recall; half as many misses are tried too, and no fewer.
    """
    k = base.num_neighbors

    def recall_of(**settings) -> float:
        searcher.parameters = replace(base, **settings)
        return measure(searcher.parameters)

    recall_of()
    if base.method == "brute_force":
        return
    leaves = sorted({max(1, math.ceil(share * base.num_leaves)) for share in _SHARES})
    *reorders, most = sorted({min(num_rows, math.ceil(factor * k)) for factor in _FACTORS})
    enough = 1 - (1 - wanted) / 2
    for leaf_count in leaves if base.method == "tree_hashing" else [0]:
        possible = recall_of(leaves_to_search=leaf_count, reorder=most)
        if possible < wanted - _NEAR:
            continue
        for reorder in reorders:
            recall = recall_of(leaves_to_search=leaf_count, reorder=reorder)
            if recall > min(enough, possible - _GAIN):
                break
        if possible > enough:
            return


class Trials:
    """Measures searches against exact ones, on queries that are not in the index.

    Args:
        embeddings: (N, D) unit rows.
        queries: (Q, D) unit rows of their own, or None: then a thousand rows are held out.
        k: neighbours.
        say: gets a dict for each thing that is known.
    """

    def __init__(self, embeddings: np.ndarray, queries: np.ndarray | None, k: int, say):
        if queries is None:
            count = min(HELD_OUT, max(1, len(embeddings) // 10))
            held = np.unique(np.linspace(0, len(embeddings) - 1, count).round().astype(np.int64))
            queries = np.asarray(embeddings[held])
            embeddings = np.delete(embeddings, held, axis=0)
        self.rows = np.ascontiguousarray(embeddings, dtype=np.float32)
        self.queries = np.ascontiguousarray(queries[: 2 * HELD_OUT], dtype=np.float32)
        self.k, self._say = k, say
        exact = ExactIndex(self.rows)
        seconds, (scores, _) = _timed(lambda: exact.search(self.queries, k))
        self._kth = scores[:, -1]
        rate = len(self.queries) / seconds
        say({"exact": {"queries_per_s": rate, "num_queries": len(self.queries)}})

    def run(self, wanted: float, folder: Path) -> None:
        """All trials, until they are done or the process is killed; `folder` holds each index."""
        from landmarks_tf.retrieval.scann_build import build
        from landmarks_tf.retrieval.scann_search import ScannSearcher

        for parameters in trees(*self.rows.shape, self.k, wanted):
            name = f"{parameters.method}, {parameters.num_leaves} leaves"
            self._say({"building": name})
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
            start = time.perf_counter()
            build(self.rows, folder, parameters)
            built_in = time.perf_counter() - start
            searcher = ScannSearcher(folder, parameters)

            def measure(tried, searcher=searcher, built_in=built_in):
                return self._measure(searcher, tried, built_in)

            sweep(searcher, parameters, len(self.rows), measure, wanted)

    def _measure(self, searcher, tried: ScannParameters, build_s: float) -> float:
        seconds, (_, rows) = _timed(lambda: searcher.search(self.queries, self.k))
        recall = self._recall(rows)
        facts = {"recall": recall, "queries_per_s": len(self.queries) / seconds}
        self._say({"trial": {**facts, "build_s": build_s, "parameters": tried.to_dict()}})
        return recall

    def _recall(self, rows: np.ndarray) -> float:
        """A found row counts if its score reaches the k-th exact one, as in the self-check."""
        found = 0
        for query, query_rows, kth in zip(self.queries, rows, self._kth, strict=True):
            scores = self.rows[query_rows].astype(np.float64) @ query.astype(np.float64)
            found += int((scores >= kth - 1e-6).sum())
        return found / rows.size


def _timed(search) -> tuple[float, tuple]:
    """(least seconds, answer) of a few calls."""
    seconds = math.inf
    for _ in range(_REPEATS):
        start = time.perf_counter()
        answer = search()
        seconds = min(seconds, time.perf_counter() - start)
    return seconds, answer


def main(arguments: list[str]) -> int:
    """The child: arguments are the .npy file and the rest as JSON."""
    sys.modules["tensorflow"] = None  # as in `scann_build`: not needed, and may be another one
    options = json.loads(arguments[1])
    # Should the parent be killed: SIGALRM ends this one, also in the midst of ScaNN's own code.
    signal.alarm(math.ceil(options["budget_s"]) + 5)
    embeddings = read_npy(Path(arguments[0]), what="embeddings", mmap=True)
    queries = options["queries"] and read_npy(Path(options["queries"]), what="queries", mmap=True)

    def say(value: dict) -> None:
        os.write(1, (json.dumps(value) + "\n").encode())

    trials = Trials(embeddings, queries, options["k"], say)
    trials.run(options["recall"], Path(options["folder"]))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
