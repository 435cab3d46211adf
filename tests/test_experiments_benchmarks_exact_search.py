"""The benchmark of exact search: what it makes and multiplies, its arithmetic, how it ends."""

from __future__ import annotations

import json

import numpy as np
import pytest

from experiments.benchmarks import exact_search
from tests.embedding_batches import unit_rows


def test_rows_are_unit_long_and_keep_the_cosines_of_what_they_are_drawn_from():
    source = unit_rows(np.random.default_rng(0).normal(size=(6, 20)))
    rows = exact_search.make_rows(60, 4000, source, seed=1)
    np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1, atol=1e-5)
    # Which row each was drawn from is plain again through the best cosine with its like.
    projection = np.random.default_rng(12345).standard_normal((20, 4000), dtype=np.float32)
    drawn = (rows @ unit_rows(source @ projection).T).argmax(axis=1)
    noise = 1 / (1 + exact_search._NOISE**2)
    different = drawn[:, None] != drawn[None]
    cosines = rows @ rows.T
    np.testing.assert_allclose(
        cosines[different], noise * (source @ source.T)[drawn][:, drawn][different], atol=0.08
    )
    assert (exact_search.make_rows(60, 4000, source, seed=2) != rows).any()
    assert len(np.unique(exact_search.make_rows(9, 4, None, seed=0), axis=0)) == 9


def test_the_product_is_that_of_every_pair(monkeypatch):
    monkeypatch.setattr(exact_search, "QUERIES_PER_BLOCK", 3)
    monkeypatch.setattr(exact_search, "ROWS_PER_BLOCK", 4)
    multiplied = []
    product = exact_search.Product(np.ones((8, 2), np.float32), np.ones((9, 2), np.float32))
    real = np.matmul
    monkeypatch.setattr(np, "matmul", lambda a, b, out: multiplied.append(real(a, b, out=out).size))
    product()
    assert sum(multiplied) == 8 * 9
    assert product.buffer.max() == 2


def test_table():
    # Rounds' ratios: 1.5, 1.25, 2 -> median 1.5, quartiles 1.375 and 1.75; 100 queries in 3 s.
    seconds = {
        "product": {"wall": [2.0, 4.0, 1.0], "processor": [1.0, 1.0, 1.0]},
        "search": {"wall": [3.0, 5.0, 2.0], "processor": [1.1, 1.1, 1.1]},
    }
    ratio = {
        clock: exact_search.speed_ratio(seconds["product"][clock], seconds["search"][clock])
        for clock in ("wall", "processor")
    }
    report = {
        "setting": {"rows": 5000, "dim": 8, "k": 10, "repeats": 3, "embeddings": None},
        "machine": {"cores": 2, "numpy": "2", "blas": "b 1", "load": 0.0},
        "searches": [{"queries": 100, "seconds": seconds, "ratio": ratio, "memory_mib": 1234.5}],
    }
    row = exact_search.markdown(report).splitlines()[-1]
    assert row == ("| 100 | 2.00 | 3.00 | 1.50 (1.38-1.75) | 1.10 (1.10-1.10) | 33 | 1,234 |")


def test_the_whole_run(tmp_path, capsys):
    np.savez(tmp_path / "e.npz", embeddings=np.random.default_rng(0).normal(size=(40, 6)))
    arguments = ["--rows", "700", "--dim", "8", "--queries", "5,11", "--k", "3", "--repeats", "2"]
    assert exact_search.main(
        [*arguments, "--embeddings", str(tmp_path / "e.npz"), "--out", str(tmp_path / "o")]
    ) == 0  # fmt: skip
    report = json.loads((tmp_path / "o" / "exact_search.json").read_text())
    assert [one["queries"] for one in report["searches"]] == [5, 11]
    for one in report["searches"]:
        for clock in ("wall", "processor"):
            assert len(one["seconds"]["search"][clock]) == 2
        assert one["index_mib"] == pytest.approx(700 * 8 * 4 / 2**20)
    shown = capsys.readouterr().out
    assert shown == (tmp_path / "o" / "exact_search.md").read_text()
    assert "700 x 8 float32 (e.npz), k 3" in shown


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["--queries", "many"], 2, "--queries takes whole numbers"),
        (["--queries", "10,0"], 2, "--queries is at least 1. Received: 0"),
        (["--rows", "0"], 2, "--rows is at least 1. Received: 0"),
        (["--rows", "5", "--k", "6"], 2, "--k is at most --rows (5). Received: 6"),
        (["--embeddings", "none.npy"], 1, "No such file"),
    ],
)
def test_mistakes_are_told(arguments, code, message, capsys):
    assert exact_search.main(arguments) == code
    assert message in capsys.readouterr().err


def test_embeddings_of_another_shape_are_refused(tmp_path):
    np.save(tmp_path / "a.npy", np.ones(3))
    with pytest.raises(ValueError, match=r"floats of shape .* received float64 \(3,\)"):
        exact_search.read_embeddings(tmp_path / "a.npy")
    np.save(tmp_path / "a.npy", np.zeros((2, 3)))
    with pytest.raises(ValueError, match="a row that holds NaN or has no length"):
        exact_search.read_embeddings(tmp_path / "a.npy")
    np.savez(tmp_path / "a.npz", vectors=np.ones((2, 3)))
    with pytest.raises(ValueError, match=r'an \.npz that has them under "embeddings"'):
        exact_search.read_embeddings(tmp_path / "a.npz")
