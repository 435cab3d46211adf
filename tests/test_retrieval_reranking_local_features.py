"""RootSIFT of pictures that were moved on purpose, and the folder that keeps it."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from landmarks_tf.retrieval.reranking import local_features as module
from landmarks_tf.retrieval.reranking.local_features import (
    FeatureSettings,
    FeatureStore,
    LocalFeatures,
    describe,
    root_sift,
)


def picture(seed=0, height=160, width=200):
    """Bright and dark boxes at random: corners in plenty, and always the same."""
    rng = np.random.default_rng(seed)
    canvas = np.full((height, width, 3), 128, np.uint8)
    for _ in range(60):
        top, left = rng.integers(0, height - 20), rng.integers(0, width - 20)
        size = rng.integers(5, 20, 2)
        canvas[top : top + size[0], left : left + size[1]] = rng.integers(0, 256, 3)
    return canvas


def some_features(count=5, seed=0):
    rng = np.random.default_rng(seed)
    return LocalFeatures(
        rng.random((count, 2), np.float32) * 100,
        rng.integers(0, 256, (count, 128), np.uint8),
    )


def test_features_move_with_the_picture():
    pytest.importorskip("cv2")
    still, moved = picture(), np.full((200, 260, 3), 128, np.uint8)
    moved[30:190, 40:240] = still
    here, there = describe(still), describe(moved)
    assert len(here.xy) > 50
    alike = root_sift(here.descriptors) @ root_sift(there.descriptors).T
    best = alike.argmax(axis=1)
    shift = there.xy[best] - here.xy
    # Away from the edges of the pictures nothing has changed but the place.
    inside = ((here.xy > 30) & (here.xy < [170, 130])).all(axis=1)
    right = np.abs(shift[inside] - [40, 30]).max(axis=1) < 1
    assert right.mean() > 0.9


def test_a_large_picture_is_shrunk_and_its_places_are_its_own():
    pytest.importorskip("cv2")
    large = np.kron(picture(), np.ones((4, 4, 1), np.uint8))
    found = describe(large, FeatureSettings(longest_side_px=400))
    assert found.xy[:, 0].max() > 600
    assert (found.xy < [800, 640]).all()


def test_settings_bound_the_number_and_an_even_picture_has_none():
    pytest.importorskip("cv2")
    assert len(describe(picture(), FeatureSettings(max_features=20)).xy) == 20
    few = describe(picture(), FeatureSettings(contrast=0.15))
    assert len(few.xy) < len(describe(picture()).xy)
    none = describe(np.full((50, 60, 3), 90, np.uint8))
    assert none.xy.shape == (0, 2)
    assert none.descriptors.shape == (0, 128)


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        (np.zeros((9, 9), np.uint8), r"received uint8 of shape \(9, 9\)"),
        (np.zeros((9, 9, 3)), r"received float64"),
        (np.zeros((0, 9, 3), np.uint8), r"shape \(0, 9, 3\)"),
    ],
)
def test_refuses_what_is_no_picture(bad, message):
    pytest.importorskip("cv2")
    with pytest.raises(ValueError, match=message):
        describe(bad)


def test_root_sift_by_hand():
    raw = np.zeros((2, 128), np.uint8)
    raw[0, [3, 7]] = 16, 48
    found = root_sift(raw)
    np.testing.assert_allclose(found[0, [3, 7]], [0.25**0.5, 0.75**0.5], rtol=1e-6)
    assert not found[1].any()


def test_without_opencv_there_is_a_hint(monkeypatch):
    monkeypatch.setitem(sys.modules, "cv2", None)
    with pytest.raises(ImportError, match=r"pip install 'landmarks-tf\[geometry\]'"):
        describe(picture())


def test_a_store_gives_back_what_it_was_given(tmp_path):
    store = FeatureStore(tmp_path / "f")
    assert store.missing(["ab1", "ab2", "cd3"]) == ["ab1", "ab2", "cd3"]
    store.add("ab2", some_features())
    store.add("cd3", LocalFeatures(np.empty((0, 2), np.float32), np.empty((0, 128), np.uint8)))
    again = FeatureStore(tmp_path / "f")
    assert again.missing(["ab1", "ab2", "cd3"]) == ["ab1"]
    for found, expected in zip(again.get("ab2"), some_features(), strict=True):
        np.testing.assert_array_equal(found, expected)
    assert len(again.get("cd3").xy) == 0
    with pytest.raises(FileNotFoundError, match=r"no local features of picture ab1"):
        again.get("ab1")


def test_a_store_refuses_other_settings_damage_and_paths(tmp_path):
    store = FeatureStore(tmp_path)
    store.add("ab1", some_features())
    with pytest.raises(ValueError, match=r"other settings .* delete it or use another folder"):
        FeatureStore(tmp_path, FeatureSettings(max_features=7))
    path = tmp_path / "ab" / "ab1.npy"
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(ValueError, match=r"ab1\.npy is damaged .* delete it"):
        store.get("ab1")
    np.save(path, np.zeros(3))
    with pytest.raises(ValueError, match=r"ab1\.npy holds float64; delete it"):
        store.get("ab1")
    for strange in ("../x", "", ".hidden"):
        with pytest.raises(ValueError, match=r"an image id names a file"):
            store.add(strange, some_features())


def test_old_opencv_is_refused(monkeypatch):
    class Old:
        __version__ = "4.1.0"

    monkeypatch.setitem(sys.modules, "cv2", Old())
    with pytest.raises(ImportError, match=r"OpenCV 4\.5 or newer with SIFT, found 4\.1\.0"):
        module.import_opencv()
