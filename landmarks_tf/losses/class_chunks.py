"""Long matrices made a run of rows at a time, so that what makes them stays small."""

from __future__ import annotations

from collections.abc import Callable

import keras
from keras import ops

# (first, count, carry) -> carry, and with rows (rows, carry); `first` may be a tensor.
Carry = object


def over_chunks(total: int, size: int, add: Callable, carry: Carry) -> Carry:
    """Go over [0, total) in runs of `size` and a shorter last one, handing `carry` on.

    Args:
        total: how many there are.
        size: length of a run.
        add: (first, count, carry) -> carry of the same structure; `first` may be a tensor.
        carry: what the first run gets.
    """
    whole, rest = divmod(total, size)
    if whole == 1:
        carry = add(0, size, carry)
    elif whole:
        carry = ops.fori_loop(0, whole, lambda i, c: add(i * size, size, c), carry)
    return add(whole * size, rest, carry) if rest else carry


def rows_by_chunks(total: int, size: int, make: Callable, carry: Carry) -> tuple:
    """The same, where each run also makes the matrix' rows that belong to it.

    Args:
        total, size, carry: as `over_chunks`.
        make: (first, count, carry) -> (rows (count * K, D), carry).

    Returns:
        rows (total * K, D), carry.
    """
    if keras.backend.backend() == "tensorflow":
        return _joined(total, size, make, carry)
    whole, rest = divmod(total, size)
    first_rows, carry = make(0, min(size, total), carry)
    if whole <= 1 and (not rest or not whole):
        return first_rows, carry
    per_run = first_rows.shape[0] // min(size, total)
    rows = ops.zeros((total * per_run, first_rows.shape[1]), first_rows.dtype)
    rows = ops.slice_update(rows, (0, 0), first_rows)

    def add(number, state):
        rows, carry = state
        made, carry = make(number * size, size, carry)
        return ops.slice_update(rows, (number * size * per_run, 0), made), carry

    rows, carry = ops.fori_loop(1, whole, add, (rows, carry))
    if rest:
        made, carry = make(whole * size, rest, carry)
        rows = ops.slice_update(rows, (whole * size * per_run, 0), made)
    return rows, carry


def _joined(total: int, size: int, make: Callable, carry: Carry) -> tuple:
    """Written out, and joined at the end: TensorFlow copies all of what `slice_update` changes."""
    made = []
    for first in range(0, total, size):
        rows, carry = make(first, min(size, total - first), carry)
        made.append(rows)
    return made[0] if len(made) == 1 else ops.concatenate(made, axis=0), carry
