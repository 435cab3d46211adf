"""What embeddings are kept as, and shards that are one set or none."""

from __future__ import annotations

import json

import ml_dtypes
import numpy as np
import pytest

from landmarks_tf.retrieval.embed import (
    Shard,
    embed_dataset,
    embed_shards,
    finish_shards,
    plan_shards,
)
from landmarks_tf.retrieval.embedding_files import (
    from_bfloat16,
    load_embeddings,
    shard_paths,
    to_bfloat16,
)
from landmarks_tf.retrieval.exact import ExactIndex
from tests.embedding_batches import unit_rows

BATCH, IDS = 4, [f"{number:016x}" for number in range(23)]
ROWS = unit_rows(np.random.default_rng(0).normal(size=(23, 5)))


class Reader:
    """Gives out batches of rows, and remembers from where to where it was asked."""

    def __init__(self, rows=ROWS, fails_at=None):
        self.rows, self.fails_at, self.asked = rows, fails_at, []

    def between(self, first, end):
        self.asked.append((first, end))
        for start in range(first, end, BATCH):
            if start == self.fails_at:
                raise KeyboardInterrupt
            yield self.rows[start : min(start + BATCH, end)]


def embed(folder, reader, *, count=3, fingerprint="a", dtype="float32"):
    path = folder / "index.npy"
    embed_shards(
        lambda rows: rows,
        reader.between,
        shards=plan_shards(path, 23, count, rows_per_batch=BATCH),
        ids=IDS,
        dim=5,
        path=path,
        fingerprint=fingerprint,
        dtype=dtype,
        progress=False,
    )
    return path


def test_bfloat16_is_rounded_as_ml_dtypes_rounds():
    rows = np.concatenate(
        [
            np.random.default_rng(0).normal(size=5000).astype(np.float32),
            # Half-way between two, an odd and an even one below; tiny, huge, signed zeros.
            np.float32([1.00390625, 1.01171875, -1.00390625, 1e-40, 3e38, 0.0, -0.0]),
        ]
    )[None]
    np.testing.assert_array_equal(
        to_bfloat16(rows), rows.astype(ml_dtypes.bfloat16).view(np.uint16)
    )


def test_bfloat16_is_read_back_as_unit_float32(tmp_path):
    path = tmp_path / "x.npy"
    result = embed_dataset(
        lambda rows: rows,
        lambda first: [ROWS[first:]],
        ids=IDS,
        dim=5,
        path=path,
        fingerprint="a",
        dtype="bfloat16",
        progress=False,
    )
    assert np.load(path).dtype == np.uint16
    assert json.loads((tmp_path / "x.json").read_text())["dtype"] == "bfloat16"
    kept = ROWS.astype(ml_dtypes.bfloat16).astype(np.float64)
    expected = kept / np.linalg.norm(kept, axis=1, keepdims=True)
    assert result.vectors.dtype == np.float32
    np.testing.assert_allclose(result.vectors, expected, atol=1e-7)
    ExactIndex(result.vectors)  # in so few dimensions rounding alone would not leave them unit long
    np.testing.assert_array_equal(result.vectors, from_bfloat16(np.load(path)))


def test_float16_stays_memory_mapped(tmp_path):
    options = {"ids": IDS, "dim": 5, "path": tmp_path / "x.npy", "fingerprint": "a"}
    arguments = (lambda rows: rows, lambda first: [ROWS[first:]])
    result = embed_dataset(*arguments, dtype="float16", progress=False, **options)
    assert isinstance(result.vectors, np.memmap)
    np.testing.assert_array_equal(result.vectors, ROWS.astype(np.float16))
    # Another dtype is another file: it is made anew.
    assert embed_dataset(*arguments, progress=False, **options).vectors.dtype == np.float32
    with pytest.raises(ValueError, match=r"one of float32, float16, bfloat16, received 'int8'"):
        embed_dataset(*arguments, dtype="int8", **options)


