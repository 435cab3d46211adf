"""Re-ranking in plain loops, float64, from the papers' definitions. Imports nothing of ours."""

from __future__ import annotations

import math

import numpy as np


def unit(vector):
    return vector / math.sqrt(sum(v * v for v in vector))


def cosine(a, b):
    return float(sum(x * y for x, y in zip(a, b, strict=True)))


def nearest(query, index, k, without=None):
    """The k rows of highest cosine, equal ones by row."""
    rows = [row for row in range(len(index)) if row != without]
    return sorted(rows, key=lambda row: (-cosine(query, index[row]), row))[:k]


def averaged(vector, index, rows, alpha):
    """x + sum of max(cos, 0)^alpha x_i, of length 1."""
    total = np.array(vector, np.float64)
    for row in rows:
        total = total + max(cosine(vector, index[row]), 0.0) ** alpha * np.asarray(index[row])
    return unit(total)


def expanded(queries, index, n, alpha, rounds):
    for _ in range(rounds):
        queries = [averaged(q, index, nearest(q, index, n), alpha) for q in queries]
    return np.array(queries)


def augmented(index, n, alpha, rounds):
    for _ in range(rounds):
        index = np.array(
            [averaged(x, index, nearest(x, index, n, row), alpha) for row, x in enumerate(index)]
        )
    return index


def pca_whitened(train, vectors, dim, power):
    """By the covariance as a plain double sum and its eigenvectors."""
    mean = sum(train) / len(train)
    covariance = sum(np.outer(x - mean, x - mean) for x in train) / len(train)
    values, axes = np.linalg.eig(covariance)
    order = np.argsort(-values.real)[:dim]
    projection = np.stack([axes[:, i].real / values[i].real ** power for i in order], axis=1)
    return np.array([unit((x - mean) @ projection) for x in vectors])


def learned_whitened(train, labels, vectors, dim, ridge):
    """Mikolajczyk and Matas, over every pair one by one; the root is the symmetric one."""
    size = train.shape[1]
    same, other, num_same, num_other = np.zeros((size, size)), np.zeros((size, size)), 0, 0
    for i in range(len(train)):
        for j in range(i):
            outer = np.outer(train[i] - train[j], train[i] - train[j])
            if labels[i] == labels[j]:
                same, num_same = same + outer, num_same + 1
            else:
                other, num_other = other + outer, num_other + 1
    same, other = same / num_same, other / num_other
    same = same + ridge * np.trace(same) / size * np.eye(size)
    values, axes = np.linalg.eigh(same)
    root = axes @ np.diag(values**-0.5) @ axes.T
    values, axes = np.linalg.eigh(root @ other @ root)
    projection = root @ axes[:, np.argsort(-values)[:dim]]
    mean = sum(train) / len(train)
    return np.array([unit((x - mean) @ projection) for x in vectors])


def k_reciprocal_scores(query, index, rows, k1, k2, weight):
    """1 - distance of one query to each of `rows`, with Python sets and dicts."""
    lists = {g: nearest(index[g], index, k1, g) for g in range(len(index))}

    def reciprocal(g, k):
        return {g} | {h for h in lists[g][:k] if g in lists[h][:k]}

    def widened(first):
        wide = set(first)
        for g in first:
            half = reciprocal(g, math.ceil(k1 / 2))
            if 3 * len(half & first) >= 2 * len(half):
                wide |= half
        return wide

    def encoded(vector, members):
        values = {g: math.exp(-(2 - 2 * cosine(vector, index[g]))) for g in members}
        total = sum(values.values())
        return {g: v / total for g, v in values.items()}

    def mean(parts):
        keys = set().union(*parts)
        return {g: sum(part.get(g, 0.0) for part in parts) / k2 for g in keys}

    own = {g: encoded(index[g], widened(reciprocal(g, k1))) for g in range(len(index))}
    around = nearest(query, index, k1)
    mutual = {g for g in around if cosine(query, index[g]) >= cosine(index[g], index[lists[g][-1]])}
    of_query = mean([encoded(query, widened(mutual)), *(own[g] for g in around[: k2 - 1])])
    result = []
    for row in rows:
        theirs = mean([own[g] for g in [row, *lists[row][: k2 - 1]]])
        keys = of_query.keys() | theirs.keys()
        least = sum(min(of_query.get(g, 0.0), theirs.get(g, 0.0)) for g in keys)
        most = sum(max(of_query.get(g, 0.0), theirs.get(g, 0.0)) for g in keys)
        distance = (2 - 2 * cosine(query, index[row])) / 4
        result.append(1 - ((1 - weight) * (1 - least / most) + weight * distance))
    return result


def super_global_scores(query, top, n, beta, pooling):
    """Scores of one query's top descriptors, in their order."""
    refined = []
    for i, own in enumerate(top):
        total, weights = np.array(own, np.float64), 1.0
        for j in nearest(own, top, n, i):
            weight = beta * max(cosine(own, top[j]), 0.0)
            total, weights = total + weight * np.asarray(top[j]), weights + weight
        refined.append(total / weights)
    first = [cosine(query, g) for g in refined]
    best = sorted(range(len(top)), key=lambda i: (-first[i], i))[:n]
    stack = np.array([query, *(refined[i] for i in best)])
    pooled = unit(stack.max(axis=0) if pooling == "max" else stack.mean(axis=0))
    return [(one + cosine(pooled, g)) / 2 for one, g in zip(first, top, strict=True)]


def diffusion_scores(index, scores, rows, k, fed, alpha, gamma):
    """(I - alpha S)^-1 y over one query's rows, S of the whole index, by a dense solve."""
    size = len(index)
    lists = [nearest(index[g], index, k, g) for g in range(size)]
    affinity = np.zeros((size, size))
    for g in range(size):
        for h in lists[g]:
            if g in lists[h]:
                affinity[g, h] = max(cosine(index[g], index[h]), 0.0) ** gamma
    degree = affinity.sum(axis=1)
    degree[degree == 0] = 1.0
    normalised = affinity / np.sqrt(np.outer(degree, degree))
    part = normalised[np.ix_(rows, rows)]
    target = np.array([max(s, 0.0) ** gamma if i < fed else 0.0 for i, s in enumerate(scores)])
    flow = np.linalg.solve(np.eye(len(rows)) - alpha * part, target)
    return flow / max(abs(flow).max(), 1e-12)


def class_aware_rows(query, index, rows, label, labels, insert):
    """One query's rows: of its class, then inserted ones of it, then the others."""
    if label < 0:
        return list(rows)
    same = [row for row in rows if labels[row] == label]
    others = [row for row in rows if labels[row] != label]
    missing = [g for g in range(len(index)) if labels[g] == label and g not in rows]
    missing.sort(key=lambda g: (-cosine(query, index[g]), g))
    return (same + (missing if insert else []) + others)[: len(rows)]
