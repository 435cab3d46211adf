"""Our protocol buffers beside the protobuf library's own."""

from __future__ import annotations

import contextlib

import pytest
import tensorflow as tf
from hypothesis import given
from hypothesis import strategies as st

from landmarks_tf.records.wire import (
    NotAnExampleError,
    decode_features,
    encode_features,
    encode_parts,
    varint,
)

# Of one length: among keys of which one begins another, protobuf's own order is not the alphabet's.
KEYS = st.text("abc/_", min_size=3, max_size=3)


def _feature(value):
    if isinstance(value, bytes):
        return tf.train.Feature(bytes_list=tf.train.BytesList(value=[value]))
    return tf.train.Feature(int64_list=tf.train.Int64List(value=[value]))


def _example(features) -> tf.train.Example:
    return tf.train.Example(features=tf.train.Features(feature=features))


def test_varints_of_the_published_description():
    assert (varint(1), varint(150), varint(127)) == (b"\x01", b"\x96\x01", b"\x7f")


@given(st.dictionaries(KEYS, st.binary(max_size=300) | st.integers(0, 2**63 - 1), max_size=5))
def test_encoded_as_protobuf_does(features):
    theirs = _example({key: _feature(value) for key, value in features.items()})
    ours = encode_features(features)
    assert ours == theirs.SerializeToString(deterministic=True)
    assert decode_features(ours) == {key: [value] for key, value in features.items()}


@pytest.mark.parametrize("size", [127, 128, 4095, 4096, 2**14, 2**21 - 1, 2**21, 2**22])
def test_large_values_are_encoded_as_protobuf_does_and_are_not_copied(size):
    large = bytes(size)
    features = {"a": 5, "b": large, "c": b"jpg", "d": large, "e": size}
    theirs = _example({key: _feature(value) for key, value in features.items()})
    parts = encode_parts(features)
    assert b"".join(parts) == theirs.SerializeToString(deterministic=True)
    assert sum(part is large for part in parts) == (2 if size >= 4096 else 0)


@given(
    st.dictionaries(
        KEYS,
        st.lists(st.binary(max_size=200))
        | st.lists(st.integers(-(2**63), 2**63 - 1))
        | st.lists(st.floats(width=32, allow_nan=False)),
        max_size=4,
    )
)
def test_what_protobuf_wrote_is_read(features):
    lists = {}
    for key, values in features.items():
        if values and isinstance(values[0], bytes):
            lists[key] = tf.train.Feature(bytes_list=tf.train.BytesList(value=values))
        elif values and isinstance(values[0], int):
            lists[key] = tf.train.Feature(int64_list=tf.train.Int64List(value=values))
        else:
            lists[key] = tf.train.Feature(float_list=tf.train.FloatList(value=values))
    assert decode_features(_example(lists).SerializeToString()) == features


def test_lists_that_are_not_packed_are_read():
    # Feature a, an int64_list of 5 and 300, each under a tag of its own (wire type 0).
    entry = b"\x0a\x01a" + b"\x12\x07" + b"\x1a\x05" + b"\x08\x05\x08\xac\x02"
    record = b"\x0a" + varint(len(entry) + 2) + b"\x0a" + varint(len(entry)) + entry
    assert tf.train.Example.FromString(record).features.feature["a"].int64_list.value == [5, 300]
    assert decode_features(record) == {"a": [5, 300]}


@given(st.binary(max_size=60))
def test_other_bytes_raise_nothing_else(data):
    with contextlib.suppress(NotAnExampleError):
        decode_features(data)


@pytest.mark.parametrize("value", [-1, 2**63])
def test_numbers_out_of_range(value):
    with pytest.raises(ValueError, match="label must be from 0 to"):
        encode_features({"label": value})


def test_a_record_cut_short():
    record = encode_features({"image/encoded": b"x" * 50})
    for size in range(1, len(record)):
        with pytest.raises(NotAnExampleError):
            decode_features(record[:size])
