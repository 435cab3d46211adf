"""Plans that draw in proportion to weights: rows, or the classes of P x K batches.

Not independent draws, whose luck lets some rows wait for long, but even ones: how often a row, or a
class, comes up is its share to the nearest whole number, and like all plans they are pure functions
of (seed, step).

Weights of rows, (M,) float64, may be multiplied:

* `by_class_size`: n ** -power for a class of n; at power 0.5 a class comes up as sqrt(n) (Kaggle
  2020, akensert), at 0 as n, at 1 each class equally.
* `by_share`: one part of the rows, such as the clean ones, gets this share of all draws (2nd place
  of Retrieval 2021: clean to noisy 0.66 to 0.34).
"""

from __future__ import annotations

import functools

import numpy as np

from landmarks_tf.data import cyclers
from landmarks_tf.data.class_groups import ClassGroups, smallest_int
from landmarks_tf.data.sampling import Plan, check_step, positive, whole

# Visits that the rarest class gets in a round: what rounding to whole visits can cost it is at most
# a quarter of its share.
_FEWEST_VISITS = 4
# The table of a round's visits: 8 bytes each.
_MOST_VISITS = 2**24


def weighted(weights: np.ndarray, *, batch_size: int, seed: int) -> Plan:
    """Rows drawn in proportion to their weights.

    An epoch is M draws, laid end to end as in `sampling.shuffled`. In each a row of weight w comes
    up M w / sum(w) times, rounded down or up; over epochs the rounding evens out. A batch may hold
    a row of more than average weight twice; a row of weight 0 never comes up.

    Args:
        weights: (M,) 0 or more, not all 0.
        batch_size: B.
        seed: any whole number.

    Raises:
        ValueError: weights that are negative, no numbers, or all 0; a batch size that is not a
            positive whole number; a seed that is not whole.
    """
    return _Weighted(_checked(weights), positive("batch_size", batch_size), whole("seed", seed))


def weighted_classes(
    labels: np.ndarray,
    weights: np.ndarray,
    *,
    classes_per_batch: int,
    images_per_class: int,
    seed: int,
) -> Plan:
    """P classes x K images a batch, a class as likely as its rows weigh together.

    `sampling.class_balanced` with other classes: no class twice in a batch, rows of one class
    neighbours, and a class' own images dealt evenly, whatever they weigh. Classes come in rounds,
    in each of which a class has a fixed number of visits: its share, rounded down or up. One that
    weighs so much that it would come up twice in a batch comes up in every batch instead.

    Args:
        labels: (M,) class of each row; gaps in the numbering are fine.
        weights: (M,) 0 or more, with more than 0 in at least P classes.
        classes_per_batch: P.
        images_per_class: K.
        seed: any whole number.

    Raises:
        ValueError: as `sampling.class_balanced`; weights as in `weighted`, too few classes of any
            weight, or weights so different that a round would not fit into memory.
    """
    return _WeightedClasses(
        ClassGroups(labels, positive("images_per_class", images_per_class), whole("seed", seed)),
        _checked(weights),
        positive("classes_per_batch", classes_per_batch),
        seed,
    )


def by_class_size(labels: np.ndarray, power: float) -> np.ndarray:
    """The weight n ** -power of each row, n the number of rows of its class.

    Raises:
        ValueError: `power` is no finite number, or labels that are not whole numbers of 0 or more.
    """
    if isinstance(power, bool) or not np.isfinite(power):
        raise ValueError(f"power must be a finite number, got {power!r}")
    labels = np.asarray(labels)
    if not np.issubdtype(labels.dtype, np.integer) or np.min(labels, initial=0) < 0:
        raise ValueError("by_class_size expects whole-number labels of 0 or more")
    return np.bincount(labels).astype(np.float64)[labels] ** -float(power)


