"""From confidences to the probability of being right: isotonic and logistic calibration.

Both learn from answers whose truth is known, such as those to the public queries. Isotonic
calibration keeps the order of a single confidence (and so GAP, but for ties that it makes);
logistic calibration joins several signs of a right answer into one number, which may rank better
than any of them.

Source: Zadrozny and Elkan, Transforming Classifier Scores into Accurate Multiclass Probability
Estimates, KDD 2002 (isotonic); Platt, Probabilistic Outputs for Support Vector Machines, 1999.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

_STEPS = 100
_TOLERANCE = 1e-10


@dataclass(frozen=True)
class IsotonicCalibration:
    """A non-decreasing function of the confidence, linear between its knots and flat beyond them.

    Attributes:
        scores: (P,) knots, rising.
        probabilities: (P,) their values, 0..1.
    """

    scores: np.ndarray
    probabilities: np.ndarray

    def __call__(self, scores) -> np.ndarray:
        """(N,) confidences -> (N,) probabilities."""
        return np.interp(np.asarray(scores, np.float64), self.scores, self.probabilities)


@dataclass(frozen=True)
class LogisticCalibration:
    """1 / (1 + exp(-(w . z + b))) of z, the features less their mean, over their deviation.

    Attributes:
        weights: (F,) w.
        bias: b.
        mean, deviation: (F,) of the features that it was fitted to.
    """

    weights: np.ndarray
    bias: float
    mean: np.ndarray
    deviation: np.ndarray

    def __call__(self, features) -> np.ndarray:
        """(N, F) features, or (N,) for one, -> (N,) probabilities."""
        scaled = (_matrix(features) - self.mean) / self.deviation
        return _sigmoid(scaled @ self.weights + self.bias)


def fit_isotonic(scores, correct) -> IsotonicCalibration:
    """The non-decreasing function of the least squared error to right (1) and wrong (0).

    By hand: confidences 1, 2, 3, 4, right is wrong, right, wrong, right -> 0, 1/2, 1/2, 1.

    Args:
        scores: (N,) finite confidences.
        correct: (N,) booleans.

    Raises:
        ValueError: shapes that differ, no score, or one that is not finite.
    """
    from scipy.optimize import isotonic_regression

    scores, correct = _checked(scores, correct)
    values, inverse, counts = np.unique(scores, return_inverse=True, return_counts=True)
    shares = np.bincount(inverse, weights=correct) / counts
    return IsotonicCalibration(values, isotonic_regression(shares, weights=counts).x)


def fit_logistic(features, correct, *, l2: float = 1.0) -> LogisticCalibration:
    """Logistic regression on features scaled to mean 0 and deviation 1, by Newton's method.

    Minimises sum of log losses + l2 / 2 * |w|^2; the bias is free. A feature that never varies
    has weight 0.

    Args:
        features: (N, F) finite numbers, or (N,) for one.
        correct: (N,) booleans, both kinds.
        l2: above 0, so that a separable set has a solution.

    Raises:
        ValueError: shapes that differ, numbers that are not finite, answers of one kind only, an
            l2 of 0 or less.
    """
    matrix, correct = _checked(features, correct)
    if l2 <= 0:
        raise ValueError(f"expected l2 above 0, received {l2}.")
    if correct.all() or not correct.any():
        raise ValueError(
            f"expected right and wrong answers, received {int(correct.sum())} right of "
            f"{len(correct)}."
        )
    matrix = _matrix(matrix)
    mean, deviation = matrix.mean(axis=0), matrix.std(axis=0)
    deviation = np.where(deviation > 0, deviation, 1.0)
    design = np.column_stack([(matrix - mean) / deviation, np.ones(len(matrix))])
    penalty = np.append(np.full(matrix.shape[1], float(l2)), 0.0)
    solution = np.zeros(design.shape[1])
    loss = _loss(design, correct, solution, penalty)
    for _ in range(_STEPS):
        probabilities = _sigmoid(design @ solution)
        gradient = design.T @ (probabilities - correct) + penalty * solution
        if np.abs(gradient).max() < _TOLERANCE * len(design):
            break
        curvature = (design.T * (probabilities * (1 - probabilities))) @ design
        step = np.linalg.solve(curvature + np.diag(penalty + 1e-12), gradient)
        # Newton overshoots far from the solution.
        while (shorter := _loss(design, correct, solution - step, penalty)) > loss:
            step = step / 2
            if np.abs(step).max() < 1e-15:
                break
        solution, loss = solution - step, shorter
    return LogisticCalibration(solution[:-1], float(solution[-1]), mean, deviation)


def _loss(design, correct, solution, penalty) -> float:
    logits = design @ solution
    fit = np.logaddexp(0.0, logits).sum() - logits[correct].sum()
    return float(fit + (penalty * solution**2).sum() / 2)


def _sigmoid(logits: np.ndarray) -> np.ndarray:
    return np.exp(-np.logaddexp(0.0, -logits))


def _matrix(features) -> np.ndarray:
    features = np.asarray(features, np.float64)
    return features[:, None] if features.ndim == 1 else features


def _checked(scores, correct) -> tuple[np.ndarray, np.ndarray]:
    scores, correct = np.asarray(scores, np.float64), np.asarray(correct, bool)
    if not len(scores) or correct.shape != scores.shape[:1]:
        raise ValueError(
            "expected a score and whether it was right for each answer, received the shapes "
            f"{scores.shape} and {correct.shape}."
        )
    if not np.isfinite(scores).all():
        raise ValueError(f"expected finite scores, received {scores[~np.isfinite(scores)][0]}.")
    return scores, correct
