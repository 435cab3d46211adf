"""Queries in blocks: every row once and in order, whatever the files; and what is refused."""

from __future__ import annotations

import numpy as np
import pytest

from experiments import query_blocks
from experiments.index_files import read_rows
from experiments.query_blocks import digest_of, queries_of, read_blocks
from landmarks_tf.retrieval.embed import embed_shards, plan_shards
from tests.tiny_index import clustered

ROWS = clustered(25, 4)


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch):
    monkeypatch.setattr(query_blocks, "QUERIES_AT_ONCE", 4)


def gathered(blocks, *, normalize=False):
    rows = [queries_of(read_rows(b.file).vectors, b, normalize=normalize) for b in blocks]
    assert [len(part) for part in rows] == [block.count for block in blocks]
    return np.concatenate(rows)


def test_one_file_is_cut_into_blocks(tmp_path):
    np.save(tmp_path / "a.npy", ROWS[:10])
    blocks, ids = read_blocks(tmp_path / "a.npy", dim=4)
    assert [block[1:] for block in blocks] == [(0, 4, 0), (4, 4, 4), (8, 2, 8)]
    assert ids is None
    np.testing.assert_array_equal(gathered(blocks), ROWS[:10])


def test_no_block_lies_in_two_shards(tmp_path):
    path, ids = tmp_path / "a.npy", [f"q{number}" for number in range(25)]
    shards = plan_shards(path, 25, 2, rows_per_batch=5)
    about = {"dim": 4, "fingerprint": "f", "progress": False}
    embed_shards(
        lambda batch: batch,
        lambda first, end: [ROWS[first:end]],
        shards=shards,
        ids=ids,
        path=path,
        **about,
    )
    blocks, found = read_blocks(path, dim=4)
    assert len({block.file for block in blocks}) == 2
    assert [block.place for block in blocks] == [0, 4, 8, 10, 14, 18, 22]
    np.testing.assert_array_equal(gathered(blocks), ROWS)
    assert found.tolist() == ids


def test_rows_of_any_length_are_made_unit_long(tmp_path):
    np.savez(tmp_path / "a.npz", embeddings=3 * ROWS[:6], ids=np.array(list("abcdef")))
    with pytest.raises(ValueError, match="queries: row 0 has length 3"):
        read_blocks(tmp_path / "a.npz", dim=4)
    blocks, ids = read_blocks(tmp_path / "a.npz", dim=4, normalize=True)
    np.testing.assert_allclose(gathered(blocks, normalize=True), ROWS[:6], atol=1e-6)
    assert ids.tolist() == list("abcdef")


def test_what_does_not_fit_is_refused(tmp_path):
    np.save(tmp_path / "a.npy", ROWS)
    with pytest.raises(ValueError, match="queries have dimension 4, the index has dimension 5"):
        read_blocks(tmp_path / "a.npy", dim=5)
    (tmp_path / "ids.txt").write_text("a\nb\n")
    with pytest.raises(ValueError, match="2 ids for 25 queries"):
        read_blocks(tmp_path / "a.npy", tmp_path / "ids.txt", dim=4)
    broken = ROWS.copy()
    broken[9, 0] = np.nan
    np.save(tmp_path / "b.npy", broken)
    with pytest.raises(ValueError, match="queries: row 9"):
        read_blocks(tmp_path / "b.npy", dim=4)


def test_a_digest_is_of_every_byte_and_of_the_division(tmp_path, monkeypatch):
    np.save(tmp_path / "a.npy", ROWS)
    blocks, _ = read_blocks(tmp_path / "a.npy", dim=4)
    digest = digest_of(blocks)
    assert digest_of(read_blocks(tmp_path / "a.npy", dim=4)[0]) == digest
    monkeypatch.setattr(query_blocks, "QUERIES_AT_ONCE", 5)
    assert digest_of(read_blocks(tmp_path / "a.npy", dim=4)[0]) != digest
    np.save(tmp_path / "a.npy", ROWS[::-1].copy())
    assert digest_of(blocks) != digest
