"""Single records as pictures."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from landmarks_tf.data.pictures import read_pictures
from landmarks_tf.records import RecordIndex, RecordsError


def test_pictures_are_the_raw_files_pixels(demo_raw, demo_records):
    index = RecordIndex.open(demo_records, "test")
    rows = [len(index) - 1, 0, 3]
    for row, picture in zip(rows, read_pictures(index, rows), strict=True):
        name = index.id[row].decode()
        raw = demo_raw / "test" / name[0] / name[1] / name[2] / f"{name}.jpg"
        with Image.open(io.BytesIO(raw.read_bytes())) as image:
            expected = np.asarray(image.convert("RGB"))
        assert picture.dtype == np.uint8
        np.testing.assert_array_equal(picture, expected)


def test_a_damaged_shard_is_an_error_for_people(demo_records, tmp_path):
    for path in demo_records.iterdir():
        (tmp_path / path.name).symlink_to(path)
    index = RecordIndex.open(tmp_path, "test")
    shard = tmp_path / sorted(p.name for p in tmp_path.glob("test-0*"))[0]
    content = bytearray(shard.read_bytes())
    content[40] ^= 0xFF
    shard.unlink()
    shard.write_bytes(content)
    with pytest.raises(RecordsError, match=shard.name):
        list(read_pictures(index, [0]))
