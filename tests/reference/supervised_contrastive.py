"""Supervised contrastive loss in float64 (Khosla et al., arXiv 2004.11362, equation 2)."""

from __future__ import annotations

import math

import numpy as np

from tests.reference.cosine import cosine


def mean(labels, embeddings, temperature: float) -> float:
    """Mean of L_out over the anchors that have a positive; 0 of none."""
    embeddings = np.array(embeddings, np.float64)
    values = []
    for i in range(len(labels)):
        scores = {
            a: cosine(embeddings[i], embeddings[a]) / temperature
            for a in range(len(labels))
            if a != i
        }
        positives = [p for p in scores if labels[p] == labels[i]]
        if not positives:
            continue
        total = sum(math.exp(score) for score in scores.values())
        log_odds = [math.log(math.exp(scores[p]) / total) for p in positives]
        values.append(-sum(log_odds) / len(positives))
    return sum(values) / len(values) if values else 0.0
