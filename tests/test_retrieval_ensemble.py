"""Concatenations: their cosines are what the weights say, and their parts belong together."""

from __future__ import annotations

import numpy as np
import pytest

from landmarks_tf.retrieval import ensemble
from landmarks_tf.retrieval.embed import embed_dataset
from landmarks_tf.retrieval.ensemble import concatenate, concatenate_embeddings
from landmarks_tf.retrieval.vectors import EmbeddingError
from tests.embedding_batches import unit_rows

IDS = [f"{number:016x}" for number in range(9)]


def stored(path, rows, ids=IDS, fingerprint="model", **options):
    """Rows as `embed_dataset` leaves them."""
    embed_dataset(
        lambda part: part,
        lambda first: [rows[first:]],
        ids=ids,
        dim=rows.shape[1],
        path=path,
        fingerprint=fingerprint,
        progress=False,
        **options,
    )
    return path


@pytest.fixture
def models(tmp_path):
    random = np.random.default_rng(0)
    rows = [unit_rows(random.normal(size=(9, dim))) for dim in (3, 5)]
    paths = [
        stored(tmp_path / f"{n}.npy", part, fingerprint=f"model-{n}") for n, part in enumerate(rows)
    ]
    return paths, rows


def test_hand_derived():
    """Weights 3 and 4: a row is (0.6 a, 0.8 b), a cosine 0.36 and 0.64 of the models' own."""
    joined = concatenate([np.float32([[1, 0], [0, 1]]), np.float32([[1.0], [1.0]])], [3.0, 4.0])
    np.testing.assert_allclose(joined, [[0.6, 0, 0.8], [0, 0.6, 0.8]], rtol=1e-6)
    assert joined[0] @ joined[1] == pytest.approx(0.36 * 0 + 0.64 * 1)


def test_the_cosines_are_weighted_by_the_squares(models, tmp_path, monkeypatch):
    monkeypatch.setattr(ensemble, "_ROWS_AT_ONCE", 4)
    paths, rows = models
    weights = [1.0, 0.55]
    joined = concatenate_embeddings(
        list(zip(paths, weights, strict=True)), tmp_path / "both.npy", progress=False
    )
    assert joined.ids.tolist() == IDS
    assert joined.vectors.shape == (9, 8)
    np.testing.assert_allclose(np.linalg.norm(joined.vectors, axis=1), 1, atol=1e-6)
    expected = sum(w**2 * (r @ r.T) for w, r in zip(weights, rows, strict=True))
    np.testing.assert_allclose(
        joined.vectors @ joined.vectors.T, expected / (1 + 0.55**2), atol=1e-6
    )


def test_the_fingerprint_names_the_parts_and_their_weights(models, tmp_path):
    paths, _ = models

    def fingerprint(parts):
        return concatenate_embeddings(parts, tmp_path / "out.npy", progress=False).fingerprint

    one = fingerprint([(paths[0], 1.0), (paths[1], 0.5)])
    assert one == fingerprint([(paths[0], 1.0), (paths[1], 0.5)])
    assert one != fingerprint([(paths[0], 1.0), (paths[1], 0.6)])
    assert one != fingerprint([(paths[1], 0.5), (paths[0], 1.0)])


def test_parts_of_other_pictures_or_in_another_order_are_refused(models, tmp_path):
    (first, _), (rows, _) = models
    turned = stored(tmp_path / "turned.npy", rows, ids=[*IDS[:4], *IDS[:3:-1]])
    with pytest.raises(ValueError, match=r"row 4 is picture 0{15}4 in .*0\.npy and 0{15}8 in"):
        concatenate_embeddings([(first, 1.0), (turned, 1.0)], tmp_path / "out.npy")
    fewer = stored(tmp_path / "fewer.npy", rows[:3], ids=IDS[:3])
    with pytest.raises(ValueError, match=r"0\.npy has 9 rows, .*fewer\.npy 3: expected the same"):
        concatenate_embeddings([(first, 1.0), (fewer, 1.0)], tmp_path / "out.npy")
    assert not (tmp_path / "out.npy").exists()


def test_refuses_what_is_no_ensemble(models, tmp_path):
    (first, second), _ = models
    with pytest.raises(ValueError, match=r"two models or more, received 1"):
        concatenate_embeddings([(first, 1.0)], tmp_path / "out.npy")
    for weight in (0.0, -1.0, float("nan")):
        with pytest.raises(ValueError, match=r"1\.npy must be positive, received"):
            concatenate_embeddings([(first, 1.0), (second, weight)], tmp_path / "out.npy")
    with pytest.raises(ValueError, match=r"0\.npy is one of the parts"):
        concatenate_embeddings([(first, 1.0), (second, 1.0)], first)
    with pytest.raises(EmbeddingError, match=r"part 2: row 1 has length 2"):
        concatenate([np.eye(2, dtype=np.float32), np.float32([[0, 1], [2, 0]])], [1.0, 1.0])
