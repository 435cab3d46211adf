"""Exact nearest neighbours by inner product: the search that every reported number uses.

The ranking is defined, not incidental: the score of a row is its dot product with the query taken
in float64 and rounded to float32, and rows are ordered by falling score, equal scores by rising
row. It does not depend on block sizes, on the number of threads or on the BLAS at hand.

How: float32 matrix products over blocks find candidates, `_SPARE` more than asked for; the
candidates are scored again in float64. A query whose cut falls within the float32 product's
rounding error of a dropped row (many near-identical images) is searched once more in float64.
"""

from __future__ import annotations

import numpy as np

from landmarks_tf.retrieval.vectors import (
    EmbeddingError,
    as_matrix,
    check_ids,
    check_k,
    check_unit_rows,
)

_SPARE = 32
_ROWS_PER_BLOCK = 8_192
_QUERIES_PER_BLOCK = 1_024
_RESCORED_FLOATS = 8_000_000  # gathered candidate rows held at once, as a number of floats


class ExactIndex:
    """Inner-product search over unit rows, all of them, always.

    Args:
        embeddings: (N, D) unit rows, float32 or float16 (float64 is cast); may be memory-mapped,
            and is neither copied nor changed.
        ids: (N,) image ids, or None.

    Raises:
        EmbeddingError: for an empty matrix, a wrong shape, NaN, or rows that are not unit long.
        ValueError: for ids that do not fit.
    """

    kind = "exact"

    def __init__(self, embeddings, ids=None):
        self.embeddings = as_matrix(embeddings, name="the index")
        if not len(self.embeddings):
            raise EmbeddingError(f"the index is empty: shape {self.embeddings.shape}")
        check_unit_rows(self.embeddings, name="the index")
        self.ids = check_ids(ids, len(self.embeddings))

    def __len__(self) -> int:
        return len(self.embeddings)

    @property
    def dim(self) -> int:
        """D, the length of a row."""
        return self.embeddings.shape[1]

    def search(self, queries, k: int) -> tuple[np.ndarray, np.ndarray]:
        """The k best rows for each query.

        Args:
            queries: (Q, D) unit rows; Q may be 0.
            k: how many, 1 to N.

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
        for start in range(0, len(queries), _QUERIES_PER_BLOCK):
            block = slice(start, start + _QUERIES_PER_BLOCK)
            part = queries[block].astype(np.float32, copy=False)
            scores[block], rows[block] = self._search_block(part, k)
        return scores, rows

    def _search_block(self, queries: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
        keep = min(k + _SPARE, len(self))
        approximate, candidates = _candidates(self.embeddings, queries, keep)
        scores, rows = _rescored(self.embeddings, queries, candidates)
        if keep < len(self):
            # Every dropped row scored at most the worst kept one, in float32. D products and sums
            # of unit vectors are off by at most D ulps.
            rounding = (self.dim + 2) * np.float32(2**-24)
            unsure = np.flatnonzero(scores[:, k - 1] <= approximate.min(axis=1) + rounding)
            for query in unsure:
                scores[query, :k], rows[query, :k] = _search_float64(
                    self.embeddings, queries[query], k
                )
        return scores[:, :k], rows[:, :k]


def _candidates(
    embeddings: np.ndarray, queries: np.ndarray, keep: int
) -> tuple[np.ndarray, np.ndarray]:
    """The `keep` best rows by the float32 product, unordered: (Q, keep) scores and rows."""
    best = np.full((len(queries), 0), -np.inf, np.float32)
    best_rows = np.zeros((len(queries), 0), np.int64)
    threshold = np.full((len(queries), 1), -np.inf, np.float32)
    largest = min(_ROWS_PER_BLOCK, len(embeddings))
    # Written over block after block: fresh memory costs as much as the comparison does.
    product_buffer = np.empty(len(queries) * largest, np.float32)
    above_buffer = np.empty(len(queries) * largest, bool)
    start, size = 0, min(max(keep, _ROWS_PER_BLOCK // 8), largest)
    while start < len(embeddings):
        block = embeddings[start : start + size].astype(np.float32, copy=False)
        product = product_buffer[: len(queries) * len(block)].reshape(len(queries), len(block))
        np.matmul(queries, block.T, out=product)
        if best.shape[1] < keep:
            found, columns = product, np.broadcast_to(np.arange(len(block)), product.shape)
        else:
            # Few rows of a later block beat the worst kept one: comparing is far cheaper than
            # partitioning the whole product. Blocks grow as the seen part does, so that few do.
            above = above_buffer[: product.size].reshape(product.shape)
            found, columns = _above(product, np.greater(product, threshold, out=above))
        if found.shape[1]:
            best, best_rows = _merge(best, best_rows, found, columns + start, keep)
            threshold = best.min(axis=1, keepdims=True)
        start += len(block)
        size = min(largest, start)
    return best, best_rows


def _above(product: np.ndarray, above: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Entries where `above` holds, left-aligned: (Q, most) scores (-inf) and columns."""
    at_query, at_column = np.divmod(np.flatnonzero(above), product.shape[1])
    counts = np.bincount(at_query, minlength=len(product))
    first = np.cumsum(counts) - counts
    slot = np.arange(len(at_query)) - first[at_query]
    found = np.full((len(product), counts.max(initial=0)), -np.inf, np.float32)
    columns = np.zeros(found.shape, np.int64)
    found[at_query, slot] = product[at_query, at_column]
    columns[at_query, slot] = at_column
    return found, columns


def _merge(best, best_rows, found, found_rows, keep: int) -> tuple[np.ndarray, np.ndarray]:
    scores = np.concatenate([best, found], axis=1)
    rows = np.concatenate([best_rows, found_rows], axis=1)
    if scores.shape[1] <= keep:
        return scores, rows
    order = np.argpartition(scores, -keep, axis=1)[:, -keep:]
    return np.take_along_axis(scores, order, 1), np.take_along_axis(rows, order, 1)


def _rescored(
    embeddings: np.ndarray, queries: np.ndarray, candidates: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Candidates (Q, C) with their float64 scores, ordered by falling score, then row."""
    scores = np.empty(candidates.shape, np.float32)
    step = max(1, _RESCORED_FLOATS // (candidates.shape[1] * embeddings.shape[1]))
    for start in range(0, len(queries), step):
        part = slice(start, start + step)
        vectors = embeddings[candidates[part]].astype(np.float64)
        scores[part] = np.einsum("qcd,qd->qc", vectors, queries[part].astype(np.float64))
    order = np.lexsort((candidates, -scores), axis=1)
    return np.take_along_axis(scores, order, 1), np.take_along_axis(candidates, order, 1)


def _search_float64(
    embeddings: np.ndarray, query: np.ndarray, k: int
) -> tuple[np.ndarray, np.ndarray]:
    """One query (D,) against every row in float64: k scores and rows."""
    query = query.astype(np.float64)
    scores = np.empty(len(embeddings), np.float32)
    for start in range(0, len(embeddings), _ROWS_PER_BLOCK):
        block = slice(start, start + _ROWS_PER_BLOCK)
        scores[block] = np.einsum("nd,d->n", embeddings[block].astype(np.float64), query)
    rows = np.argsort(-scores, kind="stable")[:k]
    return scores[rows], rows