def test_shards_hold_whole_batches_and_are_read_as_one(tmp_path):
    path = embed(tmp_path, Reader())
    names = [f"index-0000{i}-of-00003.npy" for i in range(3)]
    assert shard_paths(path) == [tmp_path / name for name in names]
    assert [len(np.load(tmp_path / name)) for name in names] == [8, 8, 7]  # six batches, two each
    assert not path.exists()
    result = load_embeddings(path, fingerprint="a")
    np.testing.assert_array_equal(result.vectors, ROWS)
    assert result.ids.tolist() == IDS
    second = load_embeddings(tmp_path / names[1])
    assert (second.ids.tolist(), second.fingerprint) == (IDS[8:16], "a")
    with pytest.raises(ValueError, match=r"expected fingerprint 'b', found 'a'"):
        load_embeddings(path, fingerprint="b")


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_shards_hold_the_bytes_of_one_file(tmp_path, dtype):
    shards = shard_paths(embed(tmp_path, Reader(), dtype=dtype))
    embed_dataset(
        lambda rows: rows,
        lambda first: [ROWS[first:]],
        ids=IDS,
        dim=5,
        path=tmp_path / "one.npy",
        fingerprint="a",
        dtype=dtype,
        progress=False,
    )
    np.testing.assert_array_equal(
        np.concatenate([np.load(path) for path in shards]), np.load(tmp_path / "one.npy")
    )


def test_a_killed_run_goes_on_inside_its_shard(tmp_path):
    with pytest.raises(KeyboardInterrupt):
        embed(tmp_path, Reader(fails_at=12))
    with pytest.raises(FileNotFoundError, match="never finished"):
        load_embeddings(tmp_path / "index.npy")
    reader = Reader()
    path = embed(tmp_path, reader)
    assert reader.asked == [(12, 16), (16, 23)]
    np.testing.assert_array_equal(load_embeddings(path).vectors, ROWS)
    embed(tmp_path, reader)
    assert len(reader.asked) == 2


def test_shards_of_two_models_are_never_taken_for_a_set(tmp_path):
    path = embed(tmp_path, Reader())
    with pytest.raises(KeyboardInterrupt):
        embed(tmp_path, Reader(-ROWS, fails_at=12), fingerprint="b")
    with pytest.raises(FileNotFoundError, match="never finished"):
        load_embeddings(path)  # the first shard is of model b by now
    shards = plan_shards(path, 23, 3, rows_per_batch=BATCH)
    with pytest.raises(ValueError, match=r"00001-of-00003\.npy is of another set \(fingerprint\)"):
        finish_shards(path, shards, ids=IDS, dim=5, fingerprint="b", dtype="float32")
    with pytest.raises(FileNotFoundError, match="00009-of-00010"):
        other = [Shard(tmp_path / "index-00009-of-00010.npy", 0, 23)]
        finish_shards(path, other, ids=IDS, dim=5, fingerprint="b", dtype="float32")


def test_a_mark_that_does_not_fit_its_shards_is_refused(tmp_path):
    path = embed(tmp_path, Reader())
    mark = json.loads((tmp_path / "index.json").read_text())

    def refused(message, **change):
        (tmp_path / "index.json").write_text(json.dumps({**mark, **change}))
        with pytest.raises(ValueError, match=message):
            load_embeddings(path)

    refused(r"hold 16 rows, expected 23", shards=mark["shards"][:2])
    refused(r"00001-of-00003\.npy does not belong", num_rows=10)
    refused(r"00000-of-00003\.npy does not belong", dim=6)
    refused(r"was made by another model than index\.json says", fingerprint="c")
    refused(r"index\.ids\.npy does not belong", ids_sha256="0")
    refused(r"names no shards", shards=["../x-00000-of-00001.npy"])


@pytest.mark.parametrize("count", [0, 7])
def test_refuses_more_shards_than_batches(tmp_path, count):
    with pytest.raises(ValueError, match=r"between 1 and that of batches \(6: 23 rows, 4 a batch"):
        plan_shards(tmp_path / "x.npy", 23, count, rows_per_batch=BATCH)
