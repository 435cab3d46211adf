"""Learning rates by step in closed form (the formulas of PyTorch's documentation)."""

from __future__ import annotations

import math


def cosine_annealing(step: int, *, peak: float, floor: float, t_max: int) -> float:
    """torch.optim.lr_scheduler.CosineAnnealingLR: the rate of the step after `step` steps."""
    return floor + (peak - floor) * (1 + math.cos(math.pi * step / t_max)) / 2


def step_lr(step: int, *, start: float, step_size: int, gamma: float) -> float:
    """torch.optim.lr_scheduler.StepLR."""
    return start * gamma ** (step // step_size)
