from __future__ import annotations

import io

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from landmarks_tf.records import encode_example, encode_example_parts, parse_example, parse_features
from tests.reference.gldv2 import picture

ID = "0123456789abcdef"
# What DELF's reader (googlelandmarks.py) declares, as ../spec/formats.md section 2.1 lists it.
DELF_FEATURES = {
    "image/height": tf.io.FixedLenFeature([], tf.int64, default_value=0),
    "image/width": tf.io.FixedLenFeature([], tf.int64, default_value=0),
    "image/channels": tf.io.FixedLenFeature([], tf.int64, default_value=0),
    "image/format": tf.io.FixedLenFeature([], tf.string, default_value=""),
    "image/id": tf.io.FixedLenFeature([], tf.string, default_value=""),
    "image/filename": tf.io.FixedLenFeature([], tf.string, default_value=""),
    "image/encoded": tf.io.FixedLenFeature([], tf.string, default_value=""),
    "image/class/label": tf.io.FixedLenFeature([], tf.int64, default_value=0),
}


def test_delfs_reader_reads_the_record():
    data = picture("a")
    serialized = encode_example(data, image_id=ID, height=16, width=24, label=5)
    read = tf.io.parse_single_example(serialized, DELF_FEATURES)
    assert {key: value.numpy() for key, value in read.items()} == {
        "image/height": 16,
        "image/width": 24,
        "image/channels": 3,
        "image/format": b"JPEG",
        "image/id": ID.encode(),
        "image/filename": b"",
        "image/encoded": data,
        "image/class/label": 5,
    }


def test_exactly_delfs_keys_are_written():
    keys = {
        "image/encoded",
        "image/height",
        "image/width",
        "image/colorspace",
        "image/channels",
        "image/format",
        "image/id",
    }
    data = picture("a")
    without = tf.train.Example.FromString(encode_example(data, image_id=ID, height=16, width=24))
    assert set(without.features.feature) == keys
    assert without.features.feature["image/colorspace"].bytes_list.value == [b"RGB"]
    with_label = tf.train.Example.FromString(
        encode_example(data, image_id=ID, height=16, width=24, label=0)
    )
    assert set(with_label.features.feature) == keys | {"image/class/label"}


def test_the_pieces_are_the_record_and_hold_the_picture_itself():
    data = picture("a") + bytes(5000)
    described = {"image_id": ID, "height": 16, "width": 24, "label": 5}
    parts = encode_example_parts(data, **described)
    assert b"".join(parts) == encode_example(data, **described)
    assert any(part is data for part in parts)


def test_equal_records_are_equal_bytes():
    records = {encode_example(b"data", image_id=ID, height=1, width=1, label=1) for _ in range(50)}
    assert len(records) == 1


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"image_bytes": b""}, f"image {ID}: the image has no bytes"),
        ({"height": 0}, "at least 1 pixel, got 0 x 2"),
        ({"label": -1}, r"a label is 0 or more \(None means no label\), got -1"),
        ({"image_format": "GIF"}, "must be one of JPEG, PNG, got 'GIF'"),
        ({"image_id": "tr\xe9s"}, "an image id must be ASCII, got 'tr\xe9s'"),
        ({"image_id": b"tr\xe9s"}, "an image id must be ASCII"),
    ],
)
def test_bad_arguments(changes, message):
    good = {"image_bytes": b"x", "image_id": ID, "height": 1, "width": 2}
    arguments = good | changes
    with pytest.raises(ValueError, match=message):
        encode_example(arguments.pop("image_bytes"), **arguments)


def test_parse_features_gives_back_what_was_written():
    serialized = encode_example(b"data", image_id=ID, height=3, width=4, label=2)
    read = {key: value.numpy() for key, value in parse_features(serialized).items()}
    assert read == {"encoded": b"data", "id": ID.encode(), "label": 2, "height": 3, "width": 4}


def test_a_missing_label_is_minus_one_never_class_zero():
    serialized = encode_example(b"data", image_id=ID, height=3, width=4)
    assert parse_features(serialized)["label"] == -1
    assert parse_features(serialized)["label"].dtype == tf.int64


def _example(**features) -> bytes:
    lists = {
        key.replace("__", "/"): tf.train.Feature(bytes_list=tf.train.BytesList(value=[value]))
        for key, value in features.items()
    }
    return tf.train.Example(features=tf.train.Features(feature=lists)).SerializeToString()


def test_only_the_image_itself_must_be_there():
    read = parse_features(_example(image__encoded=b"x", image__filename=b"f.jpg"))
    assert {key: value.numpy() for key, value in read.items()} == {
        "encoded": b"x",
        "id": b"",
        "label": -1,
        "height": 0,
        "width": 0,
    }
    with pytest.raises(tf.errors.InvalidArgumentError, match="image/encoded"):
        parse_features(_example(image__id=b"x"))


def test_parse_example_in_a_graph_and_on_every_kind_of_picture():
    @tf.function(input_signature=[tf.TensorSpec([], tf.string)])
    def parse(serialized):
        read = parse_example(serialized)
        assert read["image"].shape.as_list() == [None, None, 3]
        return read

    for mode, fmt in (("RGB", "JPEG"), ("L", "JPEG"), ("CMYK", "JPEG"), ("P", "PNG"), ("1", "PNG")):
        data = picture(mode, mode=mode, fmt=fmt)
        read = parse(
            encode_example(data, image_id=ID, height=16, width=24, label=1, image_format=fmt)
        )
        expected = np.asarray(Image.open(io.BytesIO(data)).convert("RGB"), np.int16)
        assert read["image"].dtype == tf.uint8
        # The two decoders round their transforms differently; a swapped or inverted channel of
        # this noise would differ by more than 100.
        assert np.abs(read["image"].numpy() - expected).max() <= 8, (mode, fmt)
        assert (read["id"].numpy(), read["label"].numpy()) == (ID.encode(), 1)
