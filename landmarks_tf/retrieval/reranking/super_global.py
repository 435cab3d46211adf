"""Re-ranking by global descriptors alone: those of the top rows refined by one another.

Source: Shao et al., Global Features are All You Need for Image Retrieval and Reranking, ICCV 2023
(SuperGlobal, arXiv 2308.06954), the re-ranking step. Among a query's top rows:

* each descriptor g is refined by its K nearest g_j there:
  g' = (g + beta * sum cos(g, g_j) g_j) / (1 + beta * sum cos(g, g_j));
* the query is pooled with the refined descriptors of the K best rows;
* a row's score is the mean of query x refined descriptor and pooled query x own descriptor.

The paper pools by the largest value of each dimension, for descriptors after a ReLU. Ours have
signs, so `pooling` can also be the mean.
"""

from __future__ import annotations

import numpy as np

from landmarks_tf.retrieval.reranking.ranking import check_ranking, ordered, unit_rows
from landmarks_tf.retrieval.vectors import as_matrix

_FLOATS_PER_BLOCK = 8_000_000
POOLINGS = ("max", "mean")


def super_global_rerank(
    queries,
    index,
    scores,
    rows,
    *,
    neighbours: int = 9,
    beta: float = 0.15,
    pooling: str = "max",
) -> tuple[np.ndarray, np.ndarray]:
    """The same rows of each query in another order.

    Args:
        queries: (Q, D) unit rows.
        index: (M, D) unit rows.
        scores: (Q, k) cosines, falling.
        rows: (Q, k) whole numbers, the index rows that are re-ranked (the paper's M is k, 400).
        neighbours: K, at most k - 1.
        beta: weight of the neighbours, 0 or more.
        pooling: "max" or "mean", how the query takes up its best rows.

    Returns:
        scores (Q, k) float32, falling; rows (Q, k) int64. Memory beside the index: blocks of
        queries of about 100 MB; never more than (k, D) and (k, k) of one query at least.

    Raises:
        ValueError: settings out of range, a ranking that does not fit.
    """
    index = as_matrix(index, name="the index")
    queries = as_matrix(queries, name="queries", dim=index.shape[1])
    scores, rows = check_ranking(scores, rows, num_queries=len(queries), num_index=len(index))
    k = rows.shape[1]
    if not 1 <= neighbours < k:
        raise ValueError(f"neighbours must be between 1 and {k - 1}, received {neighbours}")
    if not 0 <= beta < np.inf:
        raise ValueError(f"beta must be 0 or more, received {beta}")
    if pooling not in POOLINGS:
        raise ValueError(f"pooling must be one of {', '.join(POOLINGS)}, received {pooling!r}")
    result = np.empty(rows.shape, np.float32)
    step = max(1, _FLOATS_PER_BLOCK // (k * (index.shape[1] + k)))
    for start in range(0, len(queries), step):
        part = slice(start, start + step)
        result[part] = _scored(
            queries[part].astype(np.float32),
            index[rows[part]].astype(np.float32),
            neighbours,
            beta,
            pooling,
        )
    return ordered(result, rows)


def _scored(queries, top, neighbours: int, beta: float, pooling: str) -> np.ndarray:
    """Queries (B, D) and their top descriptors (B, k, D) -> scores (B, k)."""
    weights = _weights(top, neighbours, beta)
    total = 1 + weights.sum(axis=2)
    cosines = np.einsum("bd,bkd->bk", queries, top)
    # A query's product with a refined descriptor is a sum of cosines: few need to be refined.
    first = (cosines + np.einsum("bkj,bj->bk", weights, cosines)) / total
    best = np.argsort(-first, axis=1, kind="stable")[:, :neighbours, None]
    refined = np.take_along_axis(top, best, 1) + np.take_along_axis(weights, best, 1) @ top
    refined /= np.take_along_axis(total[:, :, None], best, 1)
    pool = np.concatenate([queries[:, None], refined], axis=1)
    pooled = pool.max(axis=1) if pooling == "max" else pool.mean(axis=1)
    pooled = unit_rows(pooled, name="queries, pooled,")
    return (first + np.einsum("bd,bkd->bk", pooled, top)) / 2


def _weights(top: np.ndarray, neighbours: int, beta: float) -> np.ndarray:
    """(B, k, k): what each row takes of its nearest in the same query's top, 0 of the others."""
    cosines = top @ top.transpose(0, 2, 1)
    k = top.shape[1]
    cosines[:, np.arange(k), np.arange(k)] = -np.inf
    drop = np.argpartition(cosines, k - neighbours - 1, axis=2)[:, :, : k - neighbours]
    np.put_along_axis(cosines, drop, 0.0, 2)
    return beta * np.maximum(cosines, 0.0)
