"""What is counted about a plan, by hand."""

from __future__ import annotations

import numpy as np
import pytest

from landmarks_tf.data import sampling
from landmarks_tf.data.plan_statistics import PlanStatistics, plan_statistics


class Written(sampling.Plan):
    """A plan whose batches are written down."""

    def __init__(self, *batches, num_rows):
        super().__init__("written", num_rows=num_rows, batch_size=len(batches[0]))
        self._batches = batches

    def batch(self, step):
        return np.array(self._batches[step])


def test_counts_by_hand():
    labels = [8, 8, 8, 1, 1, 4, 6]  # rows 0-2, 3-4, 5, 6
    plan = Written([0, 0, 0, 3], [1, 3, 4, 5], num_rows=7)
    assert plan_statistics(plan, labels) == PlanStatistics(
        steps=2,
        batch_size=4,
        classes_per_batch=(2, 2.5, 3),
        largest_group=3,
        copies_per_batch=(0, 1.0, 2),
        rows=7,
        rows_never_drawn=2,  # 2 and 6
        most_draws=3,
        classes=4,
        classes_never_drawn=1,
        draws_of_class=(0, 2.0, 4),
    )
    second = plan_statistics(plan, labels, first_step=1, num_steps=1)
    assert second.classes_per_batch == (3, 3.0, 3)
    assert second.rows_never_drawn == 3


def test_a_class_balanced_plan_keeps_its_word(capsys):
    labels = np.repeat(np.arange(6), [2, 3, 4, 5, 6, 7])
    plan = sampling.class_balanced(labels, classes_per_batch=3, images_per_class=3, seed=0)
    counted = plan_statistics(plan, labels, num_steps=2, progress=True)
    assert counted.classes_per_batch == (3, 3.0, 3)
    assert counted.largest_group == 3
    assert sum(counted.copies_per_batch) > 0  # the class of two gives three
    assert counted.draws_of_class == (3, 3.0, 3)
    assert "batches" in capsys.readouterr().err


def test_mistakes_are_named():
    plan = sampling.shuffled(4, batch_size=2, seed=0)
    with pytest.raises(ValueError, match="num_steps must be 1 or more, got 0"):
        plan_statistics(plan, [0] * 4, num_steps=0)
    with pytest.raises(ValueError, match="made for 4 rows, 3 labels came"):
        plan_statistics(plan, [0] * 3)
