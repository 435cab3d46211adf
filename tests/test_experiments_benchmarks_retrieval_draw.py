"""Drawn vectors beside the real ones that their spectrum is of; sizes like those of GLDv2."""

from __future__ import annotations

import numpy as np
import pytest

from experiments.benchmarks import retrieval_draw as draw
from tests.conftest import ROOT

REAL = ROOT.parent / "shared" / "data" / "embeddings" / "landmarks_78480x128.npz"


def neighbours(rows, labels, count=300):
    """Mean cosines to the nearest of the own class and of another, and to the 1st, 10th and 100th
    neighbour; skewness of how often a row is among the ten nearest (hubs)."""
    chosen = np.random.default_rng(1).choice(len(rows), count, replace=False)
    scores = rows[chosen] @ rows.T
    scores[np.arange(count), chosen] = -2
    own = labels[chosen][:, None] == labels[None, :]
    falling = -np.partition(-scores, (0, 9, 99), axis=1)
    ten = np.argpartition(-scores, 10, axis=1)[:, :10]
    occurs = np.bincount(ten.ravel(), minlength=len(rows)).astype(float)
    hubness = (((occurs - occurs.mean()) / occurs.std()) ** 3).mean()
    return {
        "own": np.where(own, scores, -2).max(axis=1).mean(),
        "other": np.where(own, -2, scores).max(axis=1).mean(),
        **{f"{rank}th": falling[:, rank - 1].mean() for rank in (1, 10, 100)},
    }, hubness


def drawn(spectrum, sizes, seed=0):
    made = draw.Drawn(spectrum, sizes, seed)
    return np.concatenate(list(made.chunks())), made


@pytest.mark.skipif(not REAL.is_file(), reason=f"no real embeddings at {REAL}")
def test_neighbours_of_drawn_rows_are_like_those_of_the_real_ones():
    with np.load(REAL) as file:
        rows, labels = file["embeddings"].astype(np.float32), file["labels"]
    kept = np.isin(labels, np.unique(labels)[::4])
    rows, labels = rows[kept], labels[kept]
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    sizes = np.unique(labels, return_counts=True)[1]
    real, hubness = neighbours(rows, labels)
    found, made = drawn(draw.measured(rows, labels, "real"), sizes)
    like, like_hubness = neighbours(found, made.labels)
    assert like == pytest.approx(real, abs=0.06)
    assert like_hubness == pytest.approx(hubness, rel=0.4)
    # Without kinds of pictures, normal noise alone, they would not be.
    random = np.random.default_rng(0)
    spectrum = draw.measured(rows, labels, "real")
    plain = random.standard_normal((len(sizes), 128)) @ spectrum.between.T + spectrum.mean
    plain = plain[made.labels] + random.standard_normal(found.shape) @ spectrum.within.T
    plain /= np.linalg.norm(plain, axis=1, keepdims=True)
    assert neighbours(plain, made.labels)[0]["other"] < real["other"] - 0.06


def test_the_measured_spectrum_is_the_one_that_rows_were_made_with():
    random = np.random.default_rng(0)
    between, within = np.diag([3.0, 2.0, 1.0, 0.5]), np.diag([0.2, 0.5, 0.3, 0.1])
    mean = np.array([1.0, 0.0, 2.0, -1.0])
    labels = np.repeat(np.arange(3000), 4)
    rows = (random.standard_normal((3000, 4)) @ between)[labels] + mean
    rows += random.standard_normal(rows.shape) @ within
    found = draw.measured(rows, labels, "made")
    np.testing.assert_allclose(found.mean, mean, atol=0.2)
    np.testing.assert_allclose(found.between @ found.between.T, between**2, atol=0.4)
    np.testing.assert_allclose(found.within @ found.within.T, within**2, atol=0.02)


def test_within_and_between_by_hand():
    # Two classes of two rows: means (1, 0) and (0, 0); each row is 1 off along the second axis.
    rows = np.array([[1.0, 1.0], [1.0, -1.0], [0.0, 1.0], [0.0, -1.0]])
    found = draw.measured(rows, np.array([7, 7, 9, 9]), "by hand")
    np.testing.assert_allclose(found.mean, [0.5, 0.0])
    # Sum of squares 4 over 4 rows less 2 classes.
    np.testing.assert_allclose(found.within @ found.within.T, [[0, 0], [0, 2]], atol=1e-12)
    # Variance of the means 0.5, and along the second axis 0 - 2 / 2, which is none.
    np.testing.assert_allclose(found.between @ found.between.T, [[0.5, 0], [0, 0]], atol=1e-12)


