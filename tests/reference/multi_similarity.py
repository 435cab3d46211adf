"""Multi-similarity loss in float64, anchor by anchor (arXiv 1904.06627, equations 6, 7, 15)."""

from __future__ import annotations

import math

import numpy as np

from tests.reference.cosine import cosine


def losses(labels, embeddings, alpha: float, beta: float, base: float, epsilon) -> np.ndarray:
    """(B,); epsilon None mines nothing away."""
    embeddings = np.array(embeddings, np.float64)
    out = []
    for i in range(len(labels)):
        others = [j for j in range(len(labels)) if j != i]
        same = [cosine(embeddings[i], embeddings[j]) for j in others if labels[j] == labels[i]]
        different = [cosine(embeddings[i], embeddings[j]) for j in others if labels[j] != labels[i]]
        positives, negatives = same, different
        if epsilon is not None:
            # Against an empty set nothing is informative.
            positives = [s for s in same if different and s < max(different) + epsilon]
            negatives = [s for s in different if same and s > min(same) - epsilon]
        pull = math.log(1 + sum(math.exp(-alpha * (s - base)) for s in positives)) / alpha
        push = math.log(1 + sum(math.exp(beta * (s - base)) for s in negatives)) / beta
        out.append(pull + push)
    return np.array(out)
