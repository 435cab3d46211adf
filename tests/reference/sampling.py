"""Class-balanced batches dealt one after the other from the start, in plain Python.

`numbers` are SplitMix64's outputs; the cyclers walk their whole history, so they cannot jump.
"""

from __future__ import annotations

MASK = (1 << 64) - 1


def splitmix64(state: int, count: int) -> list[int]:
    """The first `count` outputs of SplitMix64 from `state`, as in the published C code."""
    out = []
    for _ in range(count):
        state = (state + 0x9E3779B97F4A7C15) & MASK
        z = state
        z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & MASK
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & MASK
        out.append(z ^ (z >> 31))
    return out


def key(*parts: int) -> int:
    state = 0
    for part in parts:
        (state,) = splitmix64(state ^ (part & MASK), 1)
    return state


def permutation(size: int, a_key: int) -> list[int]:
    numbers = splitmix64(a_key, size)
    return sorted(range(size), key=lambda i: numbers[i])


def hands(size: int, hand: int, a_key: int, count: int) -> list[list[int]]:
    """`count` hands of `hand` distinct items, the stream of permutations built from its start."""
    stream: list[int] = []
    cycle = 0
    while len(stream) < count * hand:
        items = permutation(size, key(a_key, cycle))
        dealt = len(stream) % hand
        taken = set(stream[len(stream) - dealt :])
        for position in range(hand - dealt if dealt else 0):
            if items[position] in taken:
                other = next(i for i in range(hand - dealt, size) if items[i] not in taken)
                items[position], items[other] = items[other], items[position]
        stream += items
        cycle += 1
    return [stream[turn * hand : (turn + 1) * hand] for turn in range(count)]


def class_balanced(labels, classes_per_batch, images_per_class, seed, steps) -> list[list[int]]:
    """The rows of batches 0..steps-1."""
    rows_of = [
        [row for row, label in enumerate(labels) if label == value] for value in sorted(set(labels))
    ]
    visits = [0] * len(rows_of)
    batches = []
    for chosen in hands(len(rows_of), classes_per_batch, key(seed, 1), steps):
        batch = []
        for a_class in chosen:
            rows, visit = rows_of[a_class], visits[a_class]
            visits[a_class] += 1
            wanted, picked, number = images_per_class, [], 0
            if len(rows) < images_per_class:
                while wanted >= len(rows):
                    picked += permutation(len(rows), key(seed, 3, a_class, visit, number))
                    wanted, number = wanted - len(rows), number + 1
            if wanted:
                picked += hands(len(rows), wanted, key(seed, 2, a_class), visit + 1)[visit]
            batch += [rows[item] for item in picked]
        batches.append(batch)
    return batches
