from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from landmarks_tf.records import (
    INDEX_DTYPE,
    Manifest,
    RecordIndex,
    RecordsError,
    ShardInfo,
    ShardWriter,
    encode_example,
    index_rows,
    parse_features,
    save_index,
    sha256_of_file,
    shard_name,
)

LABELS = [[2, 0, 1], [0, 1]]


def _write(folder, labels=LABELS, num_classes=3, split="train") -> Manifest:
    """Shards whose records are all unlike, side-car and manifest, written in the plainest way."""
    rows, shards = [], []
    for number, part in enumerate(labels):
        name = shard_name(split, number, len(labels))
        with ShardWriter(folder / name) as writer:
            for place, label in enumerate(part):
                image_id = f"{number}{place}".ljust(16, "f")
                record = encode_example(
                    b"x" * (place + 1),
                    image_id=image_id,
                    height=1,
                    width=1,
                    label=None if label < 0 else label,
                )
                rows.append((number, writer.write(record), label, image_id.encode()))
        shards.append(ShardInfo(name, len(part), writer.num_bytes, sha256_of_file(folder / name)))
    index_sha256 = save_index(folder / f"{split}.index.npy", np.array(rows, INDEX_DTYPE))
    label_map = None
    if num_classes is not None:
        (folder / "relabeling.csv").write_text(
            "new_label,old_label\n" + "".join(f"{i},{i + 7}\n" for i in range(num_classes))
        )
        label_map = sha256_of_file(folder / "relabeling.csv")
    manifest = Manifest(
        split=split,
        num_records=len(rows),
        num_classes=num_classes,
        shards=tuple(shards),
        index_file=f"{split}.index.npy",
        index_sha256=index_sha256,
        label_map_sha256=label_map,
        plan={},
    )
    manifest.save(folder)
    return manifest


def test_open_gives_one_row_a_record(tmp_path):
    _write(tmp_path)
    index = RecordIndex.open(tmp_path, "train")
    assert len(index) == 5
    assert index.shards == (
        str(tmp_path / "train-00000-of-00002"),
        str(tmp_path / "train-00001-of-00002"),
    )
    assert index.label.tolist() == [2, 0, 1, 0, 1]
    assert index.shard.tolist() == [0, 0, 0, 1, 1]
    assert index.id[3] == b"10ffffffffffffff"
    assert (index.num_classes, index.split) == (3, "train")
    assert (index.shard.dtype, index.offset.dtype, index.label.dtype) == (
        np.int32,
        np.int64,
        np.int32,
    )


def test_the_side_car_is_memory_mapped(tmp_path):
    _write(tmp_path)
    assert isinstance(RecordIndex.open(tmp_path, "train").offset, np.memmap)


def test_offsets_lead_to_the_records(tmp_path):
    _write(tmp_path)
    index = RecordIndex.open(tmp_path, "train")
    for row in (4, 0, 2):
        dataset = tf.data.TFRecordDataset(index.shards[index.shard[row]])
        position = int(np.sum(index.shard[:row] == index.shard[row]))
        record = next(dataset.skip(position).as_numpy_iterator())
        with Path(index.shards[index.shard[row]]).open("rb") as stream:
            stream.seek(int(index.offset[row]) + 12)  # past the length and its checksum
            assert stream.read(len(record)) == record
        assert parse_features(record)["id"].numpy() == index.id[row]


def test_a_split_without_labels(tmp_path):
    _write(tmp_path, labels=[[-1, -1]], num_classes=None, split="index")
    index = RecordIndex.open(tmp_path, "index")
    assert index.label.tolist() == [-1, -1]
    assert index.num_classes is None


def test_a_row_takes_32_bytes_as_documented():
    assert INDEX_DTYPE.itemsize == 32
    assert [INDEX_DTYPE.fields[name][1] for name in INDEX_DTYPE.names] == [0, 4, 12, 16]


def test_save_index_refuses_another_dtype(tmp_path):
    with pytest.raises(ValueError, match="index rows must be of dtype"):
        save_index(tmp_path / "a.npy", np.zeros(3))


def _rows(folder):
    return np.load(folder / "train.index.npy")


def _replace_rows(folder, **columns):
    rows = _rows(folder)
    for name, values in columns.items():
        rows[name] = values
    save_index(folder / "train.index.npy", rows)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda f: (f / "train.index.npy").unlink(), r"side-car .* is missing"),
        (lambda f: (f / "train.index.npy").write_bytes(b"none"), r"side-car .* cannot be read"),
        (lambda f: (f / "train.index.npy").write_bytes(b""), r"side-car .* cannot be read"),
        (lambda f: np.save(f / "train.index.npy", np.zeros(5)), "has dtype float64"),
        (lambda f: save_index(f / "train.index.npy", _rows(f)[:4]), "4 rows.* says 5 records"),
        (lambda f: (f / "train-00001-of-00002").unlink(), r"shard .*00001-of-00002 is missing"),
        (
            lambda f: (f / "train-00001-of-00002").write_bytes(b"x" * 30),
            r"00001-of-00002 has 30 bytes, the manifest says \d+: it is truncated",
        ),
        (lambda f: (f / "relabeling.csv").unlink(), r"label map .* is missing"),
        (
            lambda f: (f / "relabeling.csv").write_text("new_label,old_label\n"),
            "is not the one that split 'train' was written with",
        ),
        (lambda f: _replace_rows(f, shard=[0, 0, 1, 1, 1]), "spreads its rows over the shards"),
        (lambda f: _replace_rows(f, offset=0), "offsets that do not fit the shards"),
        (lambda f: _replace_rows(f, offset=[0, 9, 10**6, 0, 9]), "offsets that do not fit"),
        (lambda f: _replace_rows(f, offset=[5, 9, 15, 0, 9]), "offsets that do not fit"),
        (
            lambda f: _replace_rows(f, label=[0, 1, 2, 3, 0]),
            r"labels 0 to 3, the manifest says 3 classes \(labels 0 to 2\): "
            r"10f{14} \(row 3, label 3\)$",
        ),
        (lambda f: _replace_rows(f, label=[0, -1, 2, 1, 0]), "labels -1 to 2, the manifest"),
    ],
)
def test_files_that_do_not_belong_together(tmp_path, spoil, message):
    _write(tmp_path)
    spoil(tmp_path)
    with pytest.raises(RecordsError, match=message):
        RecordIndex.open(tmp_path, "train")


def test_labels_where_the_manifest_says_there_are_none(tmp_path):
    manifest = _write(tmp_path)
    dataclasses.replace(manifest, num_classes=None, label_map_sha256=None).save(tmp_path)
    with pytest.raises(RecordsError, match="labels 0 to 2, but split 'train' has none"):
        RecordIndex.open(tmp_path, "train")


def test_index_rows_packs_columns():
    rows = index_rows([0, 1], [5, 2**40], [-1, 81_312], [b"a", b"b" * 16])
    assert rows.dtype == INDEX_DTYPE
    assert rows.tolist() == [(0, 5, -1, b"a"), (1, 2**40, 81_312, b"b" * 16)]


def test_a_split_of_no_records_opens(tmp_path):
    _write(tmp_path, labels=[[]])
    assert len(RecordIndex.open(tmp_path, "train")) == 0
