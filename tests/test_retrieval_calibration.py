"""Calibration: by hand, against scikit-learn, and that the optimum is one."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from landmarks_tf.retrieval import calibration


def test_isotonic_by_hand():
    fitted = calibration.fit_isotonic([4, 1, 3, 2], [True, False, False, True])
    assert fitted([1, 2, 3, 4]) == pytest.approx([0, 1 / 2, 1 / 2, 1])
    assert fitted([-9, 1.5, 99]) == pytest.approx([0, 1 / 4, 1])
    # Equal confidences have one value: the share that was right, here 1/3.
    assert calibration.fit_isotonic([2, 2, 2], [True, False, False])([2]) == pytest.approx([1 / 3])


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(st.integers(-4, 4), st.booleans()), min_size=1, max_size=30))
def test_isotonic_never_falls_and_keeps_the_mean(pairs):
    scores, correct = (np.array(column, float) for column in zip(*pairs, strict=True))
    probabilities = calibration.fit_isotonic(scores, correct)(scores)
    assert (np.diff(probabilities[np.argsort(scores)]) >= 0).all()
    assert probabilities.mean() == pytest.approx(correct.mean())
    assert 0 <= probabilities.min() <= probabilities.max() <= 1


@pytest.mark.peers
def test_scikit_learn_agrees():
    isotonic = pytest.importorskip("sklearn.isotonic")
    linear = pytest.importorskip("sklearn.linear_model")
    rng = np.random.default_rng(0)
    features = rng.normal(size=(300, 3)) * [1, 20, 0.1] + [0, 5, 2]
    correct = rng.random(300) < 1 / (1 + np.exp(-features[:, 0] - features[:, 1] / 20))
    peer = isotonic.IsotonicRegression(out_of_bounds="clip").fit(features[:, 0], correct)
    points = np.linspace(-4, 4, 99)
    ours = calibration.fit_isotonic(features[:, 0], correct)
    np.testing.assert_allclose(ours(points), peer.predict(points), atol=1e-12)
    scaled = (features - features.mean(axis=0)) / features.std(axis=0)
    for l2 in (0.3, 5.0):
        peer = linear.LogisticRegression(C=1 / l2, tol=1e-10, max_iter=1000).fit(scaled, correct)
        ours = calibration.fit_logistic(features, correct, l2=l2)
        np.testing.assert_allclose(ours.weights, peer.coef_[0], atol=1e-5)
        np.testing.assert_allclose(ours(features), peer.predict_proba(scaled)[:, 1], atol=1e-5)


def test_logistic_of_what_a_line_separates_and_of_what_never_varies():
    features = np.column_stack([[-1e3, -9e2, 1e3, 2e3], np.ones(4)])
    fitted = calibration.fit_logistic(features, [False, False, True, True], l2=1e-6)
    probabilities = fitted(features)
    assert (probabilities[:2] < 1e-3).all()
    assert (probabilities[2:] > 1 - 1e-3).all()
    assert fitted.weights[1] == 0
    # One feature may be given flat; far beyond the fitted ones nothing overflows.
    flat = calibration.fit_logistic(features[:, 0], [False, True, False, True])
    assert np.isfinite(flat([-1e300, 1e300])).all()


def test_logistic_at_its_optimum_the_gradient_vanishes():
    rng = np.random.default_rng(1)
    features, correct = rng.normal(size=(50, 2)), rng.random(50) < 0.2
    fitted = calibration.fit_logistic(features, correct, l2=2.0)
    left = fitted(features) - correct
    scaled = (features - fitted.mean) / fitted.deviation
    np.testing.assert_allclose(scaled.T @ left + 2.0 * fitted.weights, 0, atol=1e-7)
    assert left.sum() == pytest.approx(0, abs=1e-7)


@pytest.mark.parametrize("fit", [calibration.fit_isotonic, calibration.fit_logistic])
def test_refuses(fit):
    with pytest.raises(ValueError, match=r"shapes \(2,\) and \(1,\)"):
        fit([1, 2], [True])
    with pytest.raises(ValueError, match=r"shapes \(0,\) and \(0,\)"):
        fit([], [])
    with pytest.raises(ValueError, match="finite scores, received inf"):
        fit([1, np.inf], [True, False])


def test_logistic_refuses_what_it_cannot_learn_from():
    with pytest.raises(ValueError, match="received 2 right of 2"):
        calibration.fit_logistic([1, 2], [True, True])
    with pytest.raises(ValueError, match="l2 above 0"):
        calibration.fit_logistic([1, 2], [True, False], l2=0)
