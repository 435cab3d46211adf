"""Equal error rate: by hand, by trying thresholds, and as S1 computes it (scikit-learn, SciPy)."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from landmarks_tf.metrics import equal_error_rate
from tests.reference import equal_error_rate as reference


@pytest.mark.parametrize(
    ("scores", "targets", "expected"),
    [
        ([0.9, 0.4, 0.6, 0.1], [1, 1, 0, 0], 0.5),
        ([3, 2, 1, 0], [1, 1, 0, 0], 0.0),
        ([3, 2, 1, 0], [0, 0, 1, 1], 1.0),
        ([5, 5, 5, 5, 5], [0, 1, 0, 1, 1], 0.5),
        # Refused of 3 positives: 1; accepted of 3 negatives: 1.
        ([9, 8, 7, 6, 5, 4], [1, 1, 0, 1, 0, 0], 1 / 3),
        # Of 2 positives one is refused until 2 of 3 negatives are in: between 1/3 and 2/3.
        ([9, 8, 7, 6, 5], [1, 0, 0, 0, 1], 0.5),
        ([9, 8, 7], [1, 0, 1], 0.5),
    ],
)
def test_by_hand(scores, targets, expected):
    assert equal_error_rate(np.array(scores), np.array(targets)) == pytest.approx(expected)


# Five values only: most lists hold ties.
SCORED = st.lists(st.tuples(st.sampled_from([-1.0, 0, 0.5, 2, 7]), st.booleans()), min_size=2)


def of_both_kinds(pairs) -> bool:
    return len({target for _, target in pairs}) == 2


@settings(max_examples=150, deadline=None)
@given(SCORED.filter(of_both_kinds))
def test_equals_trying_every_threshold(pairs):
    scores, targets = zip(*pairs, strict=True)
    expected = reference.equal_error_rate(scores, targets)
    assert equal_error_rate(np.array(scores), np.array(targets)) == pytest.approx(expected)


def test_of_a_batch_of_ge2e():
    # Two classes of two: one row of four is nearer to the other class.
    similarities = np.float32([[5, -5], [4, -4], [-3, 3], [2, 1]])
    targets = np.arange(4)[:, None] // 2 == np.arange(2)
    assert equal_error_rate(similarities, targets) == pytest.approx(0.25)


@pytest.mark.peers
@pytest.mark.parametrize("seed", range(8))
def test_as_s1_computes_it(seed):
    """The root of 1 - x - TPR(x) with scikit-learn's ROC and SciPy's interpolation and root."""
    roc_curve = pytest.importorskip("sklearn.metrics").roc_curve
    from scipy.interpolate import interp1d
    from scipy.optimize import brentq

    random = np.random.default_rng(seed)
    targets = np.arange(240)[:, None] // 5 == np.arange(48)
    similarities = (random.normal(size=targets.shape) + 1.5 * targets).astype(np.float32)
    false_positives, true_positives, _ = roc_curve(targets.ravel(), similarities.ravel())
    curve = interp1d(false_positives, true_positives)
    expected = brentq(lambda x: 1.0 - x - curve(x), 0.0, 1.0, xtol=1e-12)
    # Where the root lies on a vertical step of the curve, both find that step.
    assert equal_error_rate(similarities, targets) == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize(
    ("scores", "targets", "message"),
    [
        ([1.0, 2.0], [1], r"received \(2,\) and \(1,\)"),
        ([1.0, np.nan], [0, 1], "received NaN"),
        ([1.0, 2.0], [0, 2], "targets of 0 and 1"),
        ([1.0, 2.0], [1, 1], "received 2 true and 0 false"),
        ([], [], "received 0 true and 0 false"),
    ],
)
def test_refuses(scores, targets, message):
    with pytest.raises(ValueError, match=message):
        equal_error_rate(np.array(scores), np.array(targets))
