"""A whitening from the command line: fitted, applied to rows and queries, never mixed up."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest

from experiments import index, whitening
from landmarks_tf.retrieval.index_folder import IndexFolderError, fingerprint_of
from landmarks_tf.retrieval.reranking import load_whitening
from tests.reference import retrieval as reference
from tests.tiny_index import clustered, names

DIM, KEPT = 12, 5
TRAIN, ROWS, QUERIES = (clustered(n, DIM, seed=s) for n, s in ((200, 3), (150, 0), (9, 5)))


@pytest.fixture
def files(tmp_path, monkeypatch):
    """train.npy, rows.npz with ids, queries.npy, labels.npy; what is written goes there too."""
    monkeypatch.chdir(tmp_path)
    np.save("train.npy", TRAIN)
    np.save("labels.npy", np.arange(200) % 40)
    np.savez("rows.npz", embeddings=ROWS, ids=np.array(names(150)))
    np.save("queries.npy", QUERIES)
    return tmp_path


def call(module, capsys, *words) -> tuple[int, str, str]:
    code = module.main([str(word) for word in words])
    return code, *capsys.readouterr()


def fit(capsys, out="w.npz", *words):
    return call(whitening, capsys, "--embeddings", "train.npy", "--out", out, *words)


def pca(rows, power=0.5):
    """PCA whitening of unit rows by NumPy's own covariance, cut and made unit long."""
    variances, directions = np.linalg.eigh(np.cov(TRAIN.astype(np.float64).T, bias=True))
    kept = np.argsort(variances)[::-1][:KEPT]
    moved = rows.astype(np.float64) - TRAIN.astype(np.float64).mean(axis=0)
    turned = moved @ directions[:, kept] / variances[kept] ** power
    return turned / np.linalg.norm(turned, axis=1, keepdims=True)


def build(capsys, out, *words):
    return call(index, capsys, "build", "--embeddings", "rows.npz", "--exact", "--out", out, *words)


def search(capsys, folder, *words):
    files = ("--index", folder, "--queries", "queries.npy", "--out", "found.csv", "--k", 7)
    return call(index, capsys, "search", *files, *words)


@pytest.mark.parametrize("power", [0.5, 0.25])
def test_an_index_and_its_queries_go_through_it(files, capsys, power):
    code, out, _ = fit(capsys, "w.npz", "--dim", KEPT, "--power", power)
    assert code == 0
    digest = load_whitening("w.npz").digest
    assert out == f"w.npz: PCA whitening {digest}, 12 to 5 dimensions, of 200 rows\n"
    white = ("--whitening", "w.npz")
    assert build(capsys, "index", *white, "--fingerprint", "model")[0] == 0
    assert json.loads((files / "index" / "manifest.json").read_text())["dim"] == KEPT
    assert search(capsys, "index", *white, "--fingerprint", "model")[0] == 0
    _, expected = reference.search(pca(ROWS, power), pca(QUERIES, power), 7)
    with Path("found.csv").open(encoding="utf-8", newline="") as file:
        found = [images.split() for _, images in list(csv.reader(file))[1:]]
    assert found == [[names(150)[row] for row in rows] for rows in expected]
    _, plain = reference.search(ROWS, QUERIES, 7)
    assert not np.array_equal(plain, expected)


def test_rows_through_another_whitening_are_refused(files, capsys):
    fit(capsys, "w.npz", "--dim", KEPT)
    fit(capsys, "v.npz", "--dim", KEPT, "--power", 0.3)
    ours, theirs = (load_whitening(name).digest for name in ("w.npz", "v.npz"))
    build(capsys, "white", "--whitening", "w.npz", "--fingerprint", "m")
    build(capsys, "plain", "--fingerprint", "m")
    assert fingerprint_of(files / "white") == f"m+whitening:{ours}"
    assert fingerprint_of(files / "plain") == "m"
    for folder, words, message in (
        ("white", ("--whitening", "v.npz"), f"with whitening {ours}, these rows come with whit"),
        ("white", (), f"was built with whitening {ours}, these rows come without one: give"),
        ("plain", ("--whitening", "v.npz"), f"without a whitening, these rows come with whitening "
                                            f"{theirs}: leave --whitening out"),
        ("white", ("--whitening", "w.npz", "--fingerprint", "n"), "another model's embeddings"),
        ("white", ("--whitening", "no.npz"), "whitening: no.npz is missing"),
        ("white", ("--whitening", "rows.npz"), "whitening: rows.npz is not a whole .npz file with"),
        ("none", (), "no index at none"),
    ):  # fmt: skip
        code, _, err = search(capsys, folder, *words)
        assert (code, err.count("\n")) == (1, 1), err
        assert message in err
    add = ("add", "--index", "white", "--embeddings", "rows.npz")
    code, _, err = call(index, capsys, *add)
    assert (code, "these rows come without one" in err) == (1, True)
    assert not (files / "found.csv").exists()


def test_a_changed_whitening_makes_parts_anew(files, capsys):
    fit(capsys, "w.npz", "--dim", KEPT)
    parts = ("--parts", 2, "--only", 0, "--whitening", "w.npz")
    assert build(capsys, "index", *parts)[0] == 0
    assert "part-00000 is there already" in build(capsys, "index", *parts)[1]
    fit(capsys, "w.npz", "--dim", KEPT, "--power", 0.3)
    assert "already" not in build(capsys, "index", *parts)[1]


def test_labels_make_it_learned(files, capsys):
    code, out, _ = fit(capsys, "w.npz", "--labels", "labels.npy", "--ridge", 0.1, "--dim", 3)
    assert (code, "learned whitening" in out, "12 to 3 dimensions" in out) == (0, True, True)
    learned = load_whitening("w.npz")
    fit(capsys, "v.npz", "--dim", 3)
    assert learned.projection.shape == (DIM, 3)
    assert learned.digest != load_whitening("v.npz").digest


def test_mistakes_are_told_and_write_nothing(files, capsys):
    np.save("few.npy", np.arange(3))
    np.save("long.npy", 2 * TRAIN)
    for words, code, message in (
        (("--power", 0.2, "--labels", "labels.npy"), 2, "--power is of PCA whitening"),
        (("--ridge", 0.2), 2, "--ridge of the one that --labels ask for"),
        (("--out", "w.npy"), 2, "--out ends in .npz. Received: w.npy"),
        (("--dim", 13), 1, "dim must be between 1 and 12"),
        (("--labels", "few.npy"), 1, "expected 200 labels as whole numbers"),
        (("--embeddings", "no.npy"), 1, "embeddings: no.npy is missing"),
        (("--embeddings", "long.npy"), 1, "has length 2, expected 1"),
    ):
        found, _, err = fit(capsys, "w.npz", *words)
        assert (found, err.count("\n")) == (code, 1), err
        assert message in err
    assert not list(files.glob("w.*"))
    assert fit(capsys, "w.npz", "--embeddings", "long.npy", "--normalize")[0] == 0


def test_a_whitening_is_named_by_its_numbers(files, capsys):
    fit(capsys, "w.npz", "--dim", KEPT)
    fitted = load_whitening("w.npz")
    assert whitening.with_whitening("m", fitted) == f"m+whitening:{fitted.digest}"
    assert whitening.with_whitening("m", None) == "m"
    assert whitening.with_whitening(None, fitted) is None
    assert whitening.read_whitening(None) is None
    build(capsys, "white", "--whitening", "w.npz")
    whitening.check_whitening(files / "white", fitted)
    with pytest.raises(IndexFolderError):
        whitening.check_whitening(files / "white", None)