def by_share(chosen: np.ndarray, share: float) -> np.ndarray:
    """Weights with which the chosen rows get `share` of all draws, the others the rest.

    Args:
        chosen: (M,) bool, with both kinds of rows.
        share: 0 to 1.

    Raises:
        ValueError: a share outside 0..1, or rows of one kind only.
    """
    chosen = np.asarray(chosen, bool)
    count = int(chosen.sum())
    if not 0 <= share <= 1:
        raise ValueError(f"a share is a number from 0 to 1, got {share!r}")
    if count in (0, len(chosen)):
        raise ValueError(
            f"by_share divides the draws between two kinds of rows, but {count} of {len(chosen)} "
            "rows are chosen"
        )
    return np.where(chosen, share / count, (1 - share) / (len(chosen) - count))


class _Weighted(Plan):
    def __init__(self, weights: np.ndarray, batch_size: int, seed: int):
        super().__init__("weighted", num_rows=len(weights), batch_size=batch_size)
        self._seed = seed
        # The rows lie in an order of their own along a line as long as the epoch, each covering
        # its share: in the files' order a pattern in the weights would beat with the marks.
        a_key = cyclers.key(seed, cyclers.LINE)
        self._line = cyclers.permutation(self.num_rows, a_key).astype(smallest_int(self.num_rows))
        weights = weights[self._line]
        self._ends = np.cumsum(weights)
        self._ends *= self.num_rows / self._ends[-1]
        self._ends[np.flatnonzero(weights)[-1] :] = self.num_rows  # whatever the rounding
        self._never = int((weights == 0).sum())
        # Two epochs: a batch may straddle their border.
        self._epoch = functools.lru_cache(maxsize=2)(self._drawn)

    def _drawn(self, epoch: int) -> np.ndarray:
        """The rows of an epoch: those in whose stretches the line's even marks lie, shuffled."""
        # From epoch to epoch the marks move on by the golden ratio, so that what a row's stretch
        # is over a whole number of marks counts as often as it should. A multiple of 2**-32: exact,
        # and below 1 when added to a whole number.
        moved = cyclers.rotation(cyclers.key(self._seed, cyclers.OFFSET), epoch) >> 32
        marks = np.arange(self.num_rows) + moved / 2**32
        rows = self._line[np.searchsorted(self._ends, marks, side="right")]
        a_key = cyclers.key(self._seed, cyclers.DRAWS, epoch)
        return rows[cyclers.permutation(self.num_rows, a_key)]

    def batch(self, step: int) -> np.ndarray:
        first = check_step(step) * self.batch_size
        return cyclers.stretch(self._epoch, self.num_rows, first, first + self.batch_size)

    def describe(self) -> dict[str, object]:
        return {**super().describe(), "seed": self._seed, "rows_of_weight_0": self._never}


class _WeightedClasses(Plan):
    """Rounds of `_steps` batches: a table of P rows, a batch a column, a class in a run of cells.

    A run is no longer than a row. So a class is twice in a column only if it goes on in the next
    row, whose columns are shuffled on their own: that row is then mended.
    """

    def __init__(self, groups: ClassGroups, weights: np.ndarray, classes_per_batch: int, seed: int):
        M, K = int(groups.sizes.sum()), groups.images_per_class
        if len(weights) != M:
            raise ValueError(f"{len(weights)} weights were given for {M} rows; give one for each")
        super().__init__(
            "weighted_classes", num_rows=M, batch_size=classes_per_batch * K, group_size=K
        )
        self._groups, self._seed = groups, seed
        self._visits = _visits_a_round(groups.sums(weights), classes_per_batch)
        self._steps = int(self._visits.sum()) // classes_per_batch
        self._round = functools.lru_cache(maxsize=2)(self._table)

    def batch(self, step: int) -> np.ndarray:
        a_round, column = divmod(check_step(step), self._steps)
        table, earlier = self._round(a_round)
        classes = table[:, column]
        visits = a_round * self._visits[classes] + earlier[:, column]
        return self._groups.batch(classes, visits)

    def _table(self, a_round: int) -> tuple[np.ndarray, np.ndarray]:
        """(P, steps) classes, and how often each was visited earlier in the round."""
        order = cyclers.permutation(
            len(self._visits), cyclers.key(self._seed, cyclers.CLASSES, a_round)
        )
        table = np.repeat(order.astype(np.int32), self._visits[order]).reshape(-1, self._steps)
        last, first = table[:-1, -1].copy(), table[1:, 0].copy()
        for number, row in enumerate(table):
            a_key = cyclers.key(self._seed, cyclers.COLUMNS, a_round, number)
            row[:] = row[cyclers.permutation(self._steps, a_key)]
            if number and last[number - 1] == first[number - 1]:
                _keep_apart(table[number - 1], row, first[number - 1])
        return table, _earlier_visits(table, self._visits)

    def describe(self) -> dict[str, object]:
        return {
            **super().describe(),
            "seed": self._seed,
            "classes_per_batch": self.batch_size // self.group_size,
            "images_per_class": self.group_size,
            "num_classes": int((self._visits > 0).sum()),
            "visits_of_rarest_class": int(self._visits[self._visits > 0].min()),
            "visits_of_commonest_class": int(self._visits.max()),
            "steps_per_round_of_classes": self._steps,
        }


