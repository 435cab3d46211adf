"""Files of several arrays: whole, absent, or refused."""

from __future__ import annotations

import numpy as np
import pytest

from landmarks_tf.retrieval.reranking.archives import read_npz, write_npz


def test_what_was_written_is_read_and_nothing_else_is_left(tmp_path):
    path = tmp_path / "new" / "a.npz"
    write_npz(path, one=np.arange(3), two=np.float32(0.5))
    write_npz(path, one=np.arange(4), two=np.float32(0.25))
    one, two = read_npz(path, ("one", "two"), what="numbers")
    assert (one.tolist(), two.item()) == ([0, 1, 2, 3], 0.25)
    assert [entry.name for entry in path.parent.iterdir()] == ["a.npz"]


def test_python_objects_are_neither_written_nor_read(tmp_path):
    path = tmp_path / "a.npz"
    with pytest.raises(ValueError, match=r"Object arrays cannot be saved"):
        write_npz(path, one=np.array([{}]))
    assert not path.exists()
    np.savez(path, one=np.array([{}]))  # as someone else may have written it
    with pytest.raises(ValueError, match=r"numbers: .*a\.npz is not a whole .*Object arrays"):
        read_npz(path, ("one",), what="numbers")


def test_missing_files_arrays_and_halves_are_named(tmp_path):
    path = tmp_path / "a.npz"
    with pytest.raises(FileNotFoundError, match=r"numbers: .*a\.npz is missing"):
        read_npz(path, ("one",), what="numbers")
    write_npz(path, one=np.arange(1000))
    with pytest.raises(ValueError, match=r"is not a whole \.npz file with two"):
        read_npz(path, ("two",), what="numbers")
    whole = path.read_bytes()
    flipped = bytearray(whole)
    flipped[len(whole) // 2] ^= 1
    for damaged in (whole[:-40], whole[:100], b"", b"nothing", bytes(flipped)):
        path.write_bytes(damaged)
        with pytest.raises(ValueError, match=r"is not a whole \.npz file with one .* delete it"):
            read_npz(path, ("one",), what="numbers")
