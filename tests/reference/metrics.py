"""Plain-loop metrics in Python floats, written from the definitions; imports nothing of ours.

`predictions`: query -> ranked ids; `solution`: query -> ground-truth ids (retrieval), or
query -> (landmark, score) and query -> landmark ids (recognition).
"""

from __future__ import annotations


def average_precision(ranking, truth, k):
    seen = []
    correct = 0
    total = 0.0
    for position, item in enumerate(ranking, start=1):
        if position > k:
            break
        if item in truth and item not in seen:
            correct += 1
            total += correct / position
        seen.append(item)
    return total / min(len(truth), k)


def mean_average_precision(predictions, solution, k):
    total = 0.0
    for query, truth in solution.items():
        total += average_precision(predictions.get(query, []), truth, k)
    return total / len(solution)


def precision_at(predictions, solution, rank):
    total = 0.0
    for query, truth in solution.items():
        distinct = []
        for item in predictions.get(query, [])[:rank]:
            if item in truth and item not in distinct:
                distinct.append(item)
        total += len(distinct) / rank
    return total / len(solution)


def positions(predictions, solution, k):
    found = []
    for query, truth in solution.items():
        position = k + 1
        for rank, item in enumerate(predictions.get(query, [])[:k], start=1):
            if item in truth:
                position = rank
                break
        found.append(position)
    return found


def median(values):
    ordered = sorted(values)
    middle = len(ordered) // 2
    if len(ordered) % 2:
        return float(ordered[middle])
    return (ordered[middle - 1] + ordered[middle]) / 2


def gap(predictions, solution, ignore_non_landmarks):
    rows = []
    for query, (landmark, score) in predictions.items():
        if ignore_non_landmarks and len(solution[query]) == 0:
            continue
        rows.append((-score, query, landmark))
    rows.sort()
    correct = 0
    total = 0.0
    for rank, (_, query, landmark) in enumerate(rows, start=1):
        if landmark in solution[query]:
            correct += 1
            total += correct / rank
    return total / sum(1 for truth in solution.values() if len(truth) > 0)


def top1(predictions, solution):
    correct = 0
    counted = 0
    for query, truth in solution.items():
        if len(truth) == 0:
            continue
        counted += 1
        if query in predictions and predictions[query][0] in truth:
            correct += 1
    return correct / counted


def top_k_accuracy(scores, labels, k):
    correct = 0
    for row, label in zip(scores, labels, strict=True):
        ranked = sorted(range(len(row)), key=lambda c, row=row: (-row[c], c))
        if label in ranked[:k]:
            correct += 1
    return correct / len(labels)


def f1(predicted, labels):
    """{class: (F1, support)} for the classes among answers and labels."""
    result = {}
    for c in sorted(set(predicted) | set(labels)):
        tp = sum(1 for p, t in zip(predicted, labels, strict=True) if p == c and t == c)
        fp = sum(1 for p, t in zip(predicted, labels, strict=True) if p == c and t != c)
        fn = sum(1 for p, t in zip(predicted, labels, strict=True) if p != c and t == c)
        precision = tp / (tp + fp) if tp + fp else 0.0
        recall = tp / (tp + fn) if tp + fn else 0.0
        both = precision + recall
        result[c] = (2 * precision * recall / both if both else 0.0, tp + fn)
    return result


def recall_at(predictions, solution, rank):
    total = 0.0
    for query, truth in solution.items():
        shown = predictions.get(query, [])[:rank]
        total += sum(1 for item in truth if item in shown) / len(truth)
    return total / len(solution)


def hit_rate_at(predictions, solution, rank):
    found = 0
    for query, truth in solution.items():
        if any(item in truth for item in predictions.get(query, [])[:rank]):
            found += 1
    return found / len(solution)


def r_precision(predictions, solution):
    total = 0.0
    for query, truth in solution.items():
        shown = predictions.get(query, [])[: len(truth)]
        total += sum(1 for item in truth if item in shown) / len(truth)
    return total / len(solution)
