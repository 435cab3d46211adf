"""Exact search against a plain loop, its tie rule, and what it refuses."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from landmarks_tf.retrieval import exact, exact_candidates
from landmarks_tf.retrieval.exact import ExactIndex
from landmarks_tf.retrieval.vectors import EmbeddingError
from tests.reference import retrieval as reference


def unit_rows(count, dim, seed=0):
    rows = np.random.default_rng(seed).normal(size=(count, dim))
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def assert_same_as_reference(embeddings, queries, k):
    scores, rows = ExactIndex(embeddings).search(queries, k)
    expected_scores, expected_rows = reference.search(embeddings, queries, k)
    assert scores.dtype == np.float32
    assert rows.dtype == np.int64
    np.testing.assert_array_equal(rows, expected_rows)
    np.testing.assert_array_equal(scores, np.asarray(expected_scores, np.float32))


def test_hand_derived_ranking():
    embeddings = np.array([[1, 0], [0.6, 0.8], [0, 1], [-1, 0]], np.float32)
    scores, rows = ExactIndex(embeddings).search(np.array([[0.8, 0.6]], np.float32), 4)
    assert rows.tolist() == [[1, 0, 2, 3]]
    np.testing.assert_allclose(scores, [[0.96, 0.8, 0.6, -0.8]], rtol=1e-6)


@settings(max_examples=60, deadline=None)
@given(
    num_rows=st.integers(1, 90),
    dim=st.integers(1, 9),
    num_queries=st.integers(0, 5),
    block=st.integers(1, 50),
    distinct=st.integers(1, 90),
    seed=st.integers(0, 2**31),
    data=st.data(),
)
def test_equals_the_plain_loop_whatever_the_blocks(
    num_rows, dim, num_queries, block, distinct, seed, data
):
    k = data.draw(st.integers(1, num_rows))
    rng = np.random.default_rng(seed)
    # Repeated rows: ties are the rule here, not the exception.
    embeddings = unit_rows(distinct, dim, seed)[rng.integers(0, distinct, num_rows)]
    queries = unit_rows(num_queries, dim, seed + 1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(exact_candidates, "_ROWS_PER_BLOCK", block)
        patch.setattr(exact, "_QUERIES_PER_BLOCK", 2)
        patch.setattr(exact, "_UNSURE_AT_ONCE", 1)
        patch.setattr(exact, "_THREADS", int(rng.integers(1, 3)))
        patch.setattr(exact, "_SPARE", int(rng.integers(0, 8)))
        patch.setattr(exact, "_RESCORED_FLOATS", int(rng.integers(1, 500)))
        if not num_queries:
            scores, rows = ExactIndex(embeddings).search(queries, k)
            assert scores.shape == rows.shape == (0, k)
            return
        assert_same_as_reference(embeddings, queries, k)


def test_more_equal_rows_than_spare_candidates_still_come_in_row_order():
    # 500 copies of one picture in several blocks, and others that differ in the last float32 bit.
    picture = unit_rows(1, 48, seed=3)
    embeddings = np.concatenate([unit_rows(40, 48), np.repeat(picture, 500, axis=0)])
    embeddings[100, 0] = np.nextafter(embeddings[100, 0], np.float32(2))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(exact_candidates, "_ROWS_PER_BLOCK", 37)
        assert_same_as_reference(embeddings, picture, 10)


def test_order_does_not_depend_on_which_queries_come_along():
    embeddings, queries = unit_rows(3000, 33), unit_rows(70, 33, seed=1)
    index = ExactIndex(embeddings)
    scores, rows = index.search(queries, 25)
    for at in (0, 31, 69):
        one_scores, one_rows = index.search(queries[at : at + 1], 25)
        np.testing.assert_array_equal(one_rows[0], rows[at])
        np.testing.assert_array_equal(one_scores[0], scores[at])


def test_the_number_of_threads_changes_nothing(monkeypatch):
    embeddings, queries = unit_rows(900, 17), unit_rows(40, 17, seed=1)
    monkeypatch.setattr(exact, "_QUERIES_PER_BLOCK", 7)
    monkeypatch.setattr(exact, "_processors", lambda: 8)
    answers = []
    for threads in (1, 3):
        monkeypatch.setattr(exact, "_THREADS", threads)
        answers.append(ExactIndex(embeddings).search(queries, 12))
    for one, other in zip(*answers, strict=True):
        np.testing.assert_array_equal(one, other)


def test_an_error_in_one_thread_ends_the_others_and_is_the_one_told(monkeypatch):
    """What a person sees of a full memory, or of Ctrl-C, is that, and soon."""
    embeddings, queries = unit_rows(500, 8), unit_rows(60, 8, seed=1)
    monkeypatch.setattr(exact, "_QUERIES_PER_BLOCK", 5)
    monkeypatch.setattr(exact, "_processors", lambda: 2)
    begun = []

    def fails(embeddings, queries, keep, stop):
        begun.append(keep)
        if len(begun) == 1:
            raise MemoryError("no room for a block")
        assert stop.wait(10)
        raise exact_candidates.StoppedError

    monkeypatch.setattr(exact, "find_candidates", fails)
    with pytest.raises(MemoryError, match="no room for a block"):
        ExactIndex(embeddings).search(queries, 3)
    assert len(begun) < 12


def test_blocks_of_queries_are_even_and_all_there():
    assert exact._blocks(0, 132, 4) == []
    for count, keep, threads in ((1129, 132, 2), (10_000, 132, 4), (600, 132, 4), (50, 10**6, 2)):
        blocks = exact._blocks(count, keep, threads)
        at = [i for block in blocks for i in range(count)[block]]
        assert at == list(range(count))
        sizes = [len(range(count)[block]) for block in blocks]
        assert max(sizes) <= min(1024, max(1, 8_000_000 // keep))
        assert max(sizes) - min(sizes) < len(sizes)
    assert len(exact._blocks(1129, 132, 2)) == 2


def test_progress_is_shown_where_asked(capsys):
    index = ExactIndex(unit_rows(50, 8))
    index.search(unit_rows(9, 8), 3)
    assert capsys.readouterr().err == ""
    index.search(unit_rows(9, 8), 3, progress=True)
    shown = capsys.readouterr().err
    assert "9/9" in shown
    assert "queries/s" in shown


def test_memory_mapped_float16_is_searched_in_place(tmp_path):
    embeddings = unit_rows(200, 16).astype(np.float16)
    np.save(tmp_path / "index.npy", embeddings)
    index = ExactIndex(np.load(tmp_path / "index.npy", mmap_mode="r"), ids=map_ids(200))
    assert isinstance(index.embeddings, np.memmap)
    assert index.embeddings.dtype == np.float16
    assert (len(index), index.dim, index.ids[7]) == (200, 16, f"{7:016x}")
    query = embeddings[5].astype(np.float32)
    query /= np.linalg.norm(query)
    _, rows = index.search(query[None], 3)
    assert rows[0].tolist() == reference.search(embeddings, query[None], 3)[1][0]
    assert rows[0, 0] == 5


def map_ids(count):
    return [f"{number:016x}" for number in range(count)]


@pytest.mark.parametrize("k", [0, -1, 11, True, 2.0])
def test_refuses_k_outside_the_index(k):
    with pytest.raises(ValueError, match="k must be"):
        ExactIndex(unit_rows(10, 4)).search(unit_rows(1, 4), k)


def test_refuses_queries_of_another_dimension():
    with pytest.raises(EmbeddingError, match="dimension 5, the index has dimension 4"):
        ExactIndex(unit_rows(10, 4)).search(unit_rows(2, 5), 1)


@pytest.mark.parametrize("bad", [np.nan, np.inf, 3.0, 0.0])
def test_refuses_rows_that_are_not_unit_vectors(bad):
    embeddings = unit_rows(10, 4)
    queries = unit_rows(3, 4)
    broken = embeddings.copy()
    broken[6] = bad
    with pytest.raises(EmbeddingError, match="the index: row 6"):
        ExactIndex(broken)
    queries[2] = bad
    with pytest.raises(EmbeddingError, match="queries: row 2"):
        ExactIndex(embeddings).search(queries, 1)


def test_refuses_an_empty_index():
    with pytest.raises(EmbeddingError, match="the index is empty"):
        ExactIndex(np.zeros((0, 4), np.float32))
