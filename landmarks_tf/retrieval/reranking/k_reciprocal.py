"""k-reciprocal re-ranking: who is whose neighbour, and how alike the neighbourhoods are.

Source: Zhong, Zheng, Cao, Li, Re-ranking Person Re-identification with k-reciprocal Encoding,
CVPR 2017 (arXiv 1701.08398), sections 3.2 to 3.4. N(p, k) are p and its k nearest others,
R(p, k) those of them that have p among their own; R*(p, k1) is R(p, k1) with every R(g, k1 / 2)
that lies in it by two thirds, g of R(p, k1). V(p) has exp(-d(p, g)) for g of R*(p), sums to 1, and
is averaged over p's k2 nearest; d = |p - g|^2 = 2 - 2 cos. The result is a mean of d / 4 and the
Jaccard distance of the V, all as sparse matrices.

What differs: a query is a visitor. The sets of the index are made without queries, once, and a
query's are made among index rows, so that the answer to a query does not depend on which others
are asked (the paper puts all queries into one gallery); and d is divided by its largest possible
value, 4, in the mean, where the paper's program divides by the largest one met.
"""

from __future__ import annotations

import numpy as np
from scipy import sparse
from tqdm import tqdm

from landmarks_tf.retrieval.reranking.neighbours import NeighbourGraph, neighbour_graph
from landmarks_tf.retrieval.reranking.ranking import check_ranking, ordered
from landmarks_tf.retrieval.vectors import as_matrix

_ROWS_PER_BLOCK = 4_096
_QUERIES_PER_BLOCK = 64
_GATHERED_FLOATS = 8_000_000


def k_reciprocal_rerank(
    queries,
    index,
    scores,
    rows,
    *,
    k1: int = 20,
    k2: int = 6,
    weight: float = 0.3,
    graph: NeighbourGraph | None = None,
    progress: bool = False,
) -> tuple[np.ndarray, np.ndarray]:
    """The same rows of each query in another order.

    Args:
        queries: (Q, D) unit rows.
        index: (M, D) unit rows.
        scores: (Q, k) float32 cosines, falling; k is k1 or more.
        rows: (Q, k) whole numbers, the index rows that are re-ranked.
        k1: neighbours whose reciprocity is looked at.
        k2: neighbours (p itself included) that V is averaged over; 1 for none.
        weight: of the original distance, 0..1; the rest is the Jaccard distance's.
        graph: the k1 nearest others of `index`, where they are known already.
        progress: show progress bars.

    Returns:
        scores (Q, k) float32, 1 - distance, falling; rows (Q, k) int64. Memory beside the index:
        the graph and its sets, about 20 bytes * M * k1 * 3 (0.9 GB for 761,757 rows, k1 = 20), and
        a block of 64 queries. No matrix of M x M or Q x M.

    Raises:
        ValueError: settings out of range, a ranking that does not fit or is shorter than k1.
    """
    index = as_matrix(index, name="the index")
    queries = as_matrix(queries, name="queries", dim=index.shape[1])
    scores, rows = check_ranking(scores, rows, num_queries=len(queries), num_index=len(index))
    _check_settings(k1, k2, weight, rows.shape[1], len(index))
    graph = graph or neighbour_graph(index, k1, progress=progress)
    if graph.rows.shape != (len(index), k1):
        raise ValueError(
            f"expected a graph of shape ({len(index)}, {k1}), received {graph.rows.shape}"
        )
    sets = _Sets(index, graph, k1, progress)
    result = np.empty(rows.shape, np.float32)
    blocks = range(0, len(queries), _QUERIES_PER_BLOCK)
    for start in tqdm(blocks, desc="k-reciprocal", unit="block", disable=not progress):
        part = slice(start, start + _QUERIES_PER_BLOCK)
        alike = _jaccard(sets, queries[part], scores[part], rows[part], k2)
        result[part] = 1 - (1 - weight) * (1 - alike) - weight * (2 - 2 * scores[part]) / 4
    return ordered(result, rows)


def _check_settings(k1: int, k2: int, weight: float, depth: int, num_index: int) -> None:
    if not 2 <= k1 < num_index:
        raise ValueError(f"k1 must be between 2 and {num_index - 1}, received {k1}")
    if not 1 <= k2 <= k1:
        raise ValueError(f"k2 must be between 1 and k1 = {k1}, received {k2}")
    if not 0 <= weight <= 1:
        raise ValueError(f"weight must be between 0 and 1, received {weight}")
    if depth < k1:
        raise ValueError(f"a ranking of {depth} rows is shorter than k1 = {k1}; search deeper")


