"""Sampling plans: what they promise, for many shapes, and against a sequential reference."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from landmarks_tf.data import cyclers, sampling
from tests.reference import sampling as reference

seeds = st.integers(-5, 2**63)


@st.composite
def balanced_cases(draw):
    """Labels with gaps in a long tail, and P, K that fit them."""
    class_sizes = draw(st.lists(st.integers(1, 12), min_size=1, max_size=12))
    ids = draw(st.permutations(range(0, 3 * len(class_sizes), 3)))
    labels = np.repeat(ids, class_sizes)
    np.random.default_rng(draw(st.integers(0, 99))).shuffle(labels)
    return {
        "labels": labels,
        "classes_per_batch": draw(st.integers(1, len(class_sizes))),
        "images_per_class": draw(st.integers(1, 7)),
        "seed": draw(seeds),
    }


# shuffled ---------------------------------------------------------------------------------------


@given(num_rows=st.integers(1, 60), batch_size=st.integers(1, 90), seed=seeds)
@settings(deadline=None)
def test_shuffled_is_permutations_end_to_end(num_rows, batch_size, seed):
    plan = sampling.shuffled(num_rows, batch_size=batch_size, seed=seed)
    steps = -(-4 * num_rows // batch_size)
    stream = np.concatenate([plan.batch(step) for step in range(steps)])
    assert stream.dtype == np.int64
    assert len(stream) == steps * batch_size
    for epoch in stream[: 4 * num_rows].reshape(4, num_rows):
        assert sorted(epoch) == list(range(num_rows))
    one_epoch = stream[: plan.steps_per_epoch * batch_size]
    assert set(one_epoch) == set(range(num_rows))


def test_shuffled_is_global_and_new_every_epoch():
    """Neighbours in the files are not neighbours in a batch, and epochs and seeds differ."""
    plan = sampling.shuffled(10_000, batch_size=1000, seed=1)
    first, second = (
        np.concatenate([plan.batch(step) for step in steps]) for steps in (range(10), range(10, 20))
    )
    assert np.corrcoef(first, np.arange(10_000))[0, 1] == pytest.approx(0, abs=0.05)
    assert np.corrcoef(first, second)[0, 1] == pytest.approx(0, abs=0.05)
    assert np.abs(np.diff(first)).mean() == pytest.approx(10_000 / 3, rel=0.05)
    other = sampling.shuffled(10_000, batch_size=1000, seed=2)
    assert (other.batch(0) != plan.batch(0)).mean() > 0.99


def test_the_order_never_changes_between_versions():
    """Pinned: a resumed run must see the batches that the interrupted one would have seen."""
    plan = sampling.shuffled(20, batch_size=6, seed=42)
    assert [plan.batch(step).tolist() for step in (0, 3)] == [
        [8, 12, 2, 16, 10, 5],
        [14, 17, 19, 12, 2, 15],
    ]
    labels = np.repeat(np.arange(6), [2, 3, 4, 5, 6, 7])
    plan = sampling.class_balanced(labels, classes_per_batch=4, images_per_class=3, seed=42)
    assert [plan.batch(step).tolist() for step in (1, 100)] == [
        [5, 6, 7, 11, 9, 13, 24, 25, 22, 1, 0, 1],
        [3, 2, 4, 26, 22, 20, 13, 12, 10, 19, 14, 18],
    ]


# class_balanced ---------------------------------------------------------------------------------


@given(case=balanced_cases(), steps=st.integers(1, 25))
@settings(deadline=None, max_examples=60)
def test_class_balanced_equals_the_sequential_reference(case, steps):
    plan = sampling.class_balanced(**case)
    expected = reference.class_balanced(
        case["labels"].tolist(),
        case["classes_per_batch"],
        case["images_per_class"],
        case["seed"],
        steps,
    )
    for step in reversed(range(steps)):
        assert plan.batch(step).tolist() == expected[step]


@given(case=balanced_cases(), steps=st.integers(1, 40))
@settings(deadline=None, max_examples=60)
def test_class_balanced_promises(case, steps):
    plan = sampling.class_balanced(**case)
    labels, P, K = case["labels"], case["classes_per_batch"], case["images_per_class"]
    class_sizes = Counter(labels.tolist())
    visits: Counter = Counter()
    seen: Counter = Counter()
    for step in range(steps):
        rows = plan.batch(step)
        assert rows.shape == (P * K,)
        groups = labels[rows].reshape(P, K)
        assert (groups == groups[:, :1]).all()  # neighbours share their class
        assert len(set(groups[:, 0].tolist())) == P  # no class twice
        for group in rows.reshape(P, K):
            size = class_sizes[int(labels[group[0]])]
            copies = Counter(group.tolist())
            assert len(copies) == min(size, K)
            allowed = {K // size, K // size + 1} if size < K else {1}
            assert set(copies.values()) <= allowed
        visits.update(groups[:, 0].tolist())
        seen.update(rows.tolist())
    assert max(visits.values()) - min(visits[label] for label in class_sizes) <= 1
    for row, label in enumerate(labels.tolist()):
        images = visits[label] * K
        assert images // class_sizes[label] <= seen[row] <= -(-images // class_sizes[label])


def test_class_balanced_is_uniform_over_classes_not_images():
    """A class of 1000 images and one of 2 are drawn equally often: the method's point (S1)."""
    labels = np.repeat([0, 1, 2, 3], [1000, 2, 50, 7])
    plan = sampling.class_balanced(labels, classes_per_batch=2, images_per_class=5, seed=0)
    drawn = np.concatenate([labels[plan.batch(step)] for step in range(400)])
    assert np.bincount(drawn).tolist() == [1000] * 4


