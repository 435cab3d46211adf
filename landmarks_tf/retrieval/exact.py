"""Exact nearest neighbours by inner product: the search that every reported number uses.

The ranking is defined, not incidental: the score of a row is its dot product with the query taken
in float64 and rounded to float32, and rows are ordered by falling score, equal scores by rising
row. It does not depend on block sizes, on the number of threads, on the BLAS at hand, or on whether
a GPU did the products.

How: float32 matrix products over blocks find candidates, `_SPARE` more than asked for; the
candidates are scored again in float64. A query whose cut falls within the float32 product's
rounding error of a dropped row (many near-identical images) is looked at once more: every row whose
product reaches the cut less that error is scored in float64.
"""

from __future__ import annotations

import math
import os
from concurrent.futures import ThreadPoolExecutor, as_completed
from threading import Event

import numpy as np

from landmarks_tf.retrieval.exact_candidates import find_candidates, rows_above
from landmarks_tf.retrieval.vectors import (
    EmbeddingError,
    as_matrix,
    check_ids,
    check_k,
    check_unit_rows,
)

_SPARE = 32
_QUERIES_PER_BLOCK = 1_024
_QUERIES_WORTH_A_THREAD = 256
_THREADS = 4  # each holds a block of products; BLAS has its own besides
_KEPT_PER_BLOCK = 8_000_000  # scores held at once for the queries of a block
_RESCORED_FLOATS = 100_000  # gathered candidate rows held at once: they fit the processor's cache
_UNSURE_AT_ONCE = 16


class ExactIndex:
    """Inner-product search over unit rows, all of them, always.

    Beside the rows it needs under 150 MB for each of up to four threads.

    Args:
        embeddings: (N, D) unit rows, float32 or float16 (float64 is cast); may be memory-mapped,
            and is neither copied nor changed.
        ids: (N,) image ids, or None.
        device: where the float32 products are made: "cpu" (NumPy), "gpu" (the first that JAX sees;
            the rows are copied there), "auto" (a GPU if JAX is installed and sees one), or a
            `jax.Device`. The answer is the same.

    Raises:
        EmbeddingError: for an empty matrix, a wrong shape, NaN, or rows that are not unit long.
        ValueError: for ids that do not fit, or a device that is none of these or not there.
        ImportError: for "gpu" without JAX.
    """

    kind = "exact"

    def __init__(self, embeddings, ids=None, *, device="cpu"):
        self.embeddings = as_matrix(embeddings, name="the index")
        if not len(self.embeddings):
            raise EmbeddingError(f"the index is empty: shape {self.embeddings.shape}")
        check_unit_rows(self.embeddings, name="the index")
        self.ids = check_ids(ids, len(self.embeddings))
        self._on_device = None
        if device != "cpu":
            from landmarks_tf.retrieval.exact_device import find_device, rows_on

            found = find_device(device)
            self._on_device = rows_on(found, self.embeddings) if found is not None else None

    def __len__(self) -> int:
        return len(self.embeddings)

    @property
    def dim(self) -> int:
        """D, the length of a row."""
        return self.embeddings.shape[1]

    def search(self, queries, k: int, *, progress: bool = False) -> tuple[np.ndarray, np.ndarray]:
        """The k best rows for each query.

        Args:
            queries: (Q, D) unit rows; Q may be 0.
            k: how many, 1 to N.
            progress: show a progress bar with queries/s.

        Returns:
            scores (Q, k) float32, cosines, falling; rows (Q, k) int64, equal scores by rising row.

        Raises:
            EmbeddingError: for queries of another dimension, with NaN, or not unit long.
            ValueError: for a k that is not between 1 and N.
        """
        k = check_k(k, len(self))
        queries = as_matrix(queries, name="queries", dim=self.dim)
        check_unit_rows(queries, name="queries")
        scores = np.empty((len(queries), k), np.float32)
        rows = np.empty((len(queries), k), np.int64)

        def search_block(block: slice, stop: Event | None) -> int:
            part = queries[block].astype(np.float32, copy=False)
            scores[block], rows[block] = self._search_block(part, k, stop)
            return len(part)

        threads = 1 if self._on_device is not None else min(_THREADS, _processors())
        blocks = _blocks(len(queries), min(k + _SPARE, len(self)), threads)
        _run(search_block, blocks, threads, _bar(len(queries), progress))
        return scores, rows

    def _search_block(
        self, queries: np.ndarray, k: int, stop: Event | None
    ) -> tuple[np.ndarray, np.ndarray]:
        keep = min(k + _SPARE, len(self))
        if self._on_device is not None:
            approximate, candidates = self._on_device.find_candidates(queries, keep)
        else:
            approximate, candidates = find_candidates(self.embeddings, queries, keep, stop)
        scores, rows = _rescored(self.embeddings, queries, candidates)
        if keep < len(self):
            # Every dropped row scored at most the worst kept one, in float32.
            unsure = np.flatnonzero(
                scores[:, k - 1] <= approximate.min(axis=1) + _rounding(self.dim)
            )
            for start in range(0, len(unsure), _UNSURE_AT_ONCE):
                some = unsure[start : start + _UNSURE_AT_ONCE]
                self._look_again(queries, some, k, scores, rows)
        return scores[:, :k], rows[:, :k]

    def _look_again(self, queries, unsure, k: int, scores, rows) -> None:
        """Writes the k best of these queries, whatever the float32 product left out."""
        lowest = scores[unsure, k - 1] - _rounding(self.dim)
        every = rows_above(self.embeddings, queries[unsure], lowest)
        for query, candidates in zip(unsure, every, strict=True):
            best = _rescored(self.embeddings, queries[query : query + 1], candidates[None])
            scores[query, :k], rows[query, :k] = best[0][0, :k], best[1][0, :k]


