"""Closed-set classification: top-k accuracy, macro and weighted F1."""

from __future__ import annotations

import numpy as np

# Scores that are compared at a time: bounds the memory, not the result.
_BLOCK_ELEMENTS = 1 << 24


def top_k_accuracy(scores: np.ndarray, labels: np.ndarray, k: int = 1) -> float:
    """Share of the rows whose label is among the k classes of highest score, 0..1.

    Classes of equal score are ranked by their number, lowest first, so that a constant output
    gets no credit beyond its first k classes.

    Args:
        scores: (N, C) logits, cosines or probabilities.
        labels: (N,) integers in 0..C-1.
        k: at least 1; from C on the answer is 1.

    Raises:
        ValueError: shapes that do not match, no row, a label outside 0..C-1, NaN scores, k < 1.
    """
    scores, labels = np.asarray(scores), np.asarray(labels)
    if scores.ndim != 2 or labels.shape != scores.shape[:1]:
        raise ValueError(
            "expected scores (N, C) and labels (N,), "
            f"received the shapes {scores.shape} and {labels.shape}."
        )
    if k < 1:
        raise ValueError(f"expected k to be at least 1, received {k}.")
    num_rows, num_classes = scores.shape
    _check_labels(labels, "labels")
    if labels.min() < 0 or labels.max() >= num_classes:
        raise ValueError(
            f"expected labels in 0..{num_classes - 1}, received {labels.min()}..{labels.max()}."
        )
    rows = max(1, _BLOCK_ELEMENTS // num_classes)
    correct = 0
    for start in range(0, num_rows, rows):
        block = scores[start : start + rows]
        correct += int((_label_ranks(block, labels[start : start + rows]) < k).sum())
    return correct / num_rows


def f1_scores(predicted: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, ...]:
    """F1 of each class: 2 TP / (2 TP + FP + FN).

    Args:
        predicted: (N,) integers, the answered class of each row.
        labels: (N,) integers, the true one.

    Returns:
        classes (C,), f1 (C,) float64 in 0..1, support (C,) int64 (true rows). The classes are those
        that occur as a label or as an answer, ascending: a class that is only ever answered
        wrongly has F1 zero and support zero.

    Raises:
        ValueError: shapes that do not match, no row, values that are no integers.
    """
    predicted, labels = np.asarray(predicted), np.asarray(labels)
    if predicted.ndim != 1 or predicted.shape != labels.shape:
        raise ValueError(
            "expected answers (N,) and labels (N,), "
            f"received the shapes {predicted.shape} and {labels.shape}."
        )
    _check_labels(predicted, "answers")
    _check_labels(labels, "labels")
    classes, codes = np.unique(np.concatenate([predicted, labels]), return_inverse=True)
    answered, true = np.split(codes.reshape(-1), 2)
    counts = [
        np.bincount(part, minlength=len(classes))
        for part in (true[answered == true], answered, true)
    ]
    # TP + FP is the number of answers, TP + FN the support: their sum is never zero here.
    return classes, 2 * counts[0] / (counts[1] + counts[2]), counts[2]


def macro_f1(predicted: np.ndarray, labels: np.ndarray) -> float:
    """Plain mean of `f1_scores` over its classes, 0..1. Raises as `f1_scores`.

    By hand: labels 0 0 1 2, answers 0 1 1 1 -> F1 2/3, 1/2, 0 -> (2/3 + 1/2 + 0) / 3 = 7/18.
    """
    return float(f1_scores(predicted, labels)[1].mean())


def weighted_f1(predicted: np.ndarray, labels: np.ndarray) -> float:
    """Mean of `f1_scores` weighted by support, 0..1. Raises as `f1_scores`.

    By hand, the case of `macro_f1`: (2 * 2/3 + 1 * 1/2 + 1 * 0) / 4 = 11/24.
    """
    _, f1, support = f1_scores(predicted, labels)
    return float((f1 * support).sum() / support.sum())


def _label_ranks(scores: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Rank, from 0, of each row's label among its scores."""
    if np.isnan(scores).any():
        raise ValueError("expected scores that can be ordered, received NaN.")
    own = np.take_along_axis(scores, labels[:, None], axis=1)
    earlier = np.arange(scores.shape[1]) < labels[:, None]
    return ((scores > own) | ((scores == own) & earlier)).sum(axis=1)


def _check_labels(values: np.ndarray, name: str) -> None:
    if not values.size:
        raise ValueError(f"expected at least one row, received no {name}.")
    if not np.issubdtype(values.dtype, np.integer):
        raise ValueError(f"expected integer {name}, received the type {values.dtype}.")
