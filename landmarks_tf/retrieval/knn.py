"""Recognition by nearest neighbours: a landmark for each query from labelled train embeddings.

This is how a metric-learning recipe, which has no classifier, takes part in the recognition task:
the class of a query is voted for by its nearest train images (GLDv2's baseline sums the scores of
the top matches by class; S4 section 3.2 takes k = 3 and counts top-5 as the first five distinct
classes). For unit vectors the order by L2 distance is the order by cosine.
"""

from __future__ import annotations

import numpy as np

from landmarks_tf.retrieval.exact import ExactIndex
from landmarks_tf.retrieval.votes import tally


def check_labels(train_labels, num_rows: int) -> np.ndarray:
    """(N,) int64 labels, if there is a whole number >= 0 for each row; else ValueError."""
    labels = np.asarray(train_labels)
    if labels.shape != (num_rows,):
        raise ValueError(
            f"expected {num_rows} train labels, one for each embedding, received {labels.shape}"
        )
    if labels.dtype.kind not in "iu":
        raise ValueError(f"train labels must be whole numbers, received {labels.dtype}")
    if (labels < 0).any():
        row = int(np.argmax(labels < 0))
        raise ValueError(f"train label of row {row} is {labels[row]}; every row needs a class")
    return labels.astype(np.int64)


def knn_classify(
    query_embeddings, train_embeddings, train_labels, *, k: int = 3, vote: str = "cosine"
) -> tuple[np.ndarray, np.ndarray]:
    """Votes of the k nearest train images, each weighted with its cosine if not told otherwise.

    Args:
        query_embeddings: (Q, D) unit rows.
        train_embeddings: (N, D) unit rows, or an `ExactIndex` of them.
        train_labels: (N,) whole numbers >= 0.
        k: number of neighbours that vote; all N vote where N is smaller.
        vote: a scheme of `landmarks_tf.retrieval.votes`.

    Returns:
        labels (Q,) int64 and confidences (Q,) float64 for ranking predictions as GAP does; with
        "cosine" the summed cosines of the winner's votes (so between -k and k). Equal sums go to
        the class of the nearer neighbour. Negative cosines vote against no one: they count as 0,
        unless the nearest neighbour's own is negative, whose cosine is then the confidence.

    Raises:
        ValueError: for labels that do not fit, k < 1, an unknown vote, or embeddings that cannot
            be searched.
    """
    index = as_index(train_embeddings)
    labels = check_labels(train_labels, len(index))
    check_neighbours(k)
    scores, rows = index.search(query_embeddings, min(int(k), len(index)))
    return tally(labels[rows], scores, vote)


def check_neighbours(k: int) -> None:
    """Raises ValueError unless k is a whole number of at least 1."""
    if isinstance(k, bool) or not isinstance(k, int | np.integer) or k < 1:
        raise ValueError(f"k must be a whole number of at least 1, received {k!r}")


def nearest_classes(
    query_embeddings, train_embeddings, train_labels, *, num_classes: int = 5
) -> np.ndarray:
    """The first distinct classes met when train images are read from the nearest outwards.

    Args:
        query_embeddings: (Q, D) unit rows.
        train_embeddings: (N, D) unit rows, or an `ExactIndex` of them.
        train_labels: (N,) whole numbers >= 0.
        num_classes: how many classes to name.

    Returns:
        (Q, num_classes) int64, nearest first; -1 where the train set has fewer classes.

    Raises:
        ValueError: for labels that do not fit, or num_classes < 1.
    """
    index = as_index(train_embeddings)
    labels = check_labels(train_labels, len(index))
    if num_classes < 1:
        raise ValueError(f"num_classes must be at least 1, received {num_classes}")
    queries = np.asarray(query_embeddings)
    wanted = min(num_classes, len(np.unique(labels)))
    result = np.full((len(queries), num_classes), -1, np.int64)
    open_queries = np.arange(len(queries))
    k = min(8 * num_classes, len(index))
    # A query deep inside one large class needs more neighbours; only such queries are asked again.
    while open_queries.size:
        _, rows = index.search(queries[open_queries], k)
        unfinished = []
        for query, neighbours in zip(open_queries, labels[rows], strict=True):
            distinct, first = np.unique(neighbours, return_index=True)
            if len(distinct) < wanted:
                unfinished.append(query)
                continue
            result[query, :wanted] = distinct[np.argsort(first)][:wanted]
        open_queries = np.asarray(unfinished, np.int64)
        k = min(4 * k, len(index))
    return result


def as_index(train_embeddings) -> ExactIndex:
    """An index as it is, or one of (N, D) unit rows."""
    if isinstance(train_embeddings, ExactIndex):
        return train_embeddings
    return ExactIndex(train_embeddings)
