"""DELF's split into training and validation, in plain lists (formats.md, section 2.1)."""

from __future__ import annotations

import numpy as np


def split(labels: list[int], fraction: float, seed: int) -> tuple[list[int], list[int]]:
    """Rows for validation and for training, both in their final order.

    One thing is ours and not DELF's: a class of one image stays in training.
    """
    generator = np.random.RandomState(np.random.MT19937(np.random.SeedSequence(seed)))
    by_class: dict[int, list[int]] = {}
    for row, label in enumerate(labels):
        by_class.setdefault(label, []).append(row)  # in order of first appearance
    validation, train = [], []
    for rows in by_class.values():
        order = np.arange(len(rows))
        generator.shuffle(order)
        rows = [rows[i] for i in order]
        count = max(1, int(fraction * len(rows))) if len(rows) > 1 else 0
        validation += rows[:count]
        train += rows[count:]
    return _reordered(validation, generator), _reordered(train, generator)


def _reordered(rows: list[int], generator: np.random.RandomState) -> list[int]:
    order = np.arange(len(rows))
    generator.shuffle(order)
    return [rows[i] for i in order]
