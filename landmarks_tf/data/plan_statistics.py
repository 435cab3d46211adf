"""What the batches of a plan hold, counted over an epoch before anything is read or trained."""

from __future__ import annotations

import dataclasses

import numpy as np

from landmarks_tf.data.sampling import Plan


@dataclasses.dataclass(frozen=True)
class PlanStatistics:
    """Counts over `steps` batches from a first one on.

    Attributes:
        steps: batches counted.
        batch_size: rows of a batch.
        classes_per_batch: (fewest, mean, most) different classes in a batch.
        largest_group: most rows of one class in a batch.
        copies_per_batch: (fewest, mean, most) rows of a batch that repeat one of its other rows.
        rows: rows of the split.
        rows_never_drawn: those in none of the batches.
        most_draws: how often the most frequent row was drawn.
        classes: classes of the split.
        classes_never_drawn: those in none of the batches.
        draws_of_class: (fewest, mean, most) rows drawn of a class.
    """

    steps: int
    batch_size: int
    classes_per_batch: tuple[int, float, int]
    largest_group: int
    copies_per_batch: tuple[int, float, int]
    rows: int
    rows_never_drawn: int
    most_draws: int
    classes: int
    classes_never_drawn: int
    draws_of_class: tuple[int, float, int]


def plan_statistics(
    plan: Plan,
    labels: np.ndarray,
    *,
    first_step: int = 0,
    num_steps: int | None = None,
    progress: bool = False,
) -> PlanStatistics:
    """Draws the batches of an epoch and counts.

    Args:
        plan: any plan over the rows of `labels`.
        labels: (M,) class of each row.
        first_step: the first batch that counts.
        num_steps: how many count; None for `plan.steps_per_epoch`.
        progress: whether to show a bar.

    Raises:
        ValueError: no steps, a plan for another number of rows, or a step that the plan does not
            have.
    """
    from tqdm import tqdm

    labels = np.asarray(labels)
    num_steps = plan.steps_per_epoch if num_steps is None else num_steps
    if num_steps < 1:
        raise ValueError(f"num_steps must be 1 or more, got {num_steps}")
    if len(labels) != plan.num_rows:
        raise ValueError(f"the plan was made for {plan.num_rows} rows, {len(labels)} labels came")
    names, classes_of_rows = np.unique(labels, return_inverse=True)
    draws = np.zeros(len(labels), np.int64)
    classes, copies, largest = [], [], 0
    steps = range(first_step, first_step + num_steps)
    for step in tqdm(steps, desc="batches", unit="batch", disable=not progress):
        rows = plan.batch(step)
        np.add.at(draws, rows, 1)
        sizes = np.unique(classes_of_rows[rows], return_counts=True)[1]
        classes.append(len(sizes))
        largest = max(largest, int(sizes.max()))
        copies.append(len(rows) - len(np.unique(rows)))
    of_class = np.bincount(classes_of_rows, weights=draws, minlength=len(names)).astype(np.int64)
    return PlanStatistics(
        steps=num_steps,
        batch_size=plan.batch_size,
        classes_per_batch=_spread(classes),
        largest_group=largest,
        copies_per_batch=_spread(copies),
        rows=len(labels),
        rows_never_drawn=int((draws == 0).sum()),
        most_draws=int(draws.max()),
        classes=len(names),
        classes_never_drawn=int((of_class == 0).sum()),
        draws_of_class=_spread(of_class),
    )


def _spread(counts) -> tuple[int, float, int]:
    return int(np.min(counts)), float(np.mean(counts)), int(np.max(counts))