def test_class_balanced_takes_labels_of_any_whole_type():
    labels = np.array([3, 3, 200, 200, 3])
    expected = sampling.class_balanced(labels, classes_per_batch=2, images_per_class=2, seed=1)
    for dtype in (np.uint8, np.int32, np.uint64, ">i4"):
        plan = sampling.class_balanced(
            labels.astype(dtype), classes_per_batch=2, images_per_class=2, seed=1
        )
        np.testing.assert_array_equal(plan.batch(5), expected.batch(5))


def test_groups_pair_images_freely():
    """Over many visits every two images of a class meet: orders are redrawn, not rotated."""
    labels = np.zeros(7, int)
    plan = sampling.class_balanced(labels, classes_per_batch=1, images_per_class=3, seed=4)
    pairs = Counter()
    for step in range(700):
        rows = sorted(plan.batch(step).tolist())
        pairs.update((a, b) for i, a in enumerate(rows) for b in rows[i + 1 :])
    assert len(pairs) == 21  # 2100 pairs, 100 each on average
    assert min(pairs.values()) > 60
    assert max(pairs.values()) < 140


# evaluation_order -------------------------------------------------------------------------------


@given(num_rows=st.integers(1, 200), batch_size=st.integers(1, 50))
def test_evaluation_order_drops_nothing(num_rows, batch_size):
    plan = sampling.evaluation_order(num_rows, batch_size=batch_size)
    batches = [plan.batch(step) for step in range(plan.steps_per_epoch)]
    assert np.concatenate(batches).tolist() == list(range(num_rows))
    assert all(len(batch) == batch_size for batch in batches[:-1])
    with pytest.raises(ValueError, match=rf"step {len(batches)} is past the end"):
        plan.batch(plan.steps_per_epoch)


# what all plans share ---------------------------------------------------------------------------

LABELS = np.repeat(np.arange(10), 6)
PLANS = {
    "shuffled": lambda: sampling.shuffled(60, batch_size=12, seed=3),
    "class_balanced": lambda: sampling.class_balanced(
        LABELS, classes_per_batch=6, images_per_class=2, seed=3
    ),
}


@pytest.mark.parametrize("name", PLANS)
def test_a_step_is_the_same_from_any_start(name):
    straight = PLANS[name]()
    in_order = [straight.batch(step) for step in range(30)]
    resumed = PLANS[name]()
    for step in (29, 3, 17, 0, 17, 30 - 1):
        np.testing.assert_array_equal(resumed.batch(step), in_order[step])


