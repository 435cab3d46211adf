from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from landmarks_tf.records import INDEX_DTYPE, Manifest, encode_example
from tests.reference.gldv2 import picture
from tfrecords_tools.record_check import check_record

ID = "0123456789abcdef"
MANIFEST = Manifest("train", 1, 3, (), "", "", "", {})
UNLABELLED = Manifest("index", 1, None, (), "", "", None, {})


def _row(label=2, image_id=ID):
    return np.array([(0, 0, label, image_id.encode())], INDEX_DTYPE)[0]


def _record(label=2, **changes):
    values = {"image_bytes": picture("a"), "image_id": ID, "height": 16, "width": 24}
    values |= changes
    return encode_example(values.pop("image_bytes"), label=label, **values)


def _edited(edit) -> bytes:
    example = tf.train.Example.FromString(_record())
    edit(example.features.feature)
    return example.SerializeToString()


def test_a_good_record():
    assert check_record(_record(), _row(), MANIFEST) == []
    assert check_record(_record(), None, MANIFEST) == []
    assert check_record(_record(label=None), _row(label=-1), UNLABELLED) == []
    png = _record(image_bytes=picture("a", mode="P", fmt="PNG"), image_format="PNG")
    assert check_record(png, _row(), MANIFEST) == []


@pytest.mark.parametrize(
    ("record", "problem"),
    [
        (b"\x07garbage", "not a tf.train.Example"),
        (_record(label=1), "label 1, the side-car says 2"),
        (_record(label=None), "no feature image/class/label"),
        (_record(image_id="f" * 16), f"id {'f' * 16}, the side-car says {ID}"),
        (_record(height=17), "the image is 16 x 24 pixels, the record says (17, 24)"),
        (_record(image_format="PNG"), "image/format is PNG, the bytes are JPEG"),
        (_edited(lambda f: f.pop("image/id")), "no feature image/id"),
        (
            _edited(lambda f: f["image/filename"].bytes_list.value.append(b"x")),
            "unexpected feature image/filename",
        ),
        (
            _edited(lambda f: f["image/height"].bytes_list.value.append(b"16")),
            "feature image/height is not a int64_list of one value",
        ),
        (
            _edited(lambda f: f["image/width"].int64_list.value.append(3)),
            "feature image/width is not a int64_list of one value",
        ),
        (_edited(lambda f: f["image/id"].Clear()), "feature image/id is not a bytes_list of one"),
        (
            _edited(lambda f: f["image/colorspace"].bytes_list.value.__setitem__(0, b"CMYK")),
            "image/colorspace is b'CMYK', expected b'RGB'",
        ),
        (
            _edited(lambda f: f["image/channels"].int64_list.value.__setitem__(0, 1)),
            "image/channels is 1, expected 3",
        ),
        (
            _record(image_bytes=picture("a")[:200]),
            "the image does not decode: truncated: ",
        ),
    ],
)
def test_what_is_wrong_is_told(record, problem):
    (found,) = check_record(record, _row(), MANIFEST)
    assert found.startswith(problem)


def test_a_label_out_of_range():
    found = check_record(_record(label=3), _row(label=3), MANIFEST)
    assert found == ["label 3, the manifest says 3 classes"]


def test_a_label_where_there_should_be_none():
    assert check_record(_record(label=0), _row(label=-1), UNLABELLED) == [
        "unexpected feature image/class/label"
    ]
