from __future__ import annotations

import hashlib
import subprocess
import sys

import pytest
import tensorflow as tf

from landmarks_tf.records import ShardWriter, frame_size, shard_name, split_of_shard
from tests.reference import tfrecord


def test_the_reference_computes_the_published_check_value():
    assert tfrecord.crc32c(b"123456789") == 0xE3069283


def test_shard_name_is_delfs():
    assert shard_name("train", 0, 128) == "train-00000-of-00128"
    assert shard_name("validation", 127, 128) == "validation-00127-of-00128"


@pytest.mark.parametrize("shard", [-1, 4])
def test_shard_name_refuses_a_shard_that_does_not_exist(shard):
    with pytest.raises(ValueError, match=f"shard {shard} of 4 does not exist"):
        shard_name("train", shard, 4)


def test_split_of_shard():
    assert split_of_shard("train-00000-of-00128") == "train"
    assert split_of_shard("my-own-split-00003-of-00004") == "my-own-split"
    for name in ("train.index.npy", ".train-00000-of-00002.tmp-17", "train-0-of-2"):
        assert split_of_shard(name) is None


def test_frames_and_offsets_are_what_a_hand_written_reader_finds(tmp_path):
    records = [b"one", b"", b"x" * 3000]
    with ShardWriter(tmp_path / "s") as writer:
        offsets = [writer.write(record) for record in records]
    assert tfrecord.read_frames(tmp_path / "s") == list(zip(offsets, records, strict=True))
    assert writer.num_records == 3
    assert (
        writer.num_bytes
        == (tmp_path / "s").stat().st_size
        == sum(frame_size(len(record)) for record in records)
    )
    assert (tmp_path / "s").read_bytes() == b"".join(map(tfrecord.frame, records))


def test_a_record_in_pieces_is_the_record(tmp_path):
    pieces = [b"", b"one", b"x" * 200_000, *(b"%d" % number for number in range(3000))]
    with ShardWriter(tmp_path / "s") as writer:
        offsets = [writer.write(b"0"), writer.write(*pieces), writer.write()]
    records = [b"0", b"".join(pieces), b""]
    assert tfrecord.read_frames(tmp_path / "s") == list(zip(offsets, records, strict=True))
    assert writer.sha256 == hashlib.sha256((tmp_path / "s").read_bytes()).hexdigest()


def test_many_small_records(tmp_path):
    records = [b"%d" % number for number in range(20_000)]
    with ShardWriter(tmp_path / "s") as writer:
        for record in records:
            writer.write(record)
    assert [record for _, record in tfrecord.read_frames(tmp_path / "s")] == records


@pytest.mark.parametrize("changeable", [bytearray(b"one"), memoryview(bytearray(b"one"))])
def test_a_buffer_that_could_change_before_it_is_written_is_refused(tmp_path, changeable):
    with (
        pytest.raises(TypeError, match="read-only bytes-like object"),
        ShardWriter(tmp_path / "s") as writer,
    ):
        writer.write(changeable)
    assert not list(tmp_path.iterdir())


def test_tensorflow_reads_the_shard(tmp_path):
    with ShardWriter(tmp_path / "s") as writer:
        writer.write(b"one")
        writer.write(b"two")
    read = tf.data.TFRecordDataset(str(tmp_path / "s")).as_numpy_iterator()
    assert list(read) == [b"one", b"two"]


def test_a_shard_without_records_is_an_empty_file(tmp_path):
    with ShardWriter(tmp_path / "s"):
        pass
    assert (tmp_path / "s").read_bytes() == b""


def test_the_shard_appears_only_when_the_block_ends_well(tmp_path):
    with pytest.raises(RuntimeError, match="stop"), ShardWriter(tmp_path / "s") as writer:
        writer.write(b"one")
        assert not (tmp_path / "s").exists()
        raise RuntimeError("stop")
    assert list(tmp_path.iterdir()) == []


def test_writing_outside_the_block_is_an_error(tmp_path):
    with pytest.raises(ValueError, match="only inside its `with` block"):
        ShardWriter(tmp_path / "s").write(b"one")
    with ShardWriter(tmp_path / "s") as writer:
        pass
    with pytest.raises(ValueError, match="only inside its `with` block"):
        writer.write(b"one")


def test_a_folder_that_does_not_exist(tmp_path):
    with pytest.raises(OSError, match=r"cannot write the shard .*/none/s: No such file"):
        ShardWriter(tmp_path / "none" / "s").__enter__()


FULL_DISK = """
import os, resource, sys
from landmarks_tf.records import ShardWriter
# Writes past this size fail, as on a full disk (Python ignores the signal that comes with it).
resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
for count in (4, 30):
    try:
        with ShardWriter(sys.argv[1] + "/s") as writer:
            for _ in range(count):
                writer.write(b"x" * 4990)
        print("written")
    except OSError as error:
        print(error)
    print(os.listdir(sys.argv[1]))
"""


def test_a_full_disk_is_an_error_and_leaves_nothing(tmp_path):
    # 4 records (20,024 bytes) fail only when the buffer is flushed at the end, 30 on the way.
    done = subprocess.run(
        [sys.executable, "-c", FULL_DISK, tmp_path], capture_output=True, text=True, check=True
    )
    failed = f"cannot write the shard {tmp_path}/s: File too large"
    assert done.stdout.splitlines() == [failed, "[]", failed, "[]"]