@pytest.mark.parametrize("name", PLANS)
@pytest.mark.parametrize("hosts", [1, 2, 3])
def test_hosts_take_disjoint_whole_groups(name, hosts):
    plan = PLANS[name]()
    shards = [sampling.shard(PLANS[name](), index=i, count=hosts) for i in range(hosts)]
    for step in (0, 4, 5, 999):
        parts = [part.batch(step) for part in shards]
        assert {len(part) for part in parts} == {12 // hosts}
        np.testing.assert_array_equal(np.concatenate(parts), plan.batch(step))
        numbers = [part.samples(step) for part in shards]
        np.testing.assert_array_equal(np.concatenate(numbers), plan.samples(step))
        if name == "class_balanced":
            classes = [set(LABELS[part].tolist()) for part in parts]
            assert sum(map(len, classes)) == len(set().union(*classes)) == 6
    assert shards[0].steps_per_epoch == plan.steps_per_epoch
    assert shards[-1].describe() == {**plan.describe(), "host": hosts - 1, "hosts": hosts}


@pytest.mark.parametrize("name", PLANS)
def test_sample_numbers_are_unique_over_the_run(name):
    plan = PLANS[name]()
    numbers = np.concatenate([plan.samples(step) for step in range(9)])
    assert numbers.tolist() == list(range(9 * 12))


def test_sample_numbers_of_a_partial_batch():
    plan = sampling.evaluation_order(7, batch_size=4)
    assert plan.samples(1).tolist() == [4, 5, 6]


def test_describe():
    assert PLANS["class_balanced"]().describe() == {
        "plan": "class_balanced",
        "num_rows": 60,
        "batch_size": 12,
        "steps_per_epoch": 5,
        "seed": 3,
        "classes_per_batch": 6,
        "images_per_class": 2,
        "num_classes": 10,
        "classes_smaller_than_images_per_class": 0,
        "steps_per_pass_over_classes": 2,
    }
    assert sampling.evaluation_order(7, batch_size=4).describe() == {
        "plan": "evaluation_order",
        "num_rows": 7,
        "batch_size": 4,
        "steps_per_epoch": 2,
    }
    assert PLANS["shuffled"]().describe()["seed"] == 3


def full_size_labels() -> np.ndarray:
    """1,580,470 rows of 81,313 classes in a long tail from 2 rows up, shuffled."""
    rng = np.random.default_rng(0)
    shares = rng.pareto(1.5, 81_313) + 1
    counts = 2 + rng.multinomial(1_580_470 - 2 * 81_313, shares / shares.sum())
    return rng.permutation(np.repeat(np.arange(81_313, dtype=np.int32), counts))


def test_every_class_and_row_at_full_size():
    """A pass over 81,313 classes: each once, none twice in a batch, its rows m // n times."""
    labels, P, K = full_size_labels(), 48, 5
    plan = sampling.class_balanced(labels, classes_per_batch=P, images_per_class=K, seed=0)
    steps = plan.describe()["steps_per_pass_over_classes"]
    assert steps == 1695
    rows = np.stack([plan.batch(step) for step in range(steps)])
    groups = labels[rows].reshape(steps, P, K)
    assert (groups == groups[:, :, :1]).all()
    classes = groups[:, :, 0]
    assert (np.diff(np.sort(classes, axis=1), axis=1) > 0).all()
    visits = np.bincount(classes.ravel(), minlength=81_313)
    assert np.bincount(visits).tolist() == [0, 81_313 - 47, 47]  # 1695 * 48 is 47 more than a pass
    sizes, drawn = np.bincount(labels), np.bincount(rows.ravel(), minlength=len(labels))
    images, sizes = (visits * K)[labels], sizes[labels]
    assert ((drawn >= images // sizes) & (drawn <= -(-images // sizes))).all()


def test_no_class_waits_too_long_at_full_size():
    """Three passes of the cycler of classes: at most 2(n-1) others come between two visits."""
    size, hand = 81_313, 48
    cycler = cyclers.Cycler(size, hand, 5, cached=3)
    stream = np.concatenate([cycler.deal(turn) for turn in range(3 * 1695)])
    assert set(np.bincount(stream).tolist()) == {3, 4}
    by_class = np.argsort(stream, kind="stable")
    same = stream[by_class[1:]] == stream[by_class[:-1]]
    others_between = (np.diff(by_class) - 1)[same]
    assert others_between.max() <= 2 * (size - 1)
    assert others_between.min() >= hand - 1  # and none twice in a hand


def test_any_step_at_full_size_is_reached_without_the_steps_before(monkeypatch):
    """Step 10**9 draws few permutations: of the classes at most four, of an image list a few."""
    labels = full_size_labels()
    plan = sampling.class_balanced(labels, classes_per_batch=48, images_per_class=5, seed=0)
    drawn, permutation = [], cyclers.permutation

    def counting(size, a_key):
        drawn.append(size)
        return permutation(size, a_key)

    monkeypatch.setattr(cyclers, "permutation", counting)
    assert len(set(labels[plan.batch(10**9)].tolist())) == 48
    assert drawn.count(81_313) <= 4
    assert len(drawn) < 48 * 12


def test_mistakes_are_named():
    balanced = {"images_per_class": 2, "seed": 0}
    with pytest.raises(ValueError, match=r"11 different classes cannot be drawn from 10 classes"):
        sampling.class_balanced(LABELS, classes_per_batch=11, **balanced)
    with pytest.raises(ValueError, match=r"1 of 3 rows have no label \(-1\).*not index or test"):
        sampling.class_balanced(np.array([0, -1, 1]), classes_per_batch=1, **balanced)
    for labels in (np.zeros((2, 2), int), np.zeros(3), np.zeros(0, int)):
        with pytest.raises(ValueError, match="one whole-number label for each row"):
            sampling.class_balanced(labels, classes_per_batch=1, **balanced)
    with pytest.raises(ValueError, match="classes_per_batch must be 1 or more, got 0"):
        sampling.class_balanced(LABELS, classes_per_batch=0, **balanced)
    with pytest.raises(ValueError, match="num_rows must be 1 or more, got 0"):
        sampling.shuffled(0, batch_size=4, seed=0)
    with pytest.raises(ValueError, match=r"batch_size must be a whole number, got 2\.5"):
        sampling.evaluation_order(4, batch_size=2.5)
    with pytest.raises(ValueError, match="seed must be a whole number, got None"):
        sampling.shuffled(4, batch_size=2, seed=None)
    with pytest.raises(ValueError, match="step must be 0 or more, got -1"):
        sampling.shuffled(4, batch_size=2, seed=0).batch(-1)
    with pytest.raises(ValueError, match=r"hosts 0\.\.1, got 2"):
        sampling.shard(PLANS["shuffled"](), index=2, count=2)
    with pytest.raises(ValueError, match="6 classes a batch do not divide evenly over 4 hosts"):
        sampling.shard(PLANS["class_balanced"](), index=0, count=4)
    with pytest.raises(ValueError, match="partial last batch"):
        sampling.shard(sampling.evaluation_order(8, batch_size=4), index=0, count=2)
