"""Geometric verification: how many local features of two pictures one homography explains.

The "RANSAC baseline" of S2's Table 3 and of DELG (Cao, Araujo, Sim, ECCV 2020): the top rows of a
global ranking are matched with the query and ordered by inliers and cosine together. Here the
features are RootSIFT, matches pass Lowe's ratio test one to one, and the estimator is MAGSAC++
(Barath, Noskova, Ivashechkin, Matas, CVPR 2020; OpenCV's USAC_MAGSAC).
"""

from __future__ import annotations

import numpy as np

from landmarks_tf.retrieval.reranking.local_features import (
    LocalFeatures,
    import_opencv,
    root_sift,
)
from landmarks_tf.retrieval.reranking.ranking import check_ranking, ordered

_FEWEST_MATCHES = 4  # that a homography has


def match(query: LocalFeatures, reference: LocalFeatures, *, ratio: float = 0.8) -> np.ndarray:
    """Pairs of features that look alike, (m, 2) whole numbers: (of query, of reference).

    Args:
        query: features of one picture.
        reference: of the other.
        ratio: a pair stays if its distance is below this part of the distance to the second best
            (Lowe's test); of several with one reference feature the nearest stays.
    """
    if len(query.xy) < 1 or len(reference.xy) < 2:
        return np.empty((0, 2), np.int64)
    alike = root_sift(query.descriptors) @ root_sift(reference.descriptors).T
    best = alike.argmax(axis=1)
    own = np.arange(len(alike))
    first = alike[own, best]
    alike[own, best] = -np.inf
    second = alike.max(axis=1)
    # Squared distances of unit vectors are 2 - 2 cos.
    passed = np.flatnonzero((1 - first) < ratio**2 * (1 - second))
    nearest_first = passed[np.argsort(-first[passed], kind="stable")]
    _, kept = np.unique(best[nearest_first], return_index=True)
    chosen = np.sort(nearest_first[kept])
    return np.stack([chosen, best[chosen]], axis=1)


def count_inliers(
    query: LocalFeatures,
    reference: LocalFeatures,
    *,
    ratio: float = 0.8,
    threshold_px: float = 5.0,
) -> int:
    """Matches that agree with one homography; 0 where there are too few to tell.

    Args:
        query: features of one picture.
        reference: of the other.
        ratio: of `match`.
        threshold_px: MAGSAC++'s upper bound on the noise, in pixels of the reference.

    Raises:
        ImportError: OpenCV is not installed.
    """
    cv2 = import_opencv()
    pairs = match(query, reference, ratio=ratio)
    if len(pairs) < _FEWEST_MATCHES:
        return 0
    source, target = query.xy[pairs[:, 0]], reference.xy[pairs[:, 1]]
    try:
        _, inliers = cv2.findHomography(
            source, target, cv2.USAC_MAGSAC, threshold_px, maxIters=2_000, confidence=0.999
        )
    except cv2.error:  # all on one line, or in one point
        return 0
    return 0 if inliers is None else int(inliers.sum())


def geometric_rerank(
    scores, rows, inliers, *, weight: float = 1.0, cap: int = 30, least: int = 0
) -> tuple[np.ndarray, np.ndarray]:
    """The same rows of each query ordered by score + weight * min(inliers, cap) / cap.

    Args:
        scores: (Q, k) falling, cosines or another re-ranker's.
        rows: (Q, k) rows of the index.
        inliers: (Q, k) whole numbers, as `count_inliers` finds them.
        weight: of the inliers beside the score.
        cap: inliers beyond which two pictures surely show the same.
        least: fewer inliers than this count for nothing: chance finds some too.

    Returns:
        scores (Q, k) float32, falling; rows (Q, k) int64.

    Raises:
        ValueError: shapes that do not fit, a cap below 1, counts below 0.
    """
    inliers = np.asarray(inliers)
    num_index = int(np.asarray(rows).max(initial=0)) + 1
    scores, rows = check_ranking(scores, rows, num_queries=len(inliers), num_index=num_index)
    if inliers.shape != rows.shape or inliers.dtype.kind not in "iu":
        raise ValueError(
            f"expected inliers as whole numbers of shape {rows.shape}, received {inliers.dtype} "
            f"of shape {inliers.shape}"
        )
    if inliers.size and inliers.min() < 0:
        raise ValueError(f"expected inliers of 0 or more, received {inliers.min()}")
    if cap < 1:
        raise ValueError(f"cap must be at least 1, received {cap}")
    counted = np.where(inliers < least, 0, np.minimum(inliers, cap))
    return ordered(scores + np.float32(weight) * counted.astype(np.float32) / cap, rows)
