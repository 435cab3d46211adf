"""Adam with a coupled L2 penalty, one number at a time in Python floats (float64).

Kingma and Ba, ICLR 2015, algorithm 1; the penalty's gradient is added before the moments, as
torch.optim.Adam(weight_decay=...) documents it.
"""

from __future__ import annotations

import math


class Adam:
    """State of one weight.

    Args:
        weight: its value.
        beta_1, beta_2, epsilon, l2: the algorithm's constants.
    """

    def __init__(self, weight, *, beta_1=0.9, beta_2=0.999, epsilon=1e-8, l2=0.0):
        self.weight, self.first, self.second, self.steps = float(weight), 0.0, 0.0, 0
        self.beta_1, self.beta_2, self.epsilon, self.l2 = beta_1, beta_2, epsilon, l2

    def step(self, gradient: float, rate: float) -> float:
        """Take one step; return the new weight."""
        self.steps += 1
        gradient += self.l2 * self.weight
        self.first = self.beta_1 * self.first + (1 - self.beta_1) * gradient
        self.second = self.beta_2 * self.second + (1 - self.beta_2) * gradient**2
        first = self.first / (1 - self.beta_1**self.steps)
        second = self.second / (1 - self.beta_2**self.steps)
        self.weight -= rate * first / (math.sqrt(second) + self.epsilon)
        return self.weight
