"""Which rows make up which batch: plans that are pure functions of (seed, step), NumPy alone.

A plan answers `plan.batch(step)` for any step without replaying the steps before it, so a resumed
run, a second host and a debugger see the batches of the undisturbed run.

* `shuffled`: permutations of all rows, laid end to end. Nothing is dropped between epochs.
* `class_balanced`: P classes x K images, each class as likely as any other (S1: Wang et al.).
* `landmarks_tf.data.weighted`: rows, or the classes of P x K batches, in proportion to weights.
* `evaluation_order`: every row once, in order, the last batch partial.
* `shard`: one host's part of a plan.
"""

from __future__ import annotations

import functools

import numpy as np

from landmarks_tf.data import cyclers
from landmarks_tf.data.class_groups import ClassGroups, smallest_int


class Plan:
    """What all plans have in common.

    Attributes:
        name: what kind of plan it is.
        num_rows: rows of the split.
        batch_size: rows of a batch (the last one of `evaluation_order` may be smaller).
        steps_per_epoch: batches that hold about as many rows as there are (rounded up).
        group_size: rows that belong together and are never split over hosts (K of P x K, else 1).
        endless: whether every step from 0 up has a full batch.
    """

    def __init__(self, name: str, *, num_rows: int, batch_size: int, group_size: int = 1):
        self.name = name
        self.num_rows = num_rows
        self.batch_size = batch_size
        self.group_size = group_size
        self.steps_per_epoch = -(-num_rows // batch_size)
        self.endless = True

    def batch(self, step: int) -> np.ndarray:
        """The row numbers of batch `step`, (B,) int64.

        Raises:
            ValueError: `step` is negative or past the end of a finite plan.
        """
        raise NotImplementedError

    def samples(self, step: int) -> np.ndarray:
        """The running numbers of the samples of batch `step`, (B,) int64.

        Unique over the whole run and the same however many hosts share it: the seed of what is
        random about a sample.
        """
        first = check_step(step) * self.batch_size
        return np.arange(first, first + self.batch_size, dtype=np.int64)

    def describe(self) -> dict[str, object]:
        """What the plan is, as plain values for a manifest or a log."""
        return {
            "plan": self.name,
            "num_rows": self.num_rows,
            "batch_size": self.batch_size,
            "steps_per_epoch": self.steps_per_epoch,
        }


def shuffled(num_rows: int, *, batch_size: int, seed: int) -> Plan:
    """All rows in a fresh global permutation every epoch.

    The permutations follow each other without a gap: a batch at the border holds the last rows of
    one epoch and the first of the next, so none is dropped and all batches are full.

    Raises:
        ValueError: `num_rows` or `batch_size` is not a positive whole number, or the seed is not
            a whole number.
    """
    return _Shuffled(
        positive("num_rows", num_rows), positive("batch_size", batch_size), whole("seed", seed)
    )


def class_balanced(
    labels: np.ndarray, *, classes_per_batch: int, images_per_class: int, seed: int
) -> Plan:
    """P classes x K images a batch, classes drawn uniformly, as S1's random cyclers do.

    Classes come from permutations of all classes laid end to end, no class twice in a batch. A
    class deals its images from permutations of its own, so after m images each of its n images was
    seen m // n times or once more. A class of n < K images gives every image K // n times
    and deals only the remainder; one of n >= K gives K different images. Rows of one class are
    neighbours: row i of the batch belongs to its group i // K.

    Args:
        labels: (M,) class of each row; gaps in the numbering are fine.
        classes_per_batch: P.
        images_per_class: K.
        seed: any whole number.

    Raises:
        ValueError: P or K is not a positive whole number, there are fewer than P classes, or a row
            has no label (-1).
    """
    return _ClassBalanced(
        labels,
        positive("classes_per_batch", classes_per_batch),
        positive("images_per_class", images_per_class),
        whole("seed", seed),
    )


def evaluation_order(num_rows: int, *, batch_size: int) -> Plan:
    """Rows 0, 1, 2 ... each exactly once; the last batch holds what is left.

    Raises:
        ValueError: `num_rows` or `batch_size` is not a positive whole number.
    """
    return _EvaluationOrder(positive("num_rows", num_rows), positive("batch_size", batch_size))


def shard(plan: Plan, *, index: int, count: int) -> Plan:
    """The part of every batch that host `index` of `count` reads: a contiguous run of groups.

    Raises:
        ValueError: `index` is not in 0..count-1, the groups do not divide evenly, or the plan ends
            in a partial batch.
    """
    count = positive("count", count)
    if not 0 <= whole("index", index) < count:
        raise ValueError(f"index must be one of the hosts 0..{count - 1}, got {index}")
    if not plan.endless:
        raise ValueError("a plan with a partial last batch cannot be shared between hosts")
    groups = plan.batch_size // plan.group_size
    if groups % count:
        unit = "classes" if plan.group_size > 1 else "rows"
        raise ValueError(
            f"{groups} {unit} a batch do not divide evenly over {count} hosts; "
            f"choose a multiple of {count}"
        )
    return _Shard(plan, index, count)


class _Shuffled(Plan):
    def __init__(self, num_rows: int, batch_size: int, seed: int):
        super().__init__("shuffled", num_rows=num_rows, batch_size=batch_size)
        self._seed = seed
        # Two epochs: a batch may straddle their border.
        self._epoch = functools.lru_cache(maxsize=2)(self._permutation)

    def _permutation(self, epoch: int) -> np.ndarray:
        a_key = cyclers.key(self._seed, cyclers.ROWS, epoch)
        return cyclers.permutation(self.num_rows, a_key).astype(smallest_int(self.num_rows))

    def batch(self, step: int) -> np.ndarray:
        first = check_step(step) * self.batch_size
        return cyclers.stretch(self._epoch, self.num_rows, first, first + self.batch_size)

    def describe(self) -> dict[str, object]:
        return {**super().describe(), "seed": self._seed}


class _EvaluationOrder(Plan):
    def __init__(self, num_rows: int, batch_size: int):
        super().__init__("evaluation_order", num_rows=num_rows, batch_size=batch_size)
        self.endless = False

    def batch(self, step: int) -> np.ndarray:
        first = check_step(step) * self.batch_size
        if first >= self.num_rows:
            raise ValueError(
                f"step {step} is past the end: {self.num_rows} rows in batches of "
                f"{self.batch_size} are steps 0..{self.steps_per_epoch - 1}"
            )
        return np.arange(first, min(first + self.batch_size, self.num_rows), dtype=np.int64)

    def samples(self, step: int) -> np.ndarray:
        return self.batch(step)


class _ClassBalanced(Plan):
    def __init__(self, labels, classes_per_batch: int, images_per_class: int, seed: int):
        self._groups = ClassGroups(labels, images_per_class, seed)
        super().__init__(
            "class_balanced",
            num_rows=int(self._groups.sizes.sum()),
            batch_size=classes_per_batch * images_per_class,
            group_size=images_per_class,
        )
        self._seed, num_classes = seed, len(self._groups.sizes)
        if classes_per_batch > num_classes:
            raise ValueError(
                f"a batch of {classes_per_batch} different classes cannot be drawn from "
                f"{num_classes} classes; lower classes_per_batch"
            )
        self._classes = cyclers.Cycler(
            num_classes, classes_per_batch, cyclers.key(seed, cyclers.CLASSES), cached=3
        )

    def batch(self, step: int) -> np.ndarray:
        classes = self._classes.deal(check_step(step))
        # Each class appears once in a permutation of the classes, so the number of the permutation
        # is the number of times the class was visited before.
        places = step * len(classes) + np.arange(len(classes))
        return self._groups.batch(classes, places // len(self._groups.sizes))

    def describe(self) -> dict[str, object]:
        sizes, classes_per_batch = self._groups.sizes, self.batch_size // self.group_size
        return {
            **super().describe(),
            "seed": self._seed,
            "classes_per_batch": classes_per_batch,
            "images_per_class": self.group_size,
            "num_classes": len(sizes),
            "classes_smaller_than_images_per_class": int((sizes < self.group_size).sum()),
            "steps_per_pass_over_classes": -(-len(sizes) // classes_per_batch),
        }


class _Shard(Plan):
    def __init__(self, plan: Plan, index: int, count: int):
        super().__init__(
            plan.name,
            num_rows=plan.num_rows,
            batch_size=plan.batch_size // count,
            group_size=plan.group_size,
        )
        self.steps_per_epoch = plan.steps_per_epoch
        self._plan, self._index, self._count = plan, index, count

    def _mine(self, values: np.ndarray) -> np.ndarray:
        return values[self._index * self.batch_size : (self._index + 1) * self.batch_size]

    def batch(self, step: int) -> np.ndarray:
        return self._mine(self._plan.batch(step))

    def samples(self, step: int) -> np.ndarray:
        return self._mine(self._plan.samples(step))

    def describe(self) -> dict[str, object]:
        return {**self._plan.describe(), "host": self._index, "hosts": self._count}


def check_step(step: int) -> int:
    """`step`, if it is one."""
    if whole("step", step) < 0:
        raise ValueError(f"step must be 0 or more, got {step}")
    return int(step)


def positive(name: str, value: int) -> int:
    """`value`, if it is a whole number of 1 or more."""
    if whole(name, value) < 1:
        raise ValueError(f"{name} must be 1 or more, got {value}")
    return int(value)


def whole(name: str, value: int) -> int:
    """`value`, if it is a whole number; `True` is none."""
    if isinstance(value, bool) or not isinstance(value, int | np.integer):
        raise ValueError(f"{name} must be a whole number, got {value!r}")
    return int(value)