class _Sets:
    """R, R(k1 / 2) and V of all index rows, (M, M) sparse."""

    def __init__(self, index, graph: NeighbourGraph, k1: int, progress: bool):
        self.index, self.graph, self.k1 = index, graph, k1
        near, nearer = _adjacency(graph.rows), _adjacency(graph.rows[:, : _half(k1)])
        self.nearer = nearer.multiply(nearer.T).tocsr()
        self.nearer_sizes = np.diff(self.nearer.indptr)
        reciprocal = near.multiply(near.T).tocsr()
        parts = []
        blocks = range(0, len(index), _ROWS_PER_BLOCK)
        for start in tqdm(blocks, desc="reciprocal sets", unit="block", disable=not progress):
            own = index[start : start + _ROWS_PER_BLOCK]
            parts.append(self.encode(own, reciprocal[start : start + _ROWS_PER_BLOCK]))
        self.encoded = sparse.vstack(parts, format="csr")

    def encode(self, own: np.ndarray, reciprocal: sparse.csr_matrix) -> sparse.csr_matrix:
        """V of some rows, (B, M), from their descriptors (B, D) and their R(k1), (B, M)."""
        # `nearer` is symmetric: its columns are its rows.
        shared = (reciprocal @ self.nearer).multiply(reciprocal).tocsr()
        # Whole numbers: two thirds are met exactly or not at all.
        shared.data = (3 * shared.data >= 2 * self.nearer_sizes[shared.indices]).astype(np.int32)
        shared.eliminate_zeros()
        wide = (reciprocal + shared @ self.nearer).tocsr()
        wide.sort_indices()
        distances = 2 - 2 * _cosines(own, self.index, wide)
        values = np.exp(-distances)
        return _rows_sum_to_one(values, wide)


def _half(k1: int) -> int:
    return max(1, (k1 + 1) // 2)


def _adjacency(neighbours: np.ndarray) -> sparse.csr_matrix:
    """(M, k) nearest others -> (M, M) ones for them and for the row itself."""
    count, k = neighbours.shape
    columns = np.hstack([np.arange(count)[:, None], neighbours]).astype(np.int32)
    indptr = np.arange(count + 1, dtype=np.int64) * (k + 1)
    ones = np.ones(columns.size, np.int32)
    return sparse.csr_matrix((ones, columns.ravel(), indptr), shape=(count, count))


def _cosines(own: np.ndarray, index: np.ndarray, pairs: sparse.csr_matrix) -> np.ndarray:
    """Cosine of each stored pair (row of `own`, row of `index`), in storage order."""
    left = np.repeat(np.arange(len(own)), np.diff(pairs.indptr))
    result = np.empty(len(left), np.float64)
    step = max(1, _GATHERED_FLOATS // index.shape[1])
    for start in range(0, len(left), step):
        part = slice(start, start + step)
        ours = own[left[part]].astype(np.float32)
        result[part] = np.einsum("nd,nd->n", ours, index[pairs.indices[part]].astype(np.float32))
    return result


def _rows_sum_to_one(values: np.ndarray, like: sparse.csr_matrix) -> sparse.csr_matrix:
    matrix = sparse.csr_matrix((values, like.indices, like.indptr), shape=like.shape)
    sums = np.asarray(matrix.sum(axis=1)).ravel()
    scale = np.repeat(1 / np.where(sums > 0, sums, 1), np.diff(matrix.indptr))
    matrix.data = (matrix.data * scale).astype(np.float32)
    return matrix


def _queries_reciprocal(sets: _Sets, scores, rows) -> sparse.csr_matrix:
    """R(q, k1) among index rows, (B, M): those that a query comes as near to as their k1-th."""
    near, columns = scores[:, : sets.k1], rows[:, : sets.k1]
    mutual = near >= sets.graph.scores[columns, sets.k1 - 1]
    indptr = np.concatenate([[0], np.cumsum(mutual.sum(axis=1))])
    ones = np.ones(indptr[-1], np.int32)
    return sparse.csr_matrix((ones, columns[mutual], indptr), shape=(len(rows), len(sets.index)))


def _jaccard(sets: _Sets, queries, scores, rows, k2: int) -> np.ndarray:
    """(B, k): shared part of the neighbourhoods of each query and each of its rows, 0..1."""
    own = sets.encode(queries, _queries_reciprocal(sets, scores, rows))
    if k2 > 1:
        around = [sets.encoded[rows[:, place]] for place in range(k2 - 1)]
        # A query without any reciprocal neighbour has an empty V of its own.
        own = ((own + sum(around)) / k2).tocsr()
    wanted, place = np.unique(rows, return_inverse=True)
    theirs = _averaged_over_neighbours(sets, wanted, k2)
    place = place.reshape(rows.shape)
    result = np.empty(rows.shape, np.float32)
    row_of = np.zeros(len(sets.index), np.float32)
    for query in range(len(rows)):
        mine = slice(own.indptr[query], own.indptr[query + 1])
        row_of[own.indices[mine]] = own.data[mine]
        chosen = theirs[place[query]]
        chosen.data = np.minimum(chosen.data, row_of[chosen.indices])
        smallest = np.asarray(chosen.sum(axis=1)).ravel()
        row_of[own.indices[mine]] = 0
        total = own.data[mine].sum() + np.asarray(theirs[place[query]].sum(axis=1)).ravel()
        result[query] = smallest / np.maximum(total - smallest, 1e-12)
    return result


def _averaged_over_neighbours(sets: _Sets, wanted: np.ndarray, k2: int) -> sparse.csr_matrix:
    """V of the wanted index rows, averaged over the row and its k2 - 1 nearest others."""
    total = sets.encoded[wanted]
    for place in range(k2 - 1):
        total = total + sets.encoded[sets.graph.rows[wanted, place]]
    return (total / k2).tocsr()
