"""Drawn vectors beside the real ones that their spectrum is of; sizes like those of GLDv2."""

from __future__ import annotations

import numpy as np
import pytest

from experiments.benchmarks import retrieval_draw as draw
from experiments.benchmarks.retrieval_spectra import built_in, measured
from tests.conftest import ROOT

REAL = ROOT.parent / "shared" / "data" / "embeddings" / "landmarks_78480x128.npz"


def neighbours(rows, labels, count=300):
    """Mean cosines to the nearest of the own class and of another, and to the 1st, 10th and 100th
    neighbour; skewness of how often a row is among the ten nearest (hubs); in how many dimensions
    the 100 nearest spread (Levina and Bickel 2004, equation 8, the median row's)."""
    chosen = np.random.default_rng(1).choice(len(rows), count, replace=False)
    scores = rows[chosen] @ rows.T
    scores[np.arange(count), chosen] = -2
    own = labels[chosen][:, None] == labels[None, :]
    falling = -np.partition(-scores, (0, 9, 99), axis=1)
    ten = np.argpartition(-scores, 10, axis=1)[:, :10]
    occurs = np.bincount(ten.ravel(), minlength=len(rows)).astype(float)
    hubness = (((occurs - occurs.mean()) / occurs.std()) ** 3).mean()
    distances = np.sqrt(2 - 2 * -np.sort(-falling[:, :100], axis=1))
    dimension = np.median(-1 / np.log(distances[:, :-1] / distances[:, -1:]).mean(axis=1))
    return (
        {
            "own": np.where(own, scores, -2).max(axis=1).mean(),
            "other": np.where(own, -2, scores).max(axis=1).mean(),
            **{f"{rank}th": falling[:, rank - 1].mean() for rank in (1, 10, 100)},
        },
        hubness,
        dimension,
    )


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
    real, hubness, dimension = neighbours(rows, labels)
    found, made = drawn(measured(rows, labels, "real"), sizes)
    like, like_hubness, like_dimension = neighbours(found, made.labels)
    assert like == pytest.approx(real, abs=0.06)
    assert like_hubness == pytest.approx(hubness, rel=0.4)
    assert like_dimension == pytest.approx(dimension, rel=0.25)
    # Without kinds of pictures, normal noise alone, they would not be.
    random = np.random.default_rng(0)
    spectrum = measured(rows, labels, "real")
    plain = random.standard_normal((len(sizes), 128)) @ spectrum.between.T + spectrum.mean
    plain = plain[made.labels] + random.standard_normal(found.shape) @ spectrum.within.T
    plain /= np.linalg.norm(plain, axis=1, keepdims=True)
    assert neighbours(plain, made.labels)[0]["other"] < real["other"] - 0.06


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
    rows, made = drawn(built_in(6), sizes, seed=3)
    again, _ = drawn(built_in(6), sizes, seed=3)
    other, _ = drawn(built_in(6), sizes, seed=4)
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
