from __future__ import annotations

import dataclasses
import hashlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.reference import delf_split
from tfrecords_tools.options import ConvertOptions
from tfrecords_tools.plan import default_shards, make_plan, sha256_of_ids, shard_bounds
from tfrecords_tools.raw import Listing


def _listing(landmarks, prefix="a") -> Listing:
    ids = np.array([f"{prefix}{i:015d}" for i in range(len(landmarks))], "S16")
    return Listing(ids, np.array(landmarks, np.int64), {"train.csv": "f" * 64}, {}, ids)


def _plan(landmarks, missing=(), **options):
    listing = _listing(landmarks)
    files = np.sort(np.delete(listing.ids, list(missing)))
    return make_plan(listing, files, ConvertOptions("train", **options))


def _rows(plan, split):
    """The rows of the listing that a split holds, in record order."""
    part = next(part for part in plan.splits if part.split == split)
    return [int(i[1:]) for i in part.ids]


LANDMARKS = [70] * 7 + [9] * 12 + [532] + [1761] * 2 + [9] * 3 + [88] * 30


def test_labels_are_the_rank_of_the_landmark_id():
    plan = _plan(LANDMARKS)
    assert plan.classes.tolist() == [9, 70, 88, 532, 1761]
    (train,) = plan.splits
    rows = _rows(plan, "train")
    assert sorted(rows) == list(range(len(LANDMARKS)))
    assert [plan.classes[label] for label in train.labels] == [LANDMARKS[row] for row in rows]
    assert train.labels.dtype == np.int32


def test_train_is_shuffled_over_all_classes():
    """Runs of one class in a shard kept DELF's training from learning."""
    rows = _rows(_plan([1] * 500 + [2] * 500), "train")
    first_half = sum(row < 500 for row in rows[:500])
    assert 200 < first_half < 300


@pytest.mark.parametrize("seed", [0, 5])
@pytest.mark.parametrize("fraction", [0.2, 0.05, 0.9])
def test_the_split_per_class_is_delfs(seed, fraction):
    plan = _plan(LANDMARKS, validation_fraction=fraction, seed=seed)
    validation, train = delf_split.split(LANDMARKS, fraction, seed)
    assert _rows(plan, "validation") == validation
    assert _rows(plan, "train") == train


