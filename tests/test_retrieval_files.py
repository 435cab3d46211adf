"""Files that are whole or absent."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest

from landmarks_tf.retrieval import files


def test_json_round_trip_leaves_no_other_file(tmp_path):
    files.write_json(tmp_path / "a.json", {"name": "Zürich", "n": 1})
    assert files.read_json(tmp_path / "a.json", what="x") == {"name": "Zürich", "n": 1}
    assert [p.name for p in tmp_path.iterdir()] == ["a.json"]


def test_a_write_that_fails_keeps_what_was_there(tmp_path):
    path = tmp_path / "a.json"
    files.write_json(path, {"n": 1})
    with pytest.raises(TypeError, match="not JSON serializable"):
        files.write_json(path, {"n": object()})
    assert files.read_json(path, what="x") == {"n": 1}


@pytest.mark.parametrize(
    ("content", "message"),
    [(b"{", "not readable as JSON"), (b"\xff\xfe", "not readable"), (b"[1]", "found list")],
)
def test_read_json_refuses(tmp_path, content, message):
    (tmp_path / "a.json").write_bytes(content)
    with pytest.raises(ValueError, match=message):
        files.read_json(tmp_path / "a.json", what="x")


def test_read_npy_refuses_pickles_archives_and_cut_files(tmp_path):
    path = tmp_path / "a.npy"
    with pytest.raises(FileNotFoundError, match=r"rows: .*a\.npy is missing"):
        files.read_npy(path, what="rows")
    np.save(path, np.array([{}], object), allow_pickle=True)
    for content in (path.read_bytes(), b"# no array at all\n"):
        path.write_bytes(content)
        with pytest.raises(ValueError, match=r"holds no array of numbers or text$"):
            files.read_npy(path, what="rows")
    files.write_npy(path, np.arange(100))
    np.testing.assert_array_equal(files.read_npy(path, what="rows", mmap=True), np.arange(100))
    whole = path.read_bytes()
    for content in (whole[:-1], whole[:20], b""):
        path.write_bytes(content)
        for mmap in (True, False):
            with pytest.raises(ValueError, match=r"not a whole \.npy file"):
                files.read_npy(path, what="rows", mmap=mmap)
    with path.open("wb") as file:
        np.savez(file, a=np.arange(3))
    with pytest.raises(ValueError, match="holds several arrays"):
        files.read_npy(path, what="rows")


def test_digests(tmp_path):
    content = bytes(range(256)) * 5000  # more than one chunk
    (tmp_path / "a").write_bytes(content)
    assert files.sha256(tmp_path / "a") == hashlib.sha256(content).hexdigest()
    one = files.ids_digest(np.array(["a", "b"]))
    assert one == hashlib.sha256(b"a\nb").hexdigest()
    assert one != files.ids_digest(np.array(["b", "a"]))
