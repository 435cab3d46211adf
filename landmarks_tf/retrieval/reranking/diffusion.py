"""Re-ranking by diffusion: a query's similarity flows along the graph of mutual neighbours.

Source: Iscen, Tolias, Avrithis, Furon, Chum, Efficient Diffusion on Region Manifolds: Recovering
Small Objects with Compact CNN Representations, CVPR 2017 (arXiv 1611.05113), section 4, with one
descriptor an image. W has max(cos, 0)^gamma for rows that are among each other's k nearest;
S = D^-1/2 W D^-1/2; f solves (I - alpha S) f = y by conjugate gradient, y the query's own
similarities^gamma. Truncated as in their section 4.4: only a query's top rows take part, with
the S of the whole index cut down to them.
"""

from __future__ import annotations

import numpy as np
from scipy import sparse
from tqdm import tqdm

from landmarks_tf.retrieval.reranking.neighbours import NeighbourGraph, neighbour_graph
from landmarks_tf.retrieval.reranking.ranking import check_ranking, ordered
from landmarks_tf.retrieval.vectors import as_matrix

_TOLERANCE = 1e-6  # of the residual's length beside that of y


def diffusion_rerank(
    index,
    scores,
    rows,
    *,
    neighbours: int = 20,
    query_neighbours: int = 10,
    alpha: float = 0.99,
    gamma: float = 3.0,
    iterations: int = 50,
    graph: NeighbourGraph | None = None,
    progress: bool = False,
) -> tuple[np.ndarray, np.ndarray]:
    """The same rows of each query in another order.

    Args:
        index: (M, D) unit rows.
        scores: (Q, k) float32 cosines, falling.
        rows: (Q, k) whole numbers, the index rows that take part.
        neighbours: of each index row in the graph.
        query_neighbours: how many of a query's first rows it feeds.
        alpha: part of the flow that goes on, 0..1 without 1.
        gamma: power of the cosines.
        iterations: bound on the conjugate gradient's steps; it ends before when it has converged.
        graph: nearest others of `index`, where they are known already.
        progress: show progress bars.

    Returns:
        scores (Q, k) float32, f divided by its largest, falling; rows (Q, k) int64. Memory beside
        the index: the graph twice, and one query's (k, k) sparse part.

    Raises:
        ValueError: settings out of range, a ranking or a graph that does not fit.
    """
    index = as_matrix(index, name="the index")
    scores, rows = check_ranking(scores, rows, num_queries=len(scores), num_index=len(index))
    if not 0 <= alpha < 1:
        raise ValueError(f"alpha must be from 0 to below 1, received {alpha}")
    if not 1 <= query_neighbours <= rows.shape[1]:
        raise ValueError(
            f"query_neighbours must be between 1 and the {rows.shape[1]} rows of the ranking, "
            f"received {query_neighbours}"
        )
    if not gamma > 0 or iterations < 1:
        raise ValueError(f"gamma and iterations must be above 0, received {gamma}, {iterations}")
    graph = graph or neighbour_graph(index, neighbours, progress=progress)
    if graph.rows.shape != (len(index), neighbours):
        raise ValueError(
            f"expected a graph of shape ({len(index)}, {neighbours}), received {graph.rows.shape}"
        )
    affinity = _normalised_affinity(graph, gamma)
    result = np.empty(rows.shape, np.float32)
    for query in tqdm(range(len(rows)), desc="diffusion", unit="query", disable=not progress):
        part = affinity[rows[query]][:, rows[query]]
        start = np.maximum(scores[query].astype(np.float64), 0.0) ** gamma
        start[query_neighbours:] = 0.0
        flow = _conjugate_gradient(part, start, alpha, iterations)
        result[query] = flow / max(np.abs(flow).max(), 1e-12)
    return ordered(result, rows)


def _normalised_affinity(graph: NeighbourGraph, gamma: float) -> sparse.csr_matrix:
    """S, (M, M) sparse float32, symmetric."""
    count, k = graph.rows.shape
    values = np.maximum(graph.scores, 0.0).astype(np.float64).ravel() ** gamma
    indptr = np.arange(count + 1, dtype=np.int64) * k
    near = sparse.csr_matrix((values, graph.rows.ravel(), indptr), shape=(count, count))
    mutual = near.minimum(near.T).tocsr()  # zero unless each is among the other's nearest
    degree = np.asarray(mutual.sum(axis=1)).ravel()
    scale = sparse.diags(1 / np.sqrt(np.where(degree > 0, degree, 1.0)))
    return (scale @ mutual @ scale).tocsr().astype(np.float32)


def _conjugate_gradient(part, target: np.ndarray, alpha: float, iterations: int) -> np.ndarray:
    """f of (I - alpha S) f = y; the matrix is symmetric and positive definite for alpha < 1."""
    solution = np.zeros_like(target)
    residual, direction = target.copy(), target.copy()
    power = residual @ residual
    enough = _TOLERANCE**2 * power
    for _ in range(iterations):
        if power <= enough:
            break
        product = direction - alpha * (part @ direction)
        step = power / (direction @ product)
        solution += step * direction
        residual -= step * product
        before, power = power, residual @ residual
        direction = residual + power / before * direction
    return solution
