"""Circle loss in float64, pair by pair (Sun et al., arXiv 2002.10857, equations 5, 6 and 8)."""

from __future__ import annotations

import math

import numpy as np

from tests.reference.cosine import cosine


def mean(labels, embeddings, margin: float, scale: float, weigh_at=None) -> float:
    """Mean over the anchors with a positive and a negative; 0 of none.

    `weigh_at`: the embeddings from which the weights of the pairs come. The paper derives by the
    cosines with the weights held (equation 10), so a gradient needs them fixed.
    """
    embeddings = np.array(embeddings, np.float64)
    held = embeddings if weigh_at is None else np.array(weigh_at, np.float64)
    values = []
    for i in range(len(labels)):
        pull = push = 0.0
        for j in range(len(labels)):
            if j == i:
                continue
            score, weight = cosine(embeddings[i], embeddings[j]), cosine(held[i], held[j])
            if labels[j] == labels[i]:
                weight = max(0.0, 1 + margin - weight)
                pull += math.exp(-scale * weight * (score - (1 - margin)))
            else:
                weight = max(0.0, weight + margin)
                push += math.exp(scale * weight * (score - margin))
        if pull and push:
            values.append(math.log(1 + pull * push))
    return sum(values) / len(values) if values else 0.0