def test_the_random_split_is_numpys_seeded_shuffle():
    plan = _plan(LANDMARKS, validation_fraction=0.1, validation_split="random", seed=300)
    np.random.seed(300)
    order = np.arange(len(LANDMARKS))
    np.random.shuffle(order)
    assert sorted(_rows(plan, "validation")) == sorted(order[: len(LANDMARKS) // 10])
    assert sorted(_rows(plan, "train")) == sorted(order[len(LANDMARKS) // 10 :])


def test_min_images_per_class_counts_listed_images():
    """A missing file must not change which classes a recipe trains on."""
    plan = _plan(LANDMARKS, missing=[0], min_images_per_class=7)
    assert plan.classes.tolist() == [9, 70, 88]
    assert plan.counts["classes_listed"] == 5
    assert plan.counts["classes_large_enough"] == 3
    assert len(plan.splits[0].ids) == 7 + 15 + 30 - 1


def test_a_class_without_a_file_gets_no_label_so_that_labels_have_no_hole():
    plan = _plan([1, 2, 2, 3], missing=[1, 2])
    assert plan.classes.tolist() == [1, 3]
    assert sorted(plan.splits[0].labels) == [0, 1]
    assert plan.absent.tolist() == [b"a000000000000001", b"a000000000000002"]
    assert (plan.counts["images_listed"], plan.counts["images_found"]) == (4, 2)


def test_index_and_test_keep_the_order_of_the_csv_and_have_no_labels():
    ids = np.array([b"bbb", b"aaa", b"ccc"], "S16")
    plan = make_plan(Listing(ids, None, {}, {}, ids), np.sort(ids), ConvertOptions("index"))
    (index,) = plan.splits
    assert index.ids.tolist() == [b"bbb", b"aaa", b"ccc"]
    assert index.labels.tolist() == [-1, -1, -1]
    assert plan.classes is None


def test_files_that_no_csv_lists_are_counted():
    listing = _listing([1, 1])
    files = np.sort(np.append(listing.ids, np.array([b"zzz"], "S16")))
    assert make_plan(listing, files, ConvertOptions("train")).counts["files_not_listed"] == 1


def test_the_plan_follows_from_its_arguments_alone():
    first, again = (_plan(LANDMARKS, validation_fraction=0.2, seed=4) for _ in range(2))
    for one, two in zip(first.splits, again.splits, strict=True):
        assert one.ids.tolist() == two.ids.tolist()
        assert one.parameters == two.parameters
    assert _rows(_plan(LANDMARKS, seed=5), "train") != _rows(_plan(LANDMARKS, seed=4), "train")


@pytest.mark.parametrize(
    "changes",
    [
        {"seed": 1},
        {"validation_fraction": 0.3},
        {"validation_split": "random"},
        {"validation_split": "one-per-class", "validation_fraction": 0.0},
        {"sample_classes": 3},
        {"verify_pixels": False},
        {"min_images_per_class": 3},
        {"shards": 2},
        {"reencode_short_side": 64},
        {"reencode_short_side": 64, "jpeg_quality": 30},
        {"missing": [0]},
    ],
)
def test_every_parameter_that_changes_the_content_is_told(changes):
    base = {"validation_fraction": 0.2}
    one, two = _plan(LANDMARKS, **base), _plan(LANDMARKS, **(base | changes))
    told = {
        name
        for part, other in zip(one.splits, two.splits, strict=True)
        for name in part.parameters | other.parameters
        if part.parameters.get(name) != other.parameters.get(name)
    }
    expected = {"images_found"} if "missing" in changes else set(changes)
    assert expected <= told


def test_labels_alone_change_the_hash_of_the_rows():
    name = "sha256_of_ids_and_labels"
    one, two = (_plan(labels).splits[0].parameters[name] for labels in ([1, 1, 2], [1, 2, 2]))
    assert one != two


def test_the_hash_of_the_ids_is_that_of_the_sorted_lines():
    ids = np.array([b"ccc", b"aaaa", b"bb0"], "S16")
    assert sha256_of_ids(ids) == hashlib.sha256(b"aaaa\nbb0\nccc\n").hexdigest()
    parts = _plan(LANDMARKS, validation_fraction=0.2).splits
    for part in parts:
        lines = "".join(f"{i.decode()}\n" for i in sorted(part.ids.tolist()))
        assert part.parameters["sha256_of_ids"] == hashlib.sha256(lines.encode()).hexdigest()


def test_images_that_may_not_validate_and_those_that_do_already():
    listing = _listing([1] * 8 + [2] * 8)
    options = ConvertOptions("train", validation_split="one-per-class")
    clean = np.arange(16) % 2 == 0
    plan = make_plan(listing, listing.ids, options, clean=clean)
    assert len(_rows(plan, "validation")) == 2
    assert all(row % 2 == 0 for row in _rows(plan, "validation"))
    plan = make_plan(listing, listing.ids, ConvertOptions("train"), validation=~clean)
    assert sorted(_rows(plan, "validation")) == list(range(1, 16, 2))
    assert sorted(_rows(plan, "train")) == list(range(0, 16, 2))


def test_older_plans_name_no_option_that_came_later():
    """Records that were converted before are still complete."""
    names = set(_plan(LANDMARKS, validation_fraction=0.2).splits[0].parameters)
    assert not names & {"subset", "sample_classes", "verify_pixels", "published_split"}
    told = _plan(LANDMARKS, subset="c2x", sample_classes=2, verify_pixels=False)
    assert told.splits[0].parameters["subset"] == "c2x"
    assert told.splits[0].parameters["sample_classes"] == 2
    assert told.splits[0].parameters["verify_pixels"] is False


def test_a_sample_of_classes_is_of_the_large_ones():
    plan = _plan(LANDMARKS, min_images_per_class=7, sample_classes=2)
    assert len(plan.classes) == 2
    assert set(plan.classes) <= {9, 70, 88}
    assert plan.counts["classes_listed"] == 5
    assert plan.counts["classes_large_enough"] == 2


def test_shard_bounds_by_hand():
    assert shard_bounds(10, 3).tolist() == [0, 3, 6, 10]
    assert shard_bounds(7, 7).tolist() == list(range(8))
    assert shard_bounds(2, 4).tolist() == [0, 0, 1, 1, 2]


@given(st.integers(1, 10**7), st.integers(1, 512))
def test_shards_cover_all_rows_evenly(num_images, num_shards):
    bounds = shard_bounds(num_images, num_shards)
    assert (bounds[0], bounds[-1], len(bounds)) == (0, num_images, num_shards + 1)
    # Rounding in the floating-point linspace may move a boundary by one image.
    assert np.abs(np.diff(bounds) - num_images / num_shards).max() < 2


def test_default_shards():
    assert default_shards(1_580_470) == 128
    assert default_shards(128 * 64) == 128
    assert default_shards(128 * 64 - 1) == 127
    assert default_shards(886) == 13
    assert default_shards(1) == 1


def test_never_more_shards_than_images():
    plan = _plan([1] * 10, validation_fraction=0.3, shards=8)
    assert {part.split: part.num_shards for part in plan.splits} == {"validation": 3, "train": 7}


def test_nothing_left():
    with pytest.raises(ValueError, match=r"no class has 9 images: --min-images-per-class leaves"):
        _plan([1, 2, 2], min_images_per_class=9)
    with pytest.raises(ValueError, match=r"none of the 2 images listed .* download and extract"):
        _plan([1, 2], missing=[0, 1])


@pytest.mark.parametrize("kind", ["per-class", "random"])
def test_a_validation_split_of_nothing(kind):
    with pytest.raises(ValueError, match="leaves 2 for training and 0 for validation"):
        _plan([1, 2], validation_fraction=0.1, validation_split=kind)


def test_reencoding_notes_the_encoder():
    assert "encoder" not in _plan([1]).splits[0].parameters
    assert _plan([1], reencode_short_side=64).splits[0].parameters["encoder"].startswith("Pillow ")


def test_a_plan_holds_arrays_only():
    """At 4.1 million rows lists of Python objects would take gigabytes."""
    part = _plan(LANDMARKS).splits[0]
    arrays = {
        field.name: getattr(part, field.name).dtype.kind
        for field in dataclasses.fields(part)
        if field.name in ("ids", "labels", "bounds")
    }
    assert arrays == {"ids": "S", "labels": "i", "bounds": "i"}
