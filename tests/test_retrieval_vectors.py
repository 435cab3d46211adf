"""The checks at the doors of retrieval: each refusal names what it found."""

from __future__ import annotations

import numpy as np
import pytest

from landmarks_tf.retrieval import vectors
from landmarks_tf.retrieval.vectors import (
    EmbeddingError,
    as_matrix,
    check_ids,
    check_k,
    check_unit_rows,
)


def test_as_matrix_keeps_float32_and_casts_what_it_must():
    single = np.eye(3, dtype=np.float32)
    assert as_matrix(single, name="x") is single
    assert as_matrix(np.eye(3, dtype=np.float16), name="x").dtype == np.float16
    assert as_matrix(np.eye(3), name="x").dtype == np.float32
    assert as_matrix([[1, 0], [0, 1]], name="x").dtype == np.float32
    turned = as_matrix(np.asfortranarray(np.arange(6, dtype=np.float32).reshape(2, 3)), name="x")
    assert turned.flags.c_contiguous
    np.testing.assert_array_equal(turned, [[0, 1, 2], [3, 4, 5]])


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.zeros(4), r"x must be a matrix .* shape \(4,\)"),
        (np.zeros((2, 4), complex), "x must hold real numbers, received complex128"),
        (np.array([list("abcd")]), "x must hold real numbers"),
        (np.zeros((2, 3)), "dimension 3, the index has dimension 4"),
    ],
)
def test_as_matrix_refuses(array, message):
    with pytest.raises(EmbeddingError, match=message):
        as_matrix(
            array, name="x", dim=4 if array.shape == (2, 3) and array.dtype == float else None
        )


def test_as_matrix_refuses_no_columns():
    with pytest.raises(EmbeddingError, match=r"x have no columns: shape \(2, 0\)"):
        as_matrix(np.zeros((2, 0)), name="x")


def test_check_unit_rows_counts_over_its_pieces_and_from_first_row(monkeypatch):
    monkeypatch.setattr(vectors, "_ROWS_PER_CHECK", 4)
    rows = np.eye(12, dtype=np.float32)
    check_unit_rows(rows, name="x")
    rows[9] *= 1.01
    with pytest.raises(EmbeddingError, match=r"x: row 109 has length 1\.01, expected 1 "):
        check_unit_rows(rows, name="x", first_row=100)
    check_unit_rows(rows, name="x", tolerance=0.02)
    rows[2, 2] = np.nan
    with pytest.raises(EmbeddingError, match="x: row 2 holds NaN"):
        check_unit_rows(rows, name="x", tolerance=0.02)


def test_check_k():
    assert check_k(np.int32(3), 3) == 3
    with pytest.raises(ValueError, match=r"between 1 and the number of indexed rows \(3\)"):
        check_k(4, 3)
    with pytest.raises(ValueError, match="whole number, received '3'"):
        check_k("3", 3)


def test_check_ids_accepts_bytes_text_and_objects():
    for ids in (["a", "b"], np.array([b"a", b"b"]), np.array(["a", b"b"], object)):
        assert check_ids(ids, 2).tolist() == ["a", "b"]
    assert check_ids(None, 2) is None


@pytest.mark.parametrize(
    ("ids", "message"),
    [
        (["a"], "expected 2 ids"),
        (["a", "a"], "id a is given to more than one row"),
        (["a", ""], "the id of row 1 is empty"),
        ([1, 2], "ids must be text"),
    ],
)
def test_check_ids_refuses(ids, message):
    with pytest.raises(ValueError, match=message):
        check_ids(ids, 2)
