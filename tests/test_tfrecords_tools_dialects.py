from __future__ import annotations

import hashlib

import pytest

from landmarks_tf.records import encode_example
from landmarks_tf.records.wire import encode_features
from tfrecords_tools.dialects import (
    DialectError,
    ForeignRecord,
    find_dialect,
    image_id,
    read_record,
)

ID = b"0123456789abcdef"


@pytest.mark.parametrize(
    ("name", "features", "read"),
    [
        (
            "seungkee",
            {"_bits": b"jpg", "_class": 5, "_id": ID, "_isClean": 1},
            ForeignRecord(b"jpg", 5, ID, True),
        ),
        ("seungkee", {"_bits": b"jpg", "_class": 5, "_id": ID}, ForeignRecord(b"jpg", 5, ID, None)),
        (
            "uned",
            {"image_bytes": b"jpg", "class_id": 5, "key": b"train/0/1/2/" + ID + b".jpg"},
            ForeignRecord(b"jpg", 5, b"train/0/1/2/" + ID + b".jpg", None),
        ),
        ("tff", {"image/encoded_jpeg": b"jpg", "class": 5}, ForeignRecord(b"jpg", 5, None, None)),
        ("delf", {"image/encoded": b"jpg"}, ForeignRecord(b"jpg", None, None, None)),
    ],
)
def test_each_dialect(name, features, read):
    record = encode_features(features)
    assert find_dialect(record) == name
    assert read_record(record, name) == read


def test_our_own_records_are_delfs():
    record = encode_example(b"jpg", image_id=ID, height=3, width=4, label=2)
    assert find_dialect(record) == "delf"
    assert read_record(record, "delf") == ForeignRecord(b"jpg", 2, ID, None)


def test_the_id_of_an_image():
    assert image_id(ID, "f", 0) == ID
    assert image_id(b"train/0/1/2/" + ID + b".jpg", "f", 0) == ID
    long = "Église/très longue.jpg".encode()
    assert image_id(long, "f", 0) == hashlib.sha256(long).hexdigest()[:16].encode()
    place = hashlib.sha256(b"train.tfRecord:3").hexdigest()[:16].encode()
    assert image_id(None, "train.tfRecord", 3) == place
    assert image_id(b"", "train.tfRecord", 4) != place


@pytest.mark.parametrize(
    ("record", "message"),
    [
        (encode_features({"image_raw": b"x", "label": 3}), "the record has 'image_raw', 'label'"),
        (encode_features({}), "the record has no keys"),
        (b"\xff\xff\xff", "not a tf.train.Example"),
    ],
)
def test_no_known_dialect(record, message):
    with pytest.raises(DialectError, match=message):
        find_dialect(record)


def test_a_record_of_another_dialect_than_the_others():
    with pytest.raises(DialectError, match="no key '_bits' in a record of dialect seungkee"):
        read_record(encode_features({"image/encoded": b"x"}), "seungkee")
    with pytest.raises(DialectError, match=r"_class holds 1 value.* of type bytes, expected one"):
        read_record(encode_features({"_bits": b"x", "_class": b"5"}), "seungkee")
