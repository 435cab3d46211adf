"""Embeddings and ids from this project's files and from anyone's."""

from __future__ import annotations

import numpy as np
import pytest

from experiments.index_files import neighbours_of, read_ids_file, read_rows, write_rankings
from landmarks_tf.retrieval.files import ids_digest, write_json
from tests.tiny_index import clustered, names

ROWS = clustered(20, 6)


def test_a_run_s_file_brings_its_ids_and_what_made_it(tmp_path):
    np.save(tmp_path / "index.npy", ROWS)
    np.save(tmp_path / "index.ids.npy", np.array(names(20)))
    mark = {"format_version": 1, "num_rows": 20, "dim": 6, "dtype": "float32", "fingerprint": "m"}
    mark["ids_sha256"] = ids_digest(np.array(names(20)))
    write_json(tmp_path / "index.json", mark)
    rows = read_rows(tmp_path / "index.npy")
    np.testing.assert_array_equal(rows.vectors, ROWS)
    assert (rows.ids.tolist(), rows.fingerprint) == (names(20), "m")
    (tmp_path / "other.txt").write_text("\n".join(names(20, first=50)) + "\n\n")
    rows = read_rows(tmp_path / "index.npy", tmp_path / "other.txt")
    assert rows.ids.tolist() == names(20, first=50)


def test_other_files(tmp_path):
    np.save(tmp_path / "plain.npy", ROWS)
    assert read_rows(tmp_path / "plain.npy").ids is None
    np.savez(tmp_path / "both.npz", embeddings=ROWS.astype(np.float16), ids=np.array(names(20)))
    rows = read_rows(tmp_path / "both.npz")
    assert (rows.vectors.dtype, rows.ids.tolist()) == (np.float16, names(20))
    np.save(tmp_path / "ids.npy", np.array(["a", "b"]))
    assert read_ids_file(tmp_path / "ids.npy").tolist() == ["a", "b"]


def test_rows_are_made_unit_long_on_request(tmp_path):
    np.save(tmp_path / "long.npy", 3 * ROWS)
    np.testing.assert_allclose(read_rows(tmp_path / "long.npy", normalize=True).vectors, ROWS,
                               rtol=1e-6)  # fmt: skip
    ROWS_WITH_ZERO = np.where(np.arange(20)[:, None] == 7, 0, ROWS)
    np.save(tmp_path / "zero.npy", ROWS_WITH_ZERO)
    with pytest.raises(ValueError, match=r"zero\.npy: row 7 has no direction"):
        read_rows(tmp_path / "zero.npy", normalize=True)


def test_what_is_missing_or_something_else(tmp_path):
    for name in ("no.npy", "no.npz"):
        with pytest.raises(FileNotFoundError, match=rf"{name} is missing"):
            read_rows(tmp_path / name)
    for name in ("no.txt", "no.npy"):
        with pytest.raises(FileNotFoundError, match=rf"ids: .*{name} is missing"):
            read_ids_file(tmp_path / name)
    np.savez(tmp_path / "rows.npz", rows=ROWS)
    with pytest.raises(ValueError, match=r"no array named embeddings, only rows"):
        read_rows(tmp_path / "rows.npz")
    (tmp_path / "cut.npz").write_bytes((tmp_path / "rows.npz").read_bytes()[:50])
    with pytest.raises(ValueError, match=r"cut\.npz is not a whole \.npz file"):
        read_rows(tmp_path / "cut.npz")
    np.save(tmp_path / "one.npy", ROWS[0])
    with pytest.raises(ValueError, match=r"one\.npy must be a matrix .* received shape \(6,\)"):
        read_rows(tmp_path / "one.npy")
    (tmp_path / "empty.txt").write_text("\n")
    with pytest.raises(ValueError, match=r"holds none"):
        read_ids_file(tmp_path / "empty.txt")
    (tmp_path / "bytes.txt").write_bytes(b"\xff\xfe")
    with pytest.raises(ValueError, match=r"is not text"):
        read_ids_file(tmp_path / "bytes.txt")


def test_rankings_are_there_when_they_are_whole(tmp_path):
    out, blocks = tmp_path / "r.csv", [(0, np.array([[2, 0], [1, 2]])), (2, np.array([[0, 1]]))]
    write_rankings(out, np.array(["p", "q", "r"]), np.array(["a", "b", "c"]), blocks)
    assert out.read_text() == "id,images\np,c a\nq,b c\nr,a b\n"

    def broken():
        yield blocks[0]
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_rankings(out, None, None, broken())
    assert out.read_text().startswith("id,images\np,")
    assert [path.name for path in tmp_path.iterdir()] == ["r.csv"]
    write_rankings(out, None, None, blocks)
    assert out.read_text() == "id,images\n0,2 0\n1,1 2\n2,0 1\n"


def test_all_rows_where_the_index_has_fewer(capsys):
    assert neighbours_of(5, 9) == 5
    assert capsys.readouterr().err == ""
    assert neighbours_of(5, 3) == 3
    assert capsys.readouterr().err == "the index has 3 rows, so 3 neighbours are given\n"