@pytest.mark.parametrize("labels", [[1, 1, 1], [1, 2, 3]])
def test_labels_that_tell_nothing(labels):
    with pytest.raises(ValueError, match=r"at least two classes, one of them with two rows"):
        draw.measured(np.eye(3), np.array(labels), "few")


def test_another_dimension_keeps_the_variances():
    random = np.random.default_rng(0)
    labels = np.repeat(np.arange(40), 5)
    rows = random.standard_normal((40, 8))[labels] + random.standard_normal((200, 8))
    spectrum = draw.measured(rows, labels, "made")
    for dim in (3, 8, 20):
        other = draw.at_dimension(spectrum, dim)
        assert other.mean.shape == (dim,)
        np.testing.assert_allclose(np.linalg.norm(other.mean), np.linalg.norm(spectrum.mean))
        for name in ("between", "within"):
            values = (getattr(other, name) ** 2).sum(axis=0)
            np.testing.assert_allclose(values.sum(), (getattr(spectrum, name) ** 2).sum())
            assert (np.diff(values) <= 1e-12).all() and (values > 0).all()
    three = (draw.at_dimension(spectrum, 3).within ** 2).sum(axis=0)
    eight = (spectrum.within**2).sum(axis=0)
    np.testing.assert_allclose(three / three[0], eight[:3] / eight[0])
    assert draw.at_dimension(spectrum, 8) is spectrum


@pytest.mark.parametrize("dim", [2, 16, 512])
def test_the_built_in_spectrum(dim):
    spectrum = draw.built_in(dim)
    assert (spectrum.between**2).sum() == pytest.approx(0.276)
    assert (spectrum.within**2).sum() == pytest.approx(0.218)
    assert spectrum.mean @ spectrum.mean == pytest.approx(0.552)
    for factor in (spectrum.between, spectrum.within):
        assert (np.diff(np.diag(factor)) < 0).all()


def test_built_in_at_512_is_what_was_measured_there():
    values = np.diag(draw.built_in(512).within) ** 2
    # Measured on 758 photographs: the 1st eigenvalue is 92.25 / 3.66 times the 129th.
    assert values[0] / values[128] == pytest.approx(92.25 / 3.66)


def test_sizes_meet_what_is_published_of_gldv2():
    train = draw.class_sizes(4_132_914, 4_132_914 / 203_094)
    assert len(train) == 203_094 and train.sum() == 4_132_914
    assert (train <= 10).mean() == pytest.approx(0.57, abs=0.015)
    assert (train <= 5).mean() == pytest.approx(0.38, abs=0.015)
    index = draw.class_sizes(761_757)
    assert len(index) == 101_302 and index.sum() == 761_757


@pytest.mark.parametrize("rows", [1, 2, 7, 8, 9, 100, 1001, 20_000])
def test_sizes_add_up(rows):
    sizes = draw.class_sizes(rows)
    assert sizes.sum() == rows and sizes.min() >= 1 and (np.diff(sizes) <= 0).all()


def test_sizes_of_nothing():
    with pytest.raises(ValueError, match=r"at least 1. Received: 0"):
        draw.class_sizes(0)


def test_the_same_seed_gives_the_same_rows_and_queries_are_others(monkeypatch):
    monkeypatch.setattr(draw, "_CHUNK", 64)
    sizes = draw.class_sizes(150)
    rows, made = drawn(draw.built_in(6), sizes, seed=3)
    again, _ = drawn(draw.built_in(6), sizes, seed=3)
    other, _ = drawn(draw.built_in(6), sizes, seed=4)
    np.testing.assert_array_equal(rows, again)
    assert not np.isclose(rows, other).all(axis=1).any()
    np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1, atol=1e-6)
    np.testing.assert_array_equal(np.bincount(made.labels), sizes)
    queries, classes = made.queries(50)
    assert queries.shape == (50, 6) and set(classes) <= set(range(len(sizes)))
    assert (queries @ rows.T).max() < 1 - 1e-9
    # A query is nearer to its own class' centre than to others', on average.
    centres = np.stack([rows[made.labels == label].mean(axis=0) for label in range(len(sizes))])
    scores = queries @ centres.T
    assert scores[np.arange(50), classes].mean() > scores.mean() + 0.05
