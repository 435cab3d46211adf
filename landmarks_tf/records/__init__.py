"""The record format: DELF's TFRecord shards, with a manifest and a byte-offset index beside them.

A records folder holds, for each split, the shards `train-00000-of-00128` ..., `train.index.npy`
(one row a record) and `train.manifest.json`, which is written last and marks the split complete.
"""

from landmarks_tf.records.example import (
    encode_example,
    encode_example_parts,
    parse_example,
    parse_features,
)
from landmarks_tf.records.files import replacing, sha256_of_file, write_text
from landmarks_tf.records.frames import DamagedRecordError, read_frame, read_frames
from landmarks_tf.records.index import INDEX_DTYPE, RecordIndex, index_rows, save_index
from landmarks_tf.records.manifest import (
    FORMAT_VERSION,
    Manifest,
    RecordsError,
    ShardInfo,
    list_splits,
)
from landmarks_tf.records.shards import ShardWriter, frame_size, shard_name, split_of_shard
from landmarks_tf.records.wire import NotAnExampleError, decode_features

__all__ = [
    "FORMAT_VERSION",
    "INDEX_DTYPE",
    "DamagedRecordError",
    "Manifest",
    "NotAnExampleError",
    "RecordIndex",
    "RecordsError",
    "ShardInfo",
    "ShardWriter",
    "decode_features",
    "encode_example",
    "encode_example_parts",
    "frame_size",
    "index_rows",
    "list_splits",
    "parse_example",
    "parse_features",
    "read_frame",
    "read_frames",
    "replacing",
    "save_index",
    "sha256_of_file",
    "shard_name",
    "split_of_shard",
    "write_text",
]
