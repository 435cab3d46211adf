"""An exact index on disk."""

from __future__ import annotations

import numpy as np
import pytest

from landmarks_tf.retrieval.exact_folder import load_exact, save_exact
from landmarks_tf.retrieval.index_folder import IndexFolderError
from landmarks_tf.retrieval.vectors import EmbeddingError
from tests.reference import retrieval as reference
from tests.tiny_index import clustered, names, quiet


@pytest.mark.parametrize("dtype", [np.float32, np.float16])
def test_round_trip(tmp_path, dtype):
    rows = clustered(50, 8).astype(dtype)
    save_exact(rows, names(50), tmp_path / "index", fingerprint="m")
    lines = []
    index = load_exact(tmp_path / "index", fingerprint="m", report=lines.append)
    assert lines == [f"exact index {tmp_path / 'index'}: 50 rows of 8"]
    assert (index.embeddings.dtype, index.ids.tolist()) == (dtype, names(50))
    queries = clustered(5, 8, seed=2)
    _, expected = reference.search(rows.astype(np.float32), queries, 7)
    assert index.search(queries, 7)[1].tolist() == expected
    assert [path.name for path in tmp_path.iterdir()] == ["index"]


def test_what_is_refused(tmp_path):
    rows = clustered(50, 8)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "letter.txt").write_text("x")
    with pytest.raises(IndexFolderError, match=r"is no index; it is left alone"):
        save_exact(rows, None, tmp_path / "mine")
    with pytest.raises(EmbeddingError, match=r"the index is empty"):
        save_exact(rows[:0], None, tmp_path / "index")
    save_exact(rows, None, tmp_path / "index")
    with pytest.raises(IndexFolderError, match=r"another model's"):
        load_exact(tmp_path / "index", fingerprint="m", report=quiet)
    file = tmp_path / "index" / "vectors.npy"
    file.write_bytes(file.read_bytes()[:-4])
    with pytest.raises(IndexFolderError, match=r"bytes, expected"):
        load_exact(tmp_path / "index", report=quiet)
    save_exact(rows[:3], None, tmp_path / "index")  # replaces an index
    assert len(load_exact(tmp_path / "index", report=quiet)) == 3
