"""Descriptors averaged with their nearest neighbours': of queries, of the database, or both.

* Average query expansion (AQE): Chum et al., Total Recall, ICCV 2007.
* alpha-weighted (alpha-QE): Radenovic, Tolias, Chum, Fine-tuning CNN Image Retrieval with No Human
  Annotation, TPAMI 2018 (arXiv 1711.02512), section 5.
* Database-side augmentation (DBA): Turcot and Lowe, ICCV workshops 2009; with cosines as weights,
  Gordo et al., IJCV 2017 (arXiv 1610.07940).

All three are one sum: x' = x + sum over the n nearest x_i of max(cos(x, x_i), 0)^alpha * x_i,
divided by its length; alpha = 0 gives the plain average.
"""

from __future__ import annotations

import numpy as np

from landmarks_tf.retrieval.exact import ExactIndex
from landmarks_tf.retrieval.reranking.neighbours import NeighbourGraph, neighbour_graph
from landmarks_tf.retrieval.reranking.ranking import unit_rows
from landmarks_tf.retrieval.vectors import as_matrix

_GATHERED_FLOATS = 8_000_000  # neighbours' rows held at once, as a number of floats


def expand_queries(
    queries, index, *, neighbours: int = 3, alpha: float = 3.0, rounds: int = 1
) -> np.ndarray:
    """Each query averaged with its nearest index rows.

    Args:
        queries: (Q, D) unit rows.
        index: (M, D) unit rows.
        neighbours: n, how many index rows take part.
        alpha: power of the cosine that weighs a neighbour; 0 for AQE.
        rounds: how often; each round searches with the queries of the one before.

    Returns:
        (Q, D) float32 unit rows. Memory beside the index: one block of the search and 32 MB.

    Raises:
        ValueError, EmbeddingError: settings out of range; rows that cannot be searched; a query
            that its neighbours cancel out.
    """
    _check_settings(alpha, rounds)
    exact = ExactIndex(index)
    queries = as_matrix(queries, name="queries", dim=exact.dim)
    for _ in range(rounds):
        scores, rows = exact.search(queries, neighbours)
        queries = _averaged(queries, exact.embeddings, scores, rows, alpha, name="queries")
    return queries


def augment_database(
    index,
    *,
    neighbours: int = 3,
    alpha: float = 3.0,
    rounds: int = 1,
    graph: NeighbourGraph | None = None,
    progress: bool = False,
) -> np.ndarray:
    """Each index row averaged with its nearest others.

    Args:
        index: (M, D) unit rows.
        neighbours: n, how many others take part.
        alpha: power of the cosine that weighs a neighbour; 0 for the plain average.
        rounds: how often; each round walks the graph of the rows of the one before.
        graph: nearest others of `index`, at least n of each, where they are known already.
        progress: show a progress bar while neighbours are searched.

    Returns:
        (M, D) float32 unit rows: as much memory as a float32 index once more (1.6 GB for
        761,757 x 512), the graph, and 32 MB.

    Raises:
        ValueError, EmbeddingError: as `expand_queries`; a graph of another index.
    """
    _check_settings(alpha, rounds)
    index = as_matrix(index, name="the index")
    if graph is not None and (len(graph.rows) != len(index) or graph.rows.shape[1] < neighbours):
        raise ValueError(
            f"expected a graph of {len(index)} rows with {neighbours} neighbours or more, "
            f"received one of shape {graph.rows.shape}"
        )
    for _ in range(rounds):
        graph = graph or neighbour_graph(index, neighbours, progress=progress)
        scores, rows = graph.scores[:, :neighbours], graph.rows[:, :neighbours]
        index = _averaged(index, index, scores, rows, alpha, name="the index")
        graph = None
    return index


def _check_settings(alpha: float, rounds: int) -> None:
    if not 0 <= alpha < np.inf:
        raise ValueError(f"alpha must be 0 or more, received {alpha}")
    if rounds < 1:
        raise ValueError(f"rounds must be at least 1, received {rounds}")


def _averaged(own, index, scores, rows, alpha: float, *, name: str) -> np.ndarray:
    result = np.empty(own.shape, np.float32)
    step = max(1, _GATHERED_FLOATS // (rows.shape[1] * own.shape[1]))
    for start in range(0, len(own), step):
        part = slice(start, start + step)
        weights = np.maximum(scores[part], 0.0).astype(np.float64) ** alpha
        total = np.einsum("qn,qnd->qd", weights, index[rows[part]].astype(np.float32))
        result[part] = unit_rows(own[part] + total, name=f"{name} from row {start} on, averaged")
    return result
