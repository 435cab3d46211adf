"""The census of a demo set."""

from __future__ import annotations

import itertools
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tfrecords_tools.demo.plan import (
    CORRUPT_KINDS,
    GENERIC,
    READABLE_KINDS,
    Settings,
    class_sizes,
    generator,
    picture_id,
    take_census,
)


@pytest.fixture(scope="module")
def census():
    return take_census(Settings())


def clean_sizes(census) -> Counter:
    return Counter(p.landmark_id for p in census.by_split["train"] if p.clean)


def test_ids_are_hashes_of_seed_split_and_number():
    # printf 'demo/0/train/0' | sha256sum
    assert picture_id(0, "train", 0) == "7c860d82966a1635"
    assert picture_id(7, "test", 12) == "09ed8215dbfb257b"


def test_paths_nest_by_the_first_three_characters(census):
    picture = census.pictures[0]
    a, b, c = picture.id[0], picture.id[1], picture.id[2]
    assert picture.path == f"train/{a}/{b}/{c}/{picture.id}.jpg"
    assert len({p.path for p in census.pictures}) == len(census.pictures)


def test_default_size_is_the_documented_one(census):
    assert 1300 <= len(census.by_split["train"]) <= 1700
    assert 400 <= len(census.by_split["index"]) <= 600
    assert 180 <= len(census.by_split["test"]) <= 260


def test_classes_have_a_long_tail_that_ends_at_two(census):
    sizes = sorted(clean_sizes(census).values())
    assert sizes[0] == 2
    assert sizes[-1] > 3 * sizes[len(sizes) // 2] * 0.8
    assert sum(size <= 10 for size in sizes) >= 0.2 * len(sizes)


@given(st.integers(1, 400), st.integers(4, 200))
def test_class_sizes_fall_from_the_largest_to_two(count, mean):
    sizes = class_sizes(count, mean)
    assert len(sizes) == count
    assert sizes == sorted(sizes, reverse=True)
    assert sizes[-1] == 2 or count == 1
    if count >= 20:
        assert abs(sum(sizes) / count - mean) <= 0.1 * mean + 1


def test_label_spaces_lie_in_the_ranges_of_gldv2_and_differ(census):
    train, index = census.train_ids, census.index_ids
    every_train = [*train.values(), *census.extra_ids]
    assert len(set(every_train)) == len(every_train)
    assert max(every_train) <= 203_093
    assert max(index.values()) <= 101_301
    assert sorted(every_train) != list(range(len(every_train))), "ids must not be contiguous"
    shared = train.keys() & index.keys()
    assert sum(train[n] != index[n] for n in shared) == len(shared)
    # The order of the ids tells nothing about the landmarks: neither list ascends.
    assert list(train.values()) != sorted(train.values())


def test_some_landmarks_are_in_one_of_train_and_index_only(census):
    numbers = set(range(census.settings.landmarks))
    assert numbers - census.train_ids.keys(), "every landmark was seen in training"
    assert numbers - census.index_ids.keys(), "every landmark is in the index"
    assert census.train_ids.keys() & census.index_ids.keys()


def test_unclean_pictures_are_of_all_sorts(census):
    label_of = {label: n for n, label in census.train_ids.items()}
    unclean = [p for p in census.by_split["train"] if not p.clean]
    of_scene = [p for p in unclean if p.landmark_id in label_of]
    wrong = [p for p in of_scene if p.scene not in (GENERIC, label_of[p.landmark_id])]
    right = [p for p in of_scene if p.scene == label_of[p.landmark_id]]
    assert wrong and right and any(p.scene == GENERIC for p in of_scene)
    assert {p.landmark_id for p in unclean} >= set(census.extra_ids)
    assert all(label_of[p.landmark_id] == p.scene for p in census.by_split["train"] if p.clean)


def test_corrupt_files_are_few_and_never_queries(census):
    corrupt = [p for p in census.pictures if p.kind in CORRUPT_KINDS]
    assert 2 <= len(corrupt) <= 8
    assert {p.split for p in corrupt} == {"train", "index"}
    assert {p.kind for p in corrupt if p.split == "train"} == set(CORRUPT_KINDS)
    largest = clean_sizes(census).most_common(1)[0][0]
    assert {p.landmark_id for p in corrupt if p.split == "train"} == {largest}


def test_every_split_has_every_readable_kind(census):
    for split in ("train", "index", "test"):
        assert {p.kind for p in census.by_split[split]} >= set(READABLE_KINDS)


def test_numbers_are_unrelated_to_classes(census):
    scenes = [p.scene for p in census.by_split["train"]]
    runs = sum(a == b for a, b in itertools.pairwise(scenes)) / len(scenes)
    expected = sum(n * n for n in Counter(scenes).values()) / len(scenes) ** 2
    assert runs < 1.6 * expected


@settings(max_examples=25, deadline=None)
@given(st.integers(6, 60), st.integers(0, 2**32 - 1), st.integers(4, 30))
def test_any_settings_give_a_sound_census(landmarks, seed, images):
    census = take_census(Settings(landmarks=landmarks, seed=seed, images_per_landmark=images))
    assert take_census(census.settings) == census
    sizes = clean_sizes(census)
    assert set(sizes) == set(census.train_ids.values())
    assert min(sizes.values()) >= 2
    largest = [p for p in census.by_split["train"] if p.clean and p.kind not in CORRUPT_KINDS]
    readable = Counter(p.landmark_id for p in largest)
    assert min(readable.values()) >= 2, "a class lost its pictures to corrupt files"
    in_index = Counter(p.scene for p in census.by_split["index"] if p.kind not in CORRUPT_KINDS)
    assert set(in_index) == set(census.index_ids)


def test_other_seed_other_census():
    one, two = (take_census(Settings(landmarks=8, seed=s)) for s in (1, 2))
    assert {p.id for p in one.pictures}.isdisjoint(p.id for p in two.pictures)
    assert one.train_ids != two.train_ids


def test_random_streams_are_independent_and_repeatable():
    assert generator(1, 2).random() == generator(1, 2).random()
    assert generator(1, 2).random() != generator(1, 3).random()
    assert generator(1, 2).random() != generator(2, 1).random()


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("landmarks", 5, r"landmarks must lie in 6\.\.5000, received 5\."),
        ("landmarks", 10.0, r"landmarks must be a whole number, received 10\.0\."),
        ("landmarks", True, "landmarks must be a whole number, received True"),
        ("seed", -1, r"seed must lie in 0\.\.4294967295, received -1"),
        ("images_per_landmark", 3, "images_per_landmark must lie in 4"),
        ("index_per_landmark", 1, "index_per_landmark must lie in 2"),
        ("queries_per_landmark", 0, "queries_per_landmark must lie in 1"),
        ("no_landmark_share", 4.5, r"no_landmark_share must lie in 0\.\.4, received 4\.5"),
        ("no_landmark_share", "x", "no_landmark_share must lie in"),
        ("no_landmark_share", float("nan"), "no_landmark_share must lie in"),
    ],
)
def test_settings_out_of_range_are_refused(name, value, message):
    with pytest.raises(ValueError, match=message):
        Settings(**{name: value})
