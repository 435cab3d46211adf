"""Class-aware re-ranking: index images of the query's predicted landmark come first.

Source: Yokoo, Ozaki, Simo-Serra, Iizuka, Two-stage Discriminative Re-ranking for Large-scale
Landmark Retrieval, CVPR workshops 2020 (arXiv 2003.11211), the winner of Landmark Retrieval 2019.
Queries and index images are given a landmark by their nearest training images (soft voting); in the
sort-step rows of the query's landmark move before the others, in the insert-step index images of
that landmark which were not retrieved follow them. Both keep the order of similarity.

GLDv2's queries and index also show landmarks that no training image has. `min_confidence` leaves
such images alone: it is a threshold of ours on the mean cosine of the votes.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from landmarks_tf.retrieval.exact import ExactIndex
from landmarks_tf.retrieval.knn import knn_classify
from landmarks_tf.retrieval.reranking.ranking import check_ranking
from landmarks_tf.retrieval.vectors import as_matrix


class PredictedClasses(NamedTuple):
    """Landmarks of images by their nearest training images.

    Attributes:
        labels: (N,) int64; -1 where the confidence is too low to say.
        confidences: (N,) float64, the winner's summed cosines divided by k, -1..1.
    """

    labels: np.ndarray
    confidences: np.ndarray


def predict_classes(
    vectors, train, train_labels, *, k: int = 3, min_confidence: float = 0.0
) -> PredictedClasses:
    """Soft voting among the k nearest training images (`knn_classify`).

    Args:
        vectors: (N, D) unit rows.
        train: (T, D) unit rows, or an `ExactIndex` of them.
        train_labels: (T,) whole numbers >= 0.
        k: how many vote.
        min_confidence: below it an image gets no class.

    Raises:
        ValueError, EmbeddingError: as `knn_classify`.
    """
    train = train if isinstance(train, ExactIndex) else ExactIndex(train)
    labels, confidences = knn_classify(vectors, train, train_labels, k=k)
    confidences = confidences / min(k, len(train))
    return PredictedClasses(np.where(confidences < min_confidence, -1, labels), confidences)


def class_aware_rerank(
    queries, index, scores, rows, query_labels, index_labels, *, insert: bool = True
) -> tuple[np.ndarray, np.ndarray]:
    """Sort-step, and insert-step if asked for.

    Args:
        queries: (Q, D) unit rows.
        index: (M, D) unit rows.
        scores: (Q, k) falling, cosines or another re-ranker's.
        rows: (Q, k) whole numbers.
        query_labels: (Q,) predicted classes; -1 for none, which leaves the query as it is.
        index_labels: (M,) predicted classes; -1 for none.
        insert: also bring in index rows of the query's class that `rows` does not have, by falling
            cosine; they take the places of the last rows of other classes.

    Returns:
        scores (Q, k) float32, falling: the old ones, raised together for rows of the query's
        class so that they stand above the others; rows (Q, k) int64. Memory: O(M) for the labels
        and one class' descriptors at a time.

    Raises:
        ValueError: labels or a ranking that do not fit.
    """
    index = as_matrix(index, name="the index")
    queries = as_matrix(queries, name="queries", dim=index.shape[1])
    scores, rows = check_ranking(scores, rows, num_queries=len(queries), num_index=len(index))
    query_labels = _check_labels(query_labels, len(queries), "query_labels")
    index_labels = _check_labels(index_labels, len(index), "index_labels")
    order = np.argsort(index_labels, kind="stable")
    in_order = index_labels[order]
    new_scores, new_rows = scores.copy(), rows.copy()
    for query in np.flatnonzero(query_labels >= 0):
        label, own_rows, own_scores = query_labels[query], rows[query], scores[query]
        same = index_labels[own_rows] == label
        parts = [(own_scores[same], own_rows[same])]
        if insert:
            low, high = np.searchsorted(in_order, [label, label + 1])
            missing = np.setdiff1d(order[low:high], own_rows[same], assume_unique=True)
            parts.append(_by_cosine(queries[query], index, missing))
        parts.append((own_scores[~same], own_rows[~same]))
        new_scores[query], new_rows[query] = _stacked(parts, rows.shape[1])
    return new_scores, new_rows


def _check_labels(labels, count: int, name: str) -> np.ndarray:
    labels = np.asarray(labels)
    if labels.shape != (count,) or labels.dtype.kind not in "iu":
        raise ValueError(
            f"{name}: expected {count} whole numbers, received {labels.dtype} of shape "
            f"{labels.shape}"
        )
    return labels.astype(np.int64, copy=False)


def _by_cosine(query, index, rows) -> tuple[np.ndarray, np.ndarray]:
    cosines = (index[rows].astype(np.float64) @ query.astype(np.float64)).astype(np.float32)
    order = np.lexsort((rows, -cosines))
    return cosines[order], rows[order]


def _stacked(parts, k: int) -> tuple[np.ndarray, np.ndarray]:
    """Falling lists one below the other, each raised as far as it must stand above the next."""
    scores, rows = (np.concatenate(arrays)[:k] for arrays in zip(*parts, strict=True))
    # Where a score is above the one before it, all before are raised by the difference.
    rise = np.maximum(np.diff(scores.astype(np.float64)), 0.0)
    raised = np.concatenate([np.cumsum(rise[::-1])[::-1], [0.0]])
    return (scores + raised).astype(np.float32), rows
