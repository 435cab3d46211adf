"""Weighted plans: shares to the nearest whole number, for many weights, from any step."""

from __future__ import annotations

import math
from collections import Counter
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from landmarks_tf.data import sampling, weighted

seeds = st.integers(-5, 2**63)


# rows -------------------------------------------------------------------------------------------


@given(
    weights=st.lists(st.integers(0, 9), min_size=1, max_size=40).filter(any),
    batch_size=st.integers(1, 60),
    seed=seeds,
)
@settings(deadline=None)
def test_an_epoch_draws_each_row_by_its_share(weights, batch_size, seed):
    """Shares in exact fractions: the float arithmetic must not move a row across a whole number."""
    plan = weighted.weighted(np.array(weights), batch_size=batch_size, seed=seed)
    M, total = len(weights), sum(weights)
    assert plan.steps_per_epoch == -(-M // batch_size)
    steps = -(-5 * M // batch_size)
    stream = np.concatenate([plan.batch(step) for step in range(steps)])
    assert stream.dtype == np.int64
    for epoch in stream[: 5 * M].reshape(5, M):
        drawn = np.bincount(epoch, minlength=M)
        for row, weight in enumerate(weights):
            share = Fraction(M * weight, total)
            assert math.floor(share) <= drawn[row] <= math.ceil(share)


def test_over_epochs_the_rounding_evens_out():
    """Each row is due 0.7 or 1.3 times an epoch: after 100 epochs about 70 and 130 times."""
    weights = np.tile([0.7, 1.3], 50)
    plan = weighted.weighted(weights, batch_size=100, seed=4)
    drawn = np.bincount(np.concatenate([plan.batch(step) for step in range(100)]), minlength=100)
    np.testing.assert_allclose(drawn, 100 * weights, atol=4)  # independent draws: +-8 and +-11


def test_equal_weights_are_a_shuffle():
    plan = weighted.weighted(np.full(50, 0.3), batch_size=50, seed=1)
    first, second = plan.batch(0), plan.batch(1)
    assert sorted(first) == sorted(second) == list(range(50))
    assert first.tolist() != second.tolist() != list(range(50))


def test_rows_are_shuffled_globally():
    plan = weighted.weighted(np.linspace(1, 2, 5000), batch_size=1000, seed=2)
    drawn = np.concatenate([plan.batch(step) for step in range(5)])
    assert np.corrcoef(drawn, np.arange(5000))[0, 1] == pytest.approx(0, abs=0.05)


def test_by_class_size_draws_classes_by_the_power():
    """Classes of 1, 4 and 16: at 1/2 their draws are as 1 : 2 : 4, at 0 as 1 : 4 : 16."""
    labels = np.repeat([5, 0, 3], [1, 4, 16])
    for power, ratios in ((0.5, (1, 2, 4)), (0, (1, 4, 16)), (1, (1, 1, 1))):
        weights = weighted.by_class_size(labels, power)
        of_class = [weights[labels == label].sum() for label in (5, 0, 3)]
        np.testing.assert_allclose(np.array(of_class) / of_class[0], ratios)
    plan = weighted.weighted(weighted.by_class_size(labels, 0.5), batch_size=21, seed=0)
    drawn = labels[np.concatenate([plan.batch(step) for step in range(100)])]
    assert Counter(drawn.tolist()) == pytest.approx({5: 300, 0: 600, 3: 1200}, abs=5)


def test_by_share_divides_the_draws():
    clean = np.arange(90) % 3 == 0
    plan = weighted.weighted(weighted.by_share(clean, 0.6), batch_size=90, seed=0)
    drawn = [int(clean[plan.batch(step)].sum()) for step in range(40)]  # 54 each on average
    assert np.mean(drawn) == pytest.approx(54, abs=0.5)
    assert max(drawn) - min(drawn) < 20
    only = weighted.weighted(weighted.by_share(clean, 1.0), batch_size=90, seed=0)
    assert clean[only.batch(3)].all()


# classes ----------------------------------------------------------------------------------------


@st.composite
def class_cases(draw):
    sizes = draw(st.lists(st.integers(1, 9), min_size=1, max_size=9))
    per_class = draw(
        st.lists(st.integers(0, 6), min_size=len(sizes), max_size=len(sizes)).filter(any)
    )
    labels = np.repeat(np.arange(0, 2 * len(sizes), 2), sizes)
    weights = np.repeat(np.array(per_class) / sizes, sizes)
    order = np.random.default_rng(draw(st.integers(0, 99))).permutation(len(labels))
    return {
        "labels": labels[order],
        "weights": weights[order],
        "classes_per_batch": draw(st.integers(1, sum(map(bool, per_class)))),
        "images_per_class": draw(st.integers(1, 4)),
        "seed": draw(seeds),
    }, dict(zip(range(0, 2 * len(sizes), 2), per_class, strict=True))


@given(case=class_cases())
@settings(deadline=None, max_examples=60)
def test_weighted_classes_promises(case):
    case, class_weights = case
    plan = weighted.weighted_classes(**case)
    labels, P, K = case["labels"], case["classes_per_batch"], case["images_per_class"]
    steps = plan.describe()["steps_per_round_of_classes"]
    class_sizes, seen = Counter(labels.tolist()), Counter()
    for a_round in range(2):
        visits: Counter = Counter()
        for step in range(a_round * steps, (a_round + 1) * steps):
            rows = plan.batch(step)
            groups = labels[rows].reshape(P, K)
            assert (groups == groups[:, :1]).all()
            assert len(set(groups[:, 0].tolist())) == P  # no class twice
            visits.update(groups[:, 0].tolist())
            seen.update(rows.tolist())
        total, capped = sum(class_weights.values()), False
        for label, weight in class_weights.items():
            share = Fraction(steps * P * weight, total)
            assert visits[label] <= steps
            capped = capped or share > steps
            if weight == 0:
                assert visits[label] == 0
        if not capped:
            for label, weight in class_weights.items():
                share = Fraction(steps * P * weight, total)
                assert abs(visits[label] - share) <= 1
    for row, label in enumerate(labels.tolist()):  # a class' images are dealt evenly
        images = 2 * visits[label] * K
        assert images // class_sizes[label] <= seen[row] <= -(-images // class_sizes[label])


def test_a_class_that_would_come_twice_is_in_every_batch_and_the_rest_share_what_is_left():
    """By hand: weights 100 : 2 : 1 : 1, two classes a batch. The first fills one place always; the
    others share the other place as 2 : 1 : 1."""
    labels = np.repeat([0, 1, 2, 3], [5, 2, 2, 2])
    weights = np.array([20] * 5 + [1] * 2 + [0.5] * 4)
    plan = weighted.weighted_classes(
        labels, weights, classes_per_batch=2, images_per_class=1, seed=0
    )
    steps = plan.describe()["steps_per_round_of_classes"]
    drawn = Counter(np.concatenate([labels[plan.batch(step)] for step in range(steps)]).tolist())
    assert drawn == {0: steps, 1: steps / 2, 2: steps / 4, 3: steps / 4}


def test_classes_meet_others_every_time():
    """A round's batches are no repeats: ten classes, 4 a batch, and all 45 pairs meet."""
    labels = np.arange(10).repeat(2)
    plan = weighted.weighted_classes(
        labels, np.ones(20), classes_per_batch=4, images_per_class=2, seed=7
    )
    pairs: Counter = Counter()
    for step in range(1500):
        classes = sorted(set(labels[plan.batch(step)].tolist()))
        pairs.update((a, b) for i, a in enumerate(classes) for b in classes[i + 1 :])
    assert len(pairs) == 45  # 9000 meetings, 200 each on average
    assert min(pairs.values()) > 140
    assert max(pairs.values()) < 260


PLANS = {
    "weighted": lambda: weighted.weighted(np.arange(1.0, 31.0), batch_size=6, seed=3),
    "weighted_classes": lambda: weighted.weighted_classes(
        np.arange(30) // 5, np.arange(1.0, 31.0), classes_per_batch=2, images_per_class=3, seed=3
    ),
}


@pytest.mark.parametrize("name", PLANS)
def test_a_step_is_the_same_from_any_start(name):
    straight = PLANS[name]()
    in_order = [straight.batch(step).tolist() for step in range(60)]
    for step in (59, 7, 31, 0):
        assert PLANS[name]().batch(step).tolist() == in_order[step]
    far = PLANS[name]().batch(10**12)
    assert len(far) == 6
    halves = [sampling.shard(PLANS[name](), index=host, count=2).batch(10**12) for host in (0, 1)]
    assert np.concatenate(halves).tolist() == far.tolist()


def test_the_order_never_changes_between_versions():
    """Pinned: a resumed run must see the batches that the interrupted one would have seen."""
    assert [PLANS["weighted"]().batch(step).tolist() for step in (0, 77)] == [
        [28, 6, 13, 18, 23, 26],
        [10, 8, 16, 9, 29, 27],
    ]
    assert [PLANS["weighted_classes"]().batch(step).tolist() for step in (0, 77)] == [
        [29, 27, 26, 21, 22, 23],
        [15, 16, 18, 8, 7, 5],
    ]


def test_describe():
    told = PLANS["weighted_classes"]().describe()
    # Classes weigh 15, 40, 65, 90, 115 and 140 (465): four visits of the first, 124 in all.
    assert told["visits_of_rarest_class"] == 4
    assert told["visits_of_commonest_class"] == 37
    assert told["steps_per_round_of_classes"] == 62
    assert told["num_classes"] == 6
    assert PLANS["weighted"]().describe()["rows_of_weight_0"] == 0


def test_mistakes_are_named():
    def rows(weights):
        weighted.weighted(np.array(weights), batch_size=2, seed=0)

    with pytest.raises(ValueError, match=r"2 are not; the first is -1\.0 of row 1"):
        rows([1, -1, np.nan])
    with pytest.raises(ValueError, match="all weights are 0"):
        rows([0, 0])
    with pytest.raises(ValueError, match="one weight for each row, got shape"):
        rows([])
    with pytest.raises(ValueError, match=r"a share is a number from 0 to 1, got 1\.5"):
        weighted.by_share(np.array([True, False]), 1.5)
    with pytest.raises(ValueError, match="2 of 2 rows are chosen"):
        weighted.by_share(np.array([True, True]), 0.5)
    with pytest.raises(ValueError, match="power must be a finite number, got inf"):
        weighted.by_class_size(np.array([0]), np.inf)
    with pytest.raises(ValueError, match="whole-number labels of 0 or more"):
        weighted.by_class_size(np.array([-1]), 1)

    def classes(labels, weights, P=1):
        weighted.weighted_classes(
            np.array(labels),
            np.array(weights),
            classes_per_batch=P,
            images_per_class=1,
            seed=0,
        )

    with pytest.raises(ValueError, match="3 weights were given for 2 rows"):
        classes([0, 1], [1, 1, 1])
    with pytest.raises(ValueError, match="2 different classes cannot be drawn from 1 classes"):
        classes([0, 1], [1, 0], P=2)
    with pytest.raises(ValueError, match=r"would have 4e\+09 visits, more than 16,777,216"):
        classes([0, 1], [1e-9, 1])
