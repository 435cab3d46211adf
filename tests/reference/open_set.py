"""Voting and the non-landmark penalty in plain loops, float64, from their definitions."""

from __future__ import annotations

import math


def vote(neighbours, scheme):
    """(class, confidence) from (class, score) pairs, nearest first."""
    votes = {}
    touching = [label for label, score in neighbours if score >= 1]
    for label, score in neighbours:
        if scheme == "cosine":
            weight = max(score, 0.0)
        elif scheme == "majority":
            weight = 1.0
        elif touching:
            weight = 1.0 if score >= 1 else 0.0
        else:
            weight = 1 / math.sqrt(2 - 2 * score)
        votes[label] = votes.get(label, 0.0) + weight
    best = None
    for label, total in votes.items():  # in the order of nearness
        if best is None or total > votes[best]:
            best = label
    confidence = votes[best]
    if scheme == "cosine" and neighbours[0][1] < 0:
        confidence = neighbours[0][1]
    if scheme == "majority":
        confidence += (1 + next(score for label, score in neighbours if label == best)) / 2
    if scheme == "distance" and touching:
        confidence = math.inf
    return best, confidence


def cosine(a, b):
    return sum(float(x) * float(y) for x, y in zip(a, b, strict=True))


def mean_of_top(values, top):
    kept = sorted(values, reverse=True)[:top]
    return sum(kept) / len(kept) if kept else 0.0


def recognize(queries, train, labels, generic, penalty, k, scheme, own):
    """[(class, confidence)]; penalty is (reference weight, top, query weight, top)."""
    costs = [
        penalty[0] * mean_of_top([cosine(row, other) for other in generic], penalty[1])
        for row in train
    ]
    answers = []
    for place, query in enumerate(queries):
        scored = sorted((-(cosine(query, row) - costs[n]), n) for n, row in enumerate(train))[:k]
        label, confidence = vote([(labels[n], -score) for score, n in scored], scheme)
        others = [other for n, other in enumerate(generic) if n != own[place]]
        likeness = mean_of_top([cosine(query, other) for other in others], penalty[3])
        answers.append((label, confidence - penalty[2] * likeness))
    return answers
