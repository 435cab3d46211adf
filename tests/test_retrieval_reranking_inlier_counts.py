"""Counts of pairs are made once, kept, and survive a kill."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("cv2")

from landmarks_tf.retrieval.reranking import inlier_counts as module
from landmarks_tf.retrieval.reranking.geometric import count_inliers
from landmarks_tf.retrieval.reranking.inlier_counts import InlierCounts
from landmarks_tf.retrieval.reranking.local_features import describe
from tests.test_retrieval_reranking_local_features import picture

FEATURES = [describe(picture(seed)) for seed in (0, 1, 0, 2)]


class Features:
    """Local features by number, which remembers what it was asked for."""

    def __init__(self, dies_at=None):
        self.asked, self.dies_at = [], dies_at

    def __call__(self, row):
        if row == self.dies_at:
            raise KeyboardInterrupt
        self.asked.append(row)
        return FEATURES[row]


def test_counts_are_those_of_the_pairs_and_are_made_once():
    index = Features()
    counts = InlierCounts(Features(), index)
    rows = np.array([[2, 1], [1, 3]])
    found = counts(rows)
    assert found.dtype == np.int32
    assert found.tolist() == [
        [count_inliers(FEATURES[q], FEATURES[r]) for r in line] for q, line in enumerate(rows)
    ]
    assert found[0, 0] > 20 > found[0, 1]
    assert index.asked == [2, 1, 1, 3]
    assert counts(np.array([[1, 0, 2]])).tolist()[0][::2] == found[0, ::-1].tolist()
    assert index.asked == [2, 1, 1, 3, 0]
    assert counts(np.zeros((0, 5), int)).shape == (0, 5)


def test_what_was_interrupted_goes_on(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "_SECONDS_BETWEEN_SAVES", 0.0)
    path = tmp_path / "new" / "inliers.npz"
    rows = np.array([[2, 1, 3]])
    with pytest.raises(KeyboardInterrupt):
        InlierCounts(Features(), Features(dies_at=3), path=path, fingerprint="a")(rows)
    index = Features()
    found = InlierCounts(Features(), index, path=path, fingerprint="a")(rows)
    assert index.asked == [3]
    assert found.tolist() == InlierCounts(Features(), Features())(rows).tolist()
    other = Features()
    InlierCounts(Features(), other, path=path, fingerprint="b")(rows)
    assert other.asked == [2, 1, 3]  # of other pictures nothing is taken over


def test_a_damaged_file_is_named(tmp_path):
    path = tmp_path / "inliers.npz"
    InlierCounts(Features(), Features(), path=path)(np.array([[1]]))
    path.write_bytes(path.read_bytes()[:50])
    with pytest.raises(ValueError, match=r"inlier counts: .*inliers\.npz is not a whole"):
        InlierCounts(Features(), Features(), path=path)
