from __future__ import annotations

import gzip

import pytest
import tensorflow as tf

from landmarks_tf.records import DamagedRecordError, read_frame, read_frames
from tests.reference import tfrecord

RECORDS = [b"one", b"", b"x" * 3000, b"last"]


@pytest.fixture
def path(tmp_path):
    """Written by TensorFlow."""
    with tf.io.TFRecordWriter(str(tmp_path / "records")) as writer:
        for record in RECORDS:
            writer.write(record)
    return tmp_path / "records"


def test_what_tensorflow_wrote(path):
    frames = list(read_frames(path))
    assert frames == tfrecord.read_frames(path)
    assert [record for _, record in frames] == RECORDS
    assert [read_frame(path, offset) for offset, _ in frames] == RECORDS


def test_an_empty_file(path):
    path.write_bytes(b"")
    assert list(read_frames(path)) == []


def test_every_flipped_bit_is_found(path):
    whole = path.read_bytes()
    for place in [*range(60), len(whole) // 2, len(whole) - 1]:
        damaged = bytearray(whole)
        damaged[place] ^= 1 << place % 8
        path.write_bytes(damaged)
        with pytest.raises(DamagedRecordError, match=r"/records, record \d at byte \d+: "):
            list(read_frames(path))


def test_every_cut_is_found_and_what_was_before_is_read(path):
    whole = path.read_bytes()
    ends = [offset for offset, _ in tfrecord.read_frames(path)]
    for size in (1, 7, 18, 19, 25, 40, 60, len(whole) - 1):
        path.write_bytes(whole[:size])
        found = []
        if size in ends:
            continue
        with pytest.raises(DamagedRecordError, match=r"the file ends inside it"):
            found.extend(read_frames(path))
    path.write_bytes(whole[: ends[2] + 100])
    read = read_frames(path)
    assert [next(read)[1], next(read)[1]] == RECORDS[:2]
    with pytest.raises(DamagedRecordError, match=rf"record 2 at byte {ends[2]}: the file ends"):
        next(read)
    with pytest.raises(DamagedRecordError, match=r"the file ends inside it"):
        read_frame(path, ends[2])


def test_files_of_another_kind(path):
    whole = path.read_bytes()
    path.write_bytes(gzip.compress(whole))
    with pytest.raises(DamagedRecordError, match=r"is compressed \(gzip\): decompress it first"):
        list(read_frames(path))
    path.write_bytes(b"id,url,landmark_id\n" * 5)
    with pytest.raises(DamagedRecordError, match=r"damaged, or no TFRecord file"):
        list(read_frames(path))


def test_an_offset_that_is_none(path):
    with pytest.raises(DamagedRecordError, match=r"record at byte 5: the checksum of its length"):
        read_frame(path, 5)
    with pytest.raises(DamagedRecordError, match=r"the file ends inside it"):
        read_frame(path, 10**9)
