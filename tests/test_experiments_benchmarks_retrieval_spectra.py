"""Spectra of labelled embeddings, measured, built in, and in other dimensions."""

from __future__ import annotations

import numpy as np
import pytest

from experiments.benchmarks.retrieval_spectra import BUILT_IN, at_dimension, built_in, measured


def test_the_measured_spectrum_is_the_one_that_rows_were_made_with():
    random = np.random.default_rng(0)
    between, within = np.diag([3.0, 2.0, 1.0, 0.5]), np.diag([0.2, 0.5, 0.3, 0.1])
    mean = np.array([1.0, 0.0, 2.0, -1.0])
    labels = np.repeat(np.arange(3000), 4)
    rows = (random.standard_normal((3000, 4)) @ between)[labels] + mean
    rows += random.standard_normal(rows.shape) @ within
    found = measured(rows, labels, "made")
    np.testing.assert_allclose(found.mean, mean, atol=0.2)
    np.testing.assert_allclose(found.between @ found.between.T, between**2, atol=0.4)
    np.testing.assert_allclose(found.within @ found.within.T, within**2, atol=0.02)


def test_within_and_between_by_hand():
    # Two classes of two rows: means (1, 0) and (0, 0); each row is 1 off along the second axis.
    rows = np.array([[1.0, 1.0], [1.0, -1.0], [0.0, 1.0], [0.0, -1.0]])
    found = measured(rows, np.array([7, 7, 9, 9]), "by hand")
    np.testing.assert_allclose(found.mean, [0.5, 0.0])
    # Sum of squares 4 over 4 rows less 2 classes.
    np.testing.assert_allclose(found.within @ found.within.T, [[0, 0], [0, 2]], atol=1e-12)
    # Variance of the means 0.5, and along the second axis 0 - 2 / 2, which is none.
    np.testing.assert_allclose(found.between @ found.between.T, [[0.5, 0], [0, 0]], atol=1e-12)


@pytest.mark.parametrize("labels", [[1, 1, 1], [1, 2, 3]])
def test_labels_that_tell_nothing(labels):
    with pytest.raises(ValueError, match=r"at least two classes, one of them with two rows"):
        measured(np.eye(3), np.array(labels), "few")


def test_another_dimension_keeps_the_variances():
    random = np.random.default_rng(0)
    labels = np.repeat(np.arange(40), 5)
    rows = random.standard_normal((40, 8))[labels] + random.standard_normal((200, 8))
    spectrum = measured(rows, labels, "made")
    for dim in (3, 8, 20):
        other = at_dimension(spectrum, dim)
        assert other.mean.shape == (dim,)
        np.testing.assert_allclose(np.linalg.norm(other.mean), np.linalg.norm(spectrum.mean))
        for name in ("between", "within"):
            values = (getattr(other, name) ** 2).sum(axis=0)
            np.testing.assert_allclose(values.sum(), (getattr(spectrum, name) ** 2).sum())
            assert (np.diff(values) <= 1e-12).all() and (values > 0).all()
    three = (at_dimension(spectrum, 3).within ** 2).sum(axis=0)
    eight = (spectrum.within**2).sum(axis=0)
    np.testing.assert_allclose(three / three[0], eight[:3] / eight[0])
    assert at_dimension(spectrum, 8) is spectrum


SHARES = {"demo": (0.208, 0.294, 0.499), "photographs": (0.276, 0.218, 0.552)}


@pytest.mark.parametrize("dim", [2, 16, 512, 2048])
@pytest.mark.parametrize("name", BUILT_IN)
def test_the_built_in_spectra(name, dim):
    spectrum = built_in(dim, name)
    between, within, mean = SHARES[name]
    assert (spectrum.between**2).sum() == pytest.approx(between)
    assert (spectrum.within**2).sum() == pytest.approx(within)
    assert spectrum.mean @ spectrum.mean == pytest.approx(mean)
    for factor in (spectrum.between, spectrum.within):
        assert (np.diff(np.diag(factor)) < 0).all()


@pytest.mark.parametrize(("name", "first", "later"), [
    ("photographs", 92.25, 3.66), ("demo", 123.1, 0.447),
])  # fmt: skip
def test_built_in_at_512_is_what_was_measured_there(name, first, later):
    values = np.diag(built_in(512, name).within) ** 2
    assert values[0] / values[128] == pytest.approx(first / later)


def test_the_first_ranks_hold_the_share_that_was_measured():
    """Knots are joined by power laws: what lies between them must add up to the measured sum."""
    demo = built_in(2048)
    for factor, first in ((demo.between, 0.2586), (demo.within, 0.1231)):
        values = np.diag(factor) ** 2
        assert values[0] / values.sum() == pytest.approx(first, rel=0.05)