def _keep_apart(above: np.ndarray, row: np.ndarray, a_class: int) -> None:
    """Moves the cells of a class out of the columns that it has in the row above."""
    taken, here = above == a_class, row == a_class
    wrong, free = np.flatnonzero(taken & here), np.flatnonzero(~taken & ~here)
    if len(wrong):
        free = free[:: len(free) // len(wrong)][: len(wrong)]
        row[wrong], row[free] = row[free], row[wrong]


def _earlier_visits(table: np.ndarray, visits: np.ndarray) -> np.ndarray:
    """(P, steps) int32: in how many columns to the left the class of each cell is."""
    in_time = table.T.ravel()
    by_class = np.argsort(in_time, kind="stable")
    earlier = np.empty(len(in_time), np.int32)
    earlier[by_class] = np.arange(len(in_time)) - (np.cumsum(visits) - visits)[in_time[by_class]]
    return earlier.reshape(table.T.shape).T


def _visits_a_round(weights: np.ndarray, classes_per_batch: int) -> np.ndarray:
    """(C,) int64 visits of each class in a round; their sum is a multiple of P.

    Raises:
        ValueError: fewer than P classes of any weight, or too large a round.
    """
    some = weights > 0
    if some.sum() < classes_per_batch:
        raise ValueError(
            f"a batch of {classes_per_batch} different classes cannot be drawn from "
            f"{int(some.sum())} classes of a weight above 0; lower classes_per_batch"
        )
    least = float(weights[some].min())
    cells = _FEWEST_VISITS * weights.sum() / least
    if not cells <= _MOST_VISITS:
        raise ValueError(
            f"the lightest class weighs {least:g} of {weights.sum():g}: a round that visits it "
            f"{_FEWEST_VISITS} times would have {cells:.3g} visits, more than {_MOST_VISITS:,}; "
            "give the rarest rows a weight of 0 or more even weights"
        )
    steps = -(-int(np.ceil(cells)) // classes_per_batch)
    expected = _shares(weights, steps, classes_per_batch)
    visits = np.floor(expected).astype(np.int64)
    missing = steps * classes_per_batch - int(visits.sum())
    visits[np.argsort(visits - expected, kind="stable")[:missing]] += 1
    return visits


def _shares(weights: np.ndarray, steps: int, classes_per_batch: int) -> np.ndarray:
    """(C,) visits in proportion to the weights, none more than `steps`; sum steps * P."""
    expected = np.zeros(len(weights))
    free = weights > 0
    while free.any():
        left = steps * (classes_per_batch - int((expected == steps).sum()))
        expected[free] = weights[free] * (left / weights[free].sum())
        over = free & (expected >= steps)
        if not over.any():
            break
        expected[over] = steps
        free &= ~over
    return expected


def _checked(weights: np.ndarray) -> np.ndarray:
    weights = np.asarray(weights, np.float64)
    if weights.ndim != 1 or not len(weights):
        raise ValueError(f"expected one weight for each row, got shape {weights.shape}")
    wrong = np.flatnonzero(~(np.isfinite(weights) & (weights >= 0)))
    if len(wrong):
        raise ValueError(
            f"weights are finite numbers of 0 or more, but {len(wrong)} are not; the first is "
            f"{weights[wrong[0]]} of row {wrong[0]}"
        )
    if not weights.any():
        raise ValueError("all weights are 0, so there is nothing to draw")
    return weights
