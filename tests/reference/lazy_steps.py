"""Optimizer steps of single rows of a matrix, one row at a time in float64.

Adam: Kingma and Ba, ICLR 2015, algorithm 1, and its last lines as section 2 rewrites them
("epsilon hat"). Decoupled decay: Loshchilov and Hutter, ICLR 2019. Momentum: Sutskever et al., ICML
2013, eq. 1 and 2. A row without a gradient is left as it is; t counts the steps of all.
"""

from __future__ import annotations

import numpy as np


class Rows:
    """A matrix, its moments, and the number of steps.

    Args:
        weight: (N, D).
        rule: "adam" (coupled L2), "adamw" or "sgd".
        decay: factor of the decay or the penalty.
        epsilon: of Adam.
    """

    def __init__(self, weight, rule: str, decay: float = 0.0, epsilon: float = 1e-7):
        self.weight = np.array(weight, np.float64)
        self.first, self.second = np.zeros_like(self.weight), np.zeros_like(self.weight)
        self.rule, self.decay, self.epsilon, self.steps = rule, decay, epsilon, 0

    def step(self, rows, values, rate: float) -> None:
        """(S,) row numbers, some of them twice, and (S, D) what each adds to its row's gradient."""
        self.steps += 1
        sums: dict[int, np.ndarray] = {}
        for row, value in zip(rows, values, strict=True):
            sums[int(row)] = sums.get(int(row), 0.0) + np.asarray(value, np.float64)
        for row, gradient in sums.items():
            getattr(self, f"_{self.rule}")(row, gradient, rate)

    def _sgd(self, row, gradient, rate):
        self.first[row] = 0.9 * self.first[row] - rate * gradient
        self.weight[row] += self.first[row]

    def _adam(self, row, gradient, rate):
        self._moments(row, gradient + self.decay * self.weight[row])
        first = self.first[row] / (1 - 0.9**self.steps)
        second = self.second[row] / (1 - 0.999**self.steps)
        self.weight[row] -= rate * first / (np.sqrt(second) + self.epsilon)

    def _adamw(self, row, gradient, rate):
        self.weight[row] -= rate * self.decay * self.weight[row]
        self._moments(row, gradient)
        adapted = rate * np.sqrt(1 - 0.999**self.steps) / (1 - 0.9**self.steps)
        self.weight[row] -= adapted * self.first[row] / (np.sqrt(self.second[row]) + self.epsilon)

    def _moments(self, row, gradient):
        self.first[row] = 0.9 * self.first[row] + 0.1 * gradient
        self.second[row] = 0.999 * self.second[row] + 0.001 * gradient**2
