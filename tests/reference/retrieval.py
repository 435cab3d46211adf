"""Search and voting in plain loops, float64, from their definitions. Imports nothing of ours."""

from __future__ import annotations

import numpy as np


def search(embeddings, queries, k):
    """Ranks by (falling float32 cosine, rising row); returns lists of scores and of rows."""
    all_scores, all_rows = [], []
    for query in np.asarray(queries, np.float64):
        scored = []
        for row, vector in enumerate(np.asarray(embeddings, np.float64)):
            scored.append((-float(np.float32(sum(vector * query))), row))
        scored.sort()
        all_scores.append([-score for score, _ in scored[:k]])
        all_rows.append([row for _, row in scored[:k]])
    return all_scores, all_rows


def knn_vote(embeddings, labels, queries, k):
    """Summed non-negative cosines by class; ties go to the class met first."""
    result = []
    scores, rows = search(embeddings, queries, k)
    for query_scores, query_rows in zip(scores, rows, strict=True):
        sums = {}
        for score, row in zip(query_scores, query_rows, strict=True):
            sums[labels[row]] = sums.get(labels[row], 0.0) + max(score, 0.0)
        best = None
        for label, total in sums.items():  # insertion order is nearness
            if best is None or total > sums[best]:
                best = label
        confidence = query_scores[0] if query_scores[0] < 0 else sums[best]
        result.append((best, confidence))
    return result


def first_distinct(embeddings, labels, queries, count):
    """The first `count` distinct labels, nearest first."""
    result = []
    _, rows = search(embeddings, queries, len(embeddings))
    for query_rows in rows:
        seen = []
        for row in query_rows:
            if labels[row] not in seen:
                seen.append(labels[row])
        result.append(seen[:count])
    return result
