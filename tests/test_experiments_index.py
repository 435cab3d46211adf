"""`python -m experiments.index`: an index from nothing to changed, and every wrong call."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest

from experiments.index import main
from landmarks_tf.retrieval import tuning
from landmarks_tf.retrieval.opening import open_index
from tests import tiny_index
from tests.reference import retrieval as reference
from tests.tiny_index import clustered, names, quiet

ROWS, QUERIES = clustered(300, 8), clustered(9, 8, seed=5)


@pytest.fixture
def files(tmp_path, monkeypatch):
    """A folder with rows.npz (and ids), queries.npy, more.npz; what is written goes there too."""
    monkeypatch.chdir(tmp_path)
    np.savez("rows.npz", embeddings=ROWS, ids=np.array(names(300)))
    np.save("queries.npy", 2 * QUERIES)
    np.savez("more.npz", embeddings=QUERIES, ids=np.array(names(9, first=700)))
    return tmp_path


def call(capsys, *words) -> tuple[int, str, str]:
    try:
        code = main([str(word) for word in words])
    except SystemExit as end:
        code = end.code
    return code, *capsys.readouterr()


def ranking(path) -> dict[str, list[str]]:
    with Path(path).open(encoding="utf-8", newline="") as file:
        header, *lines = list(csv.reader(file))
    assert header == ["id", "images"]
    return {query: images.split() for query, images in lines}


def test_build_search_add_update_remove(files, capsys):
    code, out, _ = call(capsys, "build", "--embeddings", "rows.npz", "--out", "index", "--k", 10)
    assert (code, "300 rows of 8, brute_force, recall@10 1.0000" in out) == (0, True)
    search = ("search", "--index", "index", "--queries", "queries.npy", "--normalize", "--k", 7)
    assert call(capsys, *search, "--out", "a.csv")[0] == 0
    _, expected = reference.search(ROWS, QUERIES, 7)
    assert ranking("a.csv") == {
        str(query): [names(300)[row] for row in rows] for query, rows in enumerate(expected)
    }
    assert call(capsys, "add", "--index", "index", "--embeddings", "more.npz")[0] == 0
    assert call(capsys, *search, "--out", "b.csv")[0] == 0
    assert [found[0] for found in ranking("b.csv").values()] == names(9, first=700)
    more = ("--index", "index", "--embeddings", "more.npz")
    code, _, err = call(capsys, "add", *more)
    assert code == 1
    assert "image00700, image00701, image00702 and 6 more are in the index already" in err
    assert call(capsys, "add", *more, "--update")[0] == 0
    (files / "gone.txt").write_text("\n".join(names(9, first=700)))
    code, out, _ = call(capsys, "remove", "--index", "index", "--ids", "gone.txt")
    assert (code, out) == (0, "index: 300 rows, 9 are gone\n")
    assert call(capsys, *search, "--out", "c.csv")[0] == 0
    assert ranking("c.csv") == ranking("a.csv")
    assert call(capsys, "remove", "--index", "index", "--ids", "gone.txt")[0] == 1


def test_an_exact_index_and_one_in_parts(files, capsys):
    rows = ("build", "--embeddings", "rows.npz")
    assert call(capsys, *rows, "--exact", "--out", "exact")[0] == 0
    parts = (*rows, "--exact", "--parts", 3, "--out", "parts")
    code, out, _ = call(capsys, *parts, "--only", 0, 2)
    assert (code, "1 of 3 parts are still to be built: [1]" in out) == (0, True)
    assert call(capsys, *parts)[0] == 0
    for index in ("exact", "parts"):
        search = ("search", "--index", index, "--queries", "more.npz", "--out", f"{index}.csv")
        assert call(capsys, *search)[0] == 0
        code, _, err = call(capsys, "remove", "--index", index, "--ids", "queries.npy")
        assert (code, "only ScaNN's take changes" in err) == (1, True)
    assert ranking("exact.csv") == ranking("parts.csv")
    assert list(ranking("exact.csv")) == names(9, first=700)


def test_tuned_parameters_are_built_with(files, capsys, monkeypatch):
    found = tuning.Tuning(300, 8, 10, 0.9, 50.0, [
        tuning.Trial(tiny_index.BRUTE_FORCE, 1.0, 100.0, 0.1),
        tuning.Trial(tiny_index.BRUTE_FORCE, 0.5, 900.0, 0.1),
    ])  # fmt: skip
    asked = {}
    monkeypatch.setattr(tuning, "tune", lambda rows, **options: asked.update(options) or found)
    words = ("tune", "--embeddings", "rows.npz", "--queries", "more.npz", "--out", "tuned.json")
    code, out, _ = call(capsys, *words, "--recall", 0.9, "--budget", 7)
    assert code == 0
    assert (asked["recall"], asked["budget_s"], asked["queries"].shape) == (0.9, 7.0, (9, 8))
    assert (
        "    1.0000        100      2.0       -         -           -  brute force  <- chosen"
        in out
    )
    assert "2 settings in 0 s (the time was up before the grid was)" in out
    assert json.loads((files / "tuned.json").read_text())["reached"] is True
    build = ("build", "--embeddings", "rows.npz", "--out", "index")
    assert call(capsys, *build, "--parameters", "tuned.json")[0] == 0
    assert open_index(files / "index", report=quiet).parameters.num_neighbors == 5
    poor = tuning.Tuning(300, 8, 10, 0.9, 50.0, found.trials[1:], died="was killed by SIGSEGV")
    monkeypatch.setattr(tuning, "tune", lambda rows, **options: poor)
    code, out, _ = call(capsys, *words)
    assert (code, "nothing reached a recall of 0.9" in out) == (3, True)
    assert "ScaNN's process was killed by SIGSEGV" in out


def test_errors_are_one_line_and_write_nothing(files, capsys, monkeypatch):
    tiny_index.saved(files / "index", ROWS, names(300))
    before = sorted(path.name for path in files.iterdir())
    build = ("build", "--embeddings", "rows.npz", "--out", "new")
    search = ("search", "--index", "index", "--queries", "queries.npy", "--out", "x.csv")
    for words, message in (
        (("build", "--embeddings", "no.npy", "--out", "new"), "embeddings: no.npy is missing"),
        (("build", "--embeddings", "queries.npy", "--out", "new"), "has length 2, expected 1"),
        ((*build, "--only", 1), "--only says which of --parts"),
        ((*build, "--parts", 2, "--parameters", "x"), "leave one out"),
        ((*build, "--parameters", "no.json"), "tuned parameters: no.json is missing"),
        (search, "queries: row 0 has length 2"),
        ((*search, "--fingerprint", "model-b"), "another model's embeddings"),
        ((*search, "--normalize", "--ids", "no.txt"), "ids: no.txt is missing"),
        (("add", "--index", "no", "--embeddings", "more.npz"), "no index at no"),
        (("add", "--index", "index", "--embeddings", "queries.npy", "--normalize"), "need ids"),
    ):
        code, _, err = call(capsys, *words)
        assert (code, err.count("\n")) == (1, 1), err
        assert err.startswith("error: ")
        assert message in err
    assert call(capsys, *build, "--recall", 2)[0] == 2
    assert call(capsys, *build, "--k", 0)[0] == 2

    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr("landmarks_tf.retrieval.opening.open_index", interrupted)
    assert call(capsys, *search)[0] == 130
    assert sorted(path.name for path in files.iterdir()) == before
