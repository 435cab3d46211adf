"""The benchmark on a file of embeddings: how rows are divided, and a small run of it."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from experiments import reranking_study
from experiments.benchmarks.reranking import divide, main, read_embeddings
from tests.test_retrieval_reranking_steps import landmarks


@given(
    sizes=st.lists(st.integers(1, 12), min_size=2, max_size=8),
    train_part=st.floats(0.05, 0.6),
    seed=st.integers(0, 2**31),
)
@settings(max_examples=50, deadline=None)
def test_every_row_has_one_use_and_every_query_has_an_answer(sizes, train_part, seed):
    labels = np.random.default_rng(seed).permutation(np.repeat(np.arange(len(sizes)) * 7, sizes))
    able = sum(size >= int(np.ceil(train_part * size)) + 2 for size in sizes)
    if able < 2:
        with pytest.raises(ValueError, match=r"fewer than two classes"):
            divide(labels, train_part=train_part, seed=seed)
        return
    split = divide(labels, train_part=train_part, seed=seed)
    assert sorted(np.concatenate(split).tolist()) == list(range(len(labels)))
    assert len(split.queries) == len(set(labels[split.queries].tolist())) == able
    assert set(labels[split.queries]) <= set(labels[split.index])
    for label, size in zip(np.arange(len(sizes)) * 7, sizes, strict=True):
        assert (labels[split.train] == label).sum() == np.ceil(train_part * size)


@pytest.fixture
def file(tmp_path):
    vectors, labels = landmarks(per_class=14, classes=8)
    path = tmp_path / "some.npz"
    np.savez(path, embeddings=vectors.astype(np.float16), labels=labels.astype(np.int32))
    return path


def test_a_small_run(file, tmp_path, monkeypatch, capsys):
    methods = {
        "class-aware": ("class_aware:k=1", "class_aware:k=3"),
        "geometric verification": ("geometric",),
    }
    monkeypatch.setattr(reranking_study, "METHODS", methods)
    assert main(["--embeddings", str(file), "--out", str(tmp_path / "out")]) == 0
    assert "| class-aware | `class_aware:k=" in capsys.readouterr().out
    found = json.loads((tmp_path / "out" / "reranking.json").read_text())
    monkeypatch.setattr(reranking_study, "run_pipeline", None)  # all is known the second time
    assert main(["--embeddings", str(file), "--out", str(tmp_path / "out")]) == 0
    assert json.loads((tmp_path / "out" / "reranking.json").read_text()) == found
    assert found["rows"] == {"train": 40, "index": 64, "queries": 8}
    assert found["queries"] == {"public": 4, "private": 4}
    assert [row["method"] for row in found["methods"]] == ["class-aware"]
    # One query by hand: the bare mAP@100 of a file is that of a plain ranking.
    vectors, labels = read_embeddings(file)
    split = divide(labels, train_part=0.3, seed=0)
    precisions = []
    for row in split.queries[1::2]:
        order = np.argsort(-(vectors[split.index] @ vectors[row]), kind="stable")
        hits = labels[split.index][order] == labels[row]
        precisions.append(np.mean((np.cumsum(hits) / np.arange(1, len(hits) + 1))[hits]))
    np.testing.assert_allclose(found["bare"]["private"], np.mean(precisions), rtol=1e-6)


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"labels": np.zeros(3, int)}, "is not a whole .npz file with embeddings, labels"),
        ({"embeddings": np.ones((4, 1)), "labels": np.zeros(3, int)}, "expected 4 labels"),
        ({"embeddings": np.ones((4, 2)), "labels": np.zeros(4, int)}, "row 0 has length 1.41"),
        ({"embeddings": np.ones((4, 1)), "labels": np.zeros(4, int)}, "fewer than two classes"),
    ],
)
def test_mistakes_are_messages(tmp_path, capsys, arrays, message):
    np.savez(tmp_path / "a.npz", **arrays)
    assert main(["--embeddings", str(tmp_path / "a.npz")]) == 1
    assert message in capsys.readouterr().err
    assert main(["--embeddings", str(tmp_path / "none.npz")]) == 1
    assert "none.npz is missing" in capsys.readouterr().err


def test_a_part_outside_0_to_1_is_refused(file, capsys):
    assert main(["--embeddings", str(file), "--train-part", "1"]) == 1
    assert "--train-part must be between 0 and 1" in capsys.readouterr().err