def _rounding(dim: int) -> np.float32:
    """How far a float32 product may be off: D products and sums, each by half an ulp of at most
    the product of the lengths, which are 1 within a thousandth."""
    return np.float32((1.01 * dim + 4) * 2**-24)


def _blocks(num_queries: int, keep: int, threads: int) -> list[slice]:
    """Slices of queries, of equal size but for one, and one for each thread if it is worth it."""
    if not num_queries:
        return []
    largest = max(1, min(_QUERIES_PER_BLOCK, _KEPT_PER_BLOCK // keep))
    count = max(
        math.ceil(num_queries / largest), min(threads, num_queries // _QUERIES_WORTH_A_THREAD)
    )
    size = math.ceil(num_queries / count)
    return [slice(start, start + size) for start in range(0, num_queries, size)]


def _run(search_block, blocks: list[slice], threads: int, bar) -> None:
    """Each block once, in threads: while one selects, BLAS multiplies for another."""
    if len(blocks) < 2 or threads < 2:
        with bar:
            for block in blocks:
                bar.update(search_block(block, None))
        return
    stop = Event()
    with bar, ThreadPoolExecutor(min(threads, len(blocks))) as pool:
        running = [pool.submit(search_block, block, stop) for block in blocks]
        try:
            for done in as_completed(running):
                bar.update(done.result())
        except BaseException:
            # Leaving the pool waits for its threads: tell them, or Ctrl-C takes minutes.
            stop.set()
            pool.shutdown(wait=True, cancel_futures=True)
            raise


def _processors() -> int:
    allowed = getattr(os, "sched_getaffinity", None)
    return len(allowed(0)) if allowed else os.cpu_count() or 1


def _bar(num_queries: int, progress: bool):
    from tqdm import tqdm

    return tqdm(total=num_queries, desc="search", unit=" queries", disable=not progress)


def _rescored(
    embeddings: np.ndarray, queries: np.ndarray, candidates: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Candidates (Q, C) with their float64 scores, ordered by falling score, then row."""
    scores = np.empty(candidates.shape, np.float32)
    step = max(1, _RESCORED_FLOATS // embeddings.shape[1])
    for query, vector in enumerate(queries.astype(np.float64)):
        for start in range(0, candidates.shape[1], step):
            part = candidates[query, start : start + step]
            vectors = embeddings[part].astype(np.float64)
            scores[query, start : start + step] = np.einsum("cd,d->c", vectors, vector)
    order = np.lexsort((candidates, -scores), axis=1)
    return np.take_along_axis(scores, order, 1), np.take_along_axis(candidates, order, 1)
