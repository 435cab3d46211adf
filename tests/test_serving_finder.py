"""Model and index put together: what is found, who wins the vote, what does not fit."""

from __future__ import annotations

import numpy as np
import pytest

from landmarks_tf.retrieval import ExactIndex
from landmarks_tf.serving.finder import Finder

IMAGE = np.zeros((4, 4, 3), np.uint8)


def at_angles(*degrees):
    radians = np.radians(degrees)
    return np.stack([np.cos(radians), np.sin(radians)], axis=1).astype(np.float32)


def looking_at(degrees, length=1.0):
    """A model whose answer to any picture is one direction."""
    return lambda _image: length * at_angles(degrees)[0]


def test_matches_come_with_ids_scores_and_names():
    index = ExactIndex(at_angles(60, 10, 40), ["a", "b", "c"])
    finder = Finder(looking_at(0, length=3.5), index, {"b": "Bridge", "a": "Arch"})
    answer = finder.find(IMAGE, 99)
    assert [(m.image_id, m.landmark) for m in answer.matches] == [
        ("b", "Bridge"),
        ("c", None),
        ("a", "Arch"),
    ]
    np.testing.assert_allclose(
        [m.score for m in answer.matches], np.cos(np.radians([10, 40, 60])), rtol=1e-5
    )
    assert len(finder.find(IMAGE, 1).matches) == 1
    assert answer.describe_ms >= 0


def test_an_index_without_ids_answers_with_rows():
    answer = Finder(looking_at(0), ExactIndex(at_angles(90, 5))).find(IMAGE, 2)
    assert [m.image_id for m in answer.matches] == ["1", "0"]


def test_the_vote_is_a_share_of_all_five():
    # Cosines to 0 degrees: A .9848, B .9397 + .8660, unlabelled .7660, A .5; the sixth is too far.
    index = ExactIndex(at_angles(10, 20, 30, 40, 60, 61), list("abcdef"))
    labels = {"a": "A", "b": "B", "c": "B", "e": "A", "f": "A"}
    name, confidence = Finder(looking_at(0), index, labels).recognize(IMAGE)
    assert name == "B"
    cosines = np.cos(np.radians([10, 20, 30, 40, 60]))
    assert confidence == pytest.approx(100 * cosines[1:3].sum() / cosines.sum(), rel=1e-5)


def test_no_vote_no_class():
    index = ExactIndex(at_angles(120, 170), ["a", "b"])
    assert Finder(looking_at(0), index, {"a": "A", "b": "B"}).recognize(IMAGE) == (None, 0.0)
    near = ExactIndex(at_angles(1, 2), ["a", "b"])
    assert Finder(looking_at(0), near, {}).recognize(IMAGE) == (None, 0.0)


def test_a_model_of_another_run_is_found_at_the_start():
    index = ExactIndex(np.eye(3, dtype=np.float32))
    with pytest.raises(ValueError, match="of 2 numbers, the index holds rows of 3"):
        Finder(looking_at(0), index)


def test_a_descriptor_without_direction_is_no_answer():
    answers = iter([at_angles(0)[0], np.zeros(2, np.float32)])
    finder = Finder(lambda _image: next(answers), ExactIndex(at_angles(0, 1)))
    with pytest.raises(ValueError, match="its descriptor is zero"):
        finder.find(IMAGE, 1)
