"""Whitening against sums over all pairs and scikit-learn; its file; what it refuses."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from landmarks_tf.retrieval.reranking import whitening as module
from landmarks_tf.retrieval.reranking.whitening import (
    Whitening,
    fit_learned_whitening,
    fit_pca_whitening,
    load_whitening,
)
from landmarks_tf.retrieval.vectors import EmbeddingError
from tests.reference import reranking as reference


def stretched(count, dim=6, seed=0):
    """Unit rows of unlike variance by direction, so that the axes are well told apart."""
    rng = np.random.default_rng(seed)
    rows = rng.normal(size=(count, dim)) * np.linspace(3, 0.5, dim) + 0.5
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def cosines(vectors):
    return vectors.astype(np.float64) @ vectors.astype(np.float64).T


@settings(max_examples=20, deadline=None)
@given(
    dim=st.integers(1, 6),
    power=st.sampled_from([0.0, 0.2, 0.5]),
    block=st.integers(1, 50),
    seed=st.integers(0, 2**31),
)
def test_pca_equals_the_plain_sums(dim, power, block, seed):
    train, vectors = stretched(60, seed=seed), stretched(9, seed=seed + 1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "_ROWS_PER_BLOCK", block)
        found = fit_pca_whitening(train, dim=dim, power=power).apply(vectors)
    expected = reference.pca_whitened(train.astype(np.float64), vectors, dim, power)
    assert found.shape == (9, dim)
    # An axis may point either way; what the map does to cosines does not depend on it.
    np.testing.assert_allclose(cosines(found), cosines(expected), atol=2e-4)


def test_pca_is_scikit_learns():
    decomposition = pytest.importorskip("sklearn.decomposition")
    train, vectors = stretched(200), stretched(20, seed=1)
    theirs = decomposition.PCA(4, whiten=True, svd_solver="full").fit(train.astype(np.float64))
    expected = theirs.transform(vectors.astype(np.float64))
    expected /= np.linalg.norm(expected, axis=1, keepdims=True)
    found = fit_pca_whitening(train, dim=4).apply(vectors)
    np.testing.assert_allclose(cosines(found), cosines(expected), atol=1e-4)


@settings(max_examples=15, deadline=None)
@given(
    dim=st.integers(1, 6),
    ridge=st.sampled_from([1e-3, 0.1, 2.0]),
    block=st.integers(1, 40),
    seed=st.integers(0, 2**31),
)
def test_learned_equals_the_sum_over_all_pairs(dim, ridge, block, seed):
    train, vectors = stretched(24, seed=seed), stretched(7, seed=seed + 1)
    labels = np.random.default_rng(seed).integers(0, 5, 24) * 1000
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "_ROWS_PER_BLOCK", block)
        found = fit_learned_whitening(train, labels, dim=dim, ridge=ridge).apply(vectors)
    expected = reference.learned_whitened(train.astype(np.float64), labels, vectors, dim, ridge)
    np.testing.assert_allclose(cosines(found), cosines(expected), atol=5e-4)


def test_learned_whitening_forgets_what_varies_within_a_class():
    # Two landmarks, told apart by the third coordinate; light moves the first two far more.
    rng = np.random.default_rng(0)
    labels = np.repeat([0, 1], 40)
    rows = np.column_stack([rng.normal(0, 1, (80, 2)), labels * 0.6 + rng.normal(0, 0.05, 80)])
    rows = (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)
    whitened = fit_learned_whitening(rows, labels, dim=1).apply(rows)[:, 0]
    assert abs(np.mean(np.sign(whitened[:40])) - np.mean(np.sign(whitened[40:]))) > 1.5
    before = (cosines(rows)[:40, :40].mean(), cosines(rows)[:40, 40:].mean())
    assert before[0] - before[1] < 0.3


def test_a_saved_whitening_is_the_same_and_holds_no_pickle(tmp_path):
    whitening = fit_pca_whitening(stretched(50), dim=3)
    path = tmp_path / "whitening.npz"
    whitening.save(path)
    again = load_whitening(path)
    np.testing.assert_array_equal(again.mean, whitening.mean)
    np.testing.assert_array_equal(again.projection, whitening.projection)
    assert [entry.name for entry in tmp_path.iterdir()] == ["whitening.npz"]


def test_a_damaged_or_foreign_file_is_refused(tmp_path):
    path = tmp_path / "w.npz"
    fit_pca_whitening(stretched(50)).save(path)
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ValueError, match=r"whitening: .* is not a whole \.npz file"):
        load_whitening(path)
    np.savez(path, format_version=1, mean=np.zeros(3), projection=np.zeros((4, 2)))
    with pytest.raises(ValueError, match=r"mean \(3,\), projection \(4, 2\)"):
        load_whitening(path)
    np.savez(path, format_version=1, mean=np.array([np.nan]), projection=np.ones((1, 1)))
    with pytest.raises(ValueError, match=r"NaN or infinity"):
        load_whitening(path)


@pytest.mark.parametrize(
    ("fit", "message"),
    [
        (lambda x: fit_pca_whitening(x, dim=7), r"between 1 and 6, which .* span; received 7"),
        (lambda x: fit_pca_whitening(x[:3], dim=3), r"between 1 and 2, which"),
        (lambda x: fit_pca_whitening(x[:1]), r"two training rows or more, received 1"),
        (lambda x: fit_pca_whitening(np.repeat(x[:1], 5, 0)), r"between 1 and 0"),
        (lambda x: fit_pca_whitening(x, power=0.6), r"power must be between 0 and 0.5"),
        (lambda x: fit_pca_whitening(2 * x), r"training embeddings: row 0 has length 2"),
        (lambda x: fit_learned_whitening(x, np.zeros(20, int)), r"images of 1 classes"),
        (lambda x: fit_learned_whitening(x, np.arange(20)), r"20 images of 20 classes"),
        (lambda x: fit_learned_whitening(x, np.arange(19)), r"expected 20 labels"),
        (lambda x: fit_learned_whitening(x, np.zeros(20)), r"received float64"),
        (lambda x: fit_learned_whitening(x, np.arange(20) // 2, ridge=0), r"ridge must be above"),
        (lambda x: fit_learned_whitening(x, np.arange(20) // 2, dim=0), r"dim must be between 1"),
    ],
)
def test_refuses_what_cannot_be_fitted(fit, message):
    with pytest.raises(ValueError, match=message):
        fit(stretched(20))


def test_refuses_vectors_of_another_model_and_at_the_mean():
    with pytest.raises(EmbeddingError, match=r"dimension 4, the whitening was fitted on .* 6"):
        fit_pca_whitening(stretched(20)).apply(stretched(3, dim=4))
    with pytest.raises(EmbeddingError, match=r"queries, whitened,: row 0 has length"):
        Whitening(np.array([1.0, 0.0]), np.eye(2)).apply(np.array([[1.0, 0.0]]), name="queries")


def test_its_digest_is_of_every_number(tmp_path):
    fitted = fit_pca_whitening(stretched(50))
    fitted.save(tmp_path / "w.npz")
    assert load_whitening(tmp_path / "w.npz").digest == fitted.digest
    others = [
        replace(fitted, mean=fitted.mean + 1e-12),
        replace(fitted, projection=np.nextafter(fitted.projection, 2)),
        # The same four numbers, divided otherwise.
        module.Whitening(np.ones(1), np.ones((1, 3))),
        module.Whitening(np.ones(2), np.ones((2, 1))),
    ]
    assert len({fitted.digest, *(other.digest for other in others)}) == 5
