"""Triplet losses in float64, triplet by triplet (arXiv 1503.03832 and 1703.07737)."""

from __future__ import annotations

import math

import numpy as np

from tests.reference.cosine import cosine


def distance(left, right, name: str) -> float:
    if name == "cosine":
        return 1 - cosine(left, right)
    squared = sum((float(a) - float(b)) ** 2 for a, b in zip(left, right, strict=True))
    return math.sqrt(squared) if name == "euclidean" else squared


def triplets(labels, embeddings, mining: str, name: str) -> list[tuple[int, int, int]]:
    """The (anchor, positive, negative) that a mining chooses."""
    chosen = []
    for a in range(len(labels)):
        far = {i: distance(embeddings[a], embeddings[i], name) for i in range(len(labels))}
        positives = [i for i in far if labels[i] == labels[a] and i != a]
        negatives = [i for i in far if labels[i] != labels[a]]
        if not positives or not negatives:
            continue
        if mining == "all":
            chosen += [(a, p, n) for p in positives for n in negatives]
        elif mining == "hard":
            chosen.append((a, max(positives, key=far.get), min(negatives, key=far.get)))
        else:
            for p in positives:
                farther = [n for n in negatives if far[n] > far[p]]
                pick = min(farther, key=far.get) if farther else max(negatives, key=far.get)
                chosen.append((a, p, pick))
    return chosen


def losses(labels, embeddings, margin, mining: str, name: str) -> list[float]:
    """One for each chosen triplet; margin None is the soft margin."""
    out = []
    for a, p, n in triplets(labels, embeddings, mining, name):
        gap = distance(embeddings[a], embeddings[p], name)
        gap -= distance(embeddings[a], embeddings[n], name)
        if margin is None:
            out.append(max(gap, 0.0) + math.log1p(math.exp(-abs(gap))))
        else:
            out.append(max(0.0, margin + gap))
    return out


def mean(labels, embeddings, margin, mining: str, name: str, average: str = "all") -> float:
    """Over all chosen triplets, or those of positive loss; 0 of none."""
    values = losses(labels, np.array(embeddings, np.float64), margin, mining, name)
    if average == "nonzero":
        values = [value for value in values if value > 0]
    return sum(values) / len(values) if values else 0.0
