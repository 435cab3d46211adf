"""Recognition where most queries show no landmark at all: what looks like no landmark is held back.

GLDv2's test set shows a landmark of the train set in 1 of 60 pictures, and GAP ranks the answers to
all of them. Pictures known to show none (generic scenes) tell which train images attract such
queries, and which queries look like such scenes. A train image's similarity to a query is lowered
by its mean similarity to the non-landmarks nearest to it, before neighbours are taken; a query's
confidence is lowered by its own.

Source: the first place of Landmark Recognition 2020 (engineering.md section 7): top 5 on the side
of the train images, top 10 on that of the queries. The weights are ours, to be chosen on the public
part.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from landmarks_tf.retrieval.exact import ExactIndex
from landmarks_tf.retrieval.knn import as_index, check_labels, check_neighbours
from landmarks_tf.retrieval.vectors import as_matrix, check_unit_rows
from landmarks_tf.retrieval.votes import tally

_QUERIES_PER_BLOCK = 256
_ROWS_PER_BLOCK = 16_384
# Kept beyond k, so that float32 rounding cannot push one of the k best out before float64 decides.
_SPARE = 16


@dataclass(frozen=True)
class Penalty:
    """How much likeness to non-landmarks costs.

    Attributes:
        reference_weight: factor on the side of the train images; 0 for none.
        reference_top: how many non-landmarks nearest to a train image count.
        query_weight, query_top: the same on the side of the queries.
    """

    reference_weight: float = 1.0
    reference_top: int = 5
    query_weight: float = 1.0
    query_top: int = 10

    def __post_init__(self):
        if min(self.reference_weight, self.query_weight) < 0:
            raise ValueError(f"expected weights of at least 0, received {self}.")
        if min(self.reference_top, self.query_top) < 1:
            raise ValueError(f"expected at least 1 non-landmark to count, received {self}.")


def non_landmark_similarity(embeddings, non_landmarks, *, top: int, own_rows=None) -> np.ndarray:
    """Mean cosine of each row and the `top` non-landmarks nearest to it.

    By hand: cosines 0.9, 0.2 and 0.5 to three non-landmarks, top 2 -> 0.7.

    Args:
        embeddings: (N, D) unit rows.
        non_landmarks: (M, D) unit rows, or an `ExactIndex` of them.
        top: all M count where M is smaller.
        own_rows: (N,) the row of `non_landmarks` that is the picture itself and does not count, or
            -1; None where no picture is among them.

    Returns:
        (N,) float64; 0 where a picture is the only non-landmark.

    Raises:
        ValueError: embeddings that cannot be searched, top below one.
    """
    if top < 1:
        raise ValueError(f"expected at least 1 non-landmark to count, received {top}.")
    index = as_index(non_landmarks)
    own = np.full(len(embeddings), -1) if own_rows is None else np.asarray(own_rows)
    scores, rows = index.search(embeddings, min(top + int((own >= 0).any()), len(index)))
    counts = rows != own[:, None]
    # The nearest `top` of those that count.
    counts &= counts.cumsum(axis=1) <= top
    sums = np.where(counts, scores, 0.0).sum(axis=1, dtype=np.float64)
    return sums / np.maximum(counts.sum(axis=1), 1)


def recognize(
    query_embeddings,
    train_embeddings,
    train_labels,
    *,
    non_landmarks,
    penalty: Penalty,
    k: int = 3,
    vote: str = "cosine",
    own_rows=None,
) -> tuple[np.ndarray, np.ndarray]:
    """`knn_classify` with the penalty on both sides; with weights of 0 it is the same.

    Args:
        query_embeddings: (Q, D) unit rows.
        train_embeddings: (N, D) unit rows, or an `ExactIndex` of them.
        train_labels: (N,) whole numbers >= 0.
        non_landmarks: (M, D) unit rows of pictures that show no landmark of the train set.
        penalty: the weights.
        k: number of neighbours that vote.
        vote: a scheme of `landmarks_tf.retrieval.votes`.
        own_rows: (Q,) the row of `non_landmarks` that is the query itself, or -1. Without it, a
            query that is among the non-landmarks is held back for being one.

    Returns:
        labels (Q,) int64 and confidences (Q,) float64, for ranking as GAP does.

    Raises:
        ValueError: as `knn_classify`.
    """
    index = as_index(train_embeddings)
    labels = check_labels(train_labels, len(index))
    check_neighbours(k)
    kinds = as_index(non_landmarks)
    costs = np.zeros(len(index))
    if penalty.reference_weight:
        costs = penalty.reference_weight * non_landmark_similarity(
            index.embeddings, kinds, top=penalty.reference_top
        )
    scores, rows = penalised_neighbours(query_embeddings, index, costs, min(int(k), len(index)))
    classes, confidences = tally(labels[rows], scores, vote)
    if penalty.query_weight:
        likeness = non_landmark_similarity(
            query_embeddings, kinds, top=penalty.query_top, own_rows=own_rows
        )
        confidences = confidences - penalty.query_weight * likeness
    return classes, confidences


def penalised_neighbours(
    query_embeddings, index: ExactIndex, costs: np.ndarray, k: int
) -> tuple[np.ndarray, np.ndarray]:
    """The k train images of the highest cosine - cost: exactly, whatever the costs.

    Every train image is looked at: one that is far by cosine may cost so much less.

    Args:
        query_embeddings: (Q, D) unit rows.
        index: of N train images.
        costs: (N,) what each of them costs.
        k: 1 to N.

    Returns:
        scores (Q, k) float64, falling, and rows (Q, k) int64; equal scores by rising row.

    Raises:
        EmbeddingError: queries of another dimension, with NaN, or not unit long.
    """
    queries = as_matrix(query_embeddings, name="queries", dim=index.dim)
    check_unit_rows(queries, name="queries")
    scores, rows = np.empty((len(queries), k)), np.empty((len(queries), k), np.int64)
    for start in range(0, len(queries), _QUERIES_PER_BLOCK):
        block = slice(start, start + _QUERIES_PER_BLOCK)
        part = queries[block].astype(np.float64)
        found = _candidates(part.astype(np.float32), index.embeddings, costs, k + _SPARE)
        vectors = index.embeddings[found].astype(np.float64)
        exact = np.einsum("qcd,qd->qc", vectors, part) - costs[found]
        order = np.lexsort((found, -exact), axis=1)[:, :k]
        scores[block] = np.take_along_axis(exact, order, 1)
        rows[block] = np.take_along_axis(found, order, 1)
    return scores, rows


def _candidates(queries: np.ndarray, embeddings, costs: np.ndarray, keep: int) -> np.ndarray:
    """(Q, keep or N) rows of the best scores by the float32 product, unordered."""
    best = np.zeros((len(queries), 0), np.float32)
    best_rows = np.zeros((len(queries), 0), np.int64)
    for start in range(0, len(embeddings), _ROWS_PER_BLOCK):
        block = np.asarray(embeddings[start : start + _ROWS_PER_BLOCK], np.float32)
        block_costs = costs[start : start + len(block)].astype(np.float32)
        best = np.concatenate([best, queries @ block.T - block_costs], axis=1)
        columns = np.broadcast_to(np.arange(start, start + len(block)), (len(queries), len(block)))
        best_rows = np.concatenate([best_rows, columns], axis=1)
        if best.shape[1] > keep:
            kept = np.argpartition(best, -keep, axis=1)[:, -keep:]
            best = np.take_along_axis(best, kept, 1)
            best_rows = np.take_along_axis(best_rows, kept, 1)
    return best_rows
