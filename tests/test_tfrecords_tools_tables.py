from __future__ import annotations

import numpy as np
import pytest

from tfrecords_tools.tables import (
    RawFolderError,
    column_names,
    read_attribution,
    read_categories,
    read_clean,
    read_ids,
    read_train,
    some_ids,
)

ID = "0123456789abcdef"
OTHER = "1123456789abcdef"


@pytest.fixture
def csv(tmp_path):
    """Writes a CSV and returns its path."""

    def write(content: str | bytes):
        path = tmp_path / "table.csv"
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return write


def test_read_ids(csv):
    ids = read_ids(csv(f"id\n{OTHER}\n{ID}\n"))
    assert ids.dtype == "S16"
    assert ids.tolist() == [OTHER.encode(), ID.encode()]


def test_read_train_in_any_order_of_columns(csv):
    for content in (
        f"id,url,landmark_id\n{ID},http://a/b,7\n{OTHER},,203093\n",
        f"landmark_id,id\r\n7,{ID}\r\n\r\n203093,{OTHER}",
    ):
        ids, landmarks = read_train(csv(content))
        assert ids.tolist() == [ID.encode(), OTHER.encode()]
        assert landmarks.tolist() == [7, 203093]
        assert landmarks.dtype == np.int64


def test_read_clean_gives_a_row_an_image(csv):
    ids, landmarks = read_clean(csv(f"landmark_id,images\n9,{ID} abc\n4,{OTHER}\n5,\n"))
    assert ids.tolist() == [ID.encode(), b"abc", OTHER.encode()]
    assert landmarks.tolist() == [9, 9, 4]


@pytest.mark.parametrize("header", [b"\xef\xbb\xbfid,url,landmark_id", b'"id","url","landmark_id"'])
def test_a_byte_order_mark_and_quotes_do_no_harm(csv, header):
    _, landmarks = read_train(csv(header + f'\n{ID},"http://a/b,c",70\n'.encode()))
    assert landmarks.tolist() == [70]


@pytest.mark.parametrize("text", ["http://a/Trdeln\xedk".encode("latin-1"), "http://名".encode()])
def test_a_stray_encoding_in_a_column_that_is_not_used(csv, text):
    row = ID.encode() + b"," + text + b",70\n"
    _, landmarks = read_train(csv(b"id,url,landmark_id\n" + row))
    assert landmarks.tolist() == [70]


def test_a_class_of_very_many_images(csv):
    """GLDv2's largest class has more than 10,000 images: a field of 170 kB."""
    names = [f"{i:016x}" for i in range(12_000)]
    ids, landmarks = read_clean(csv(f"landmark_id,images\n5,{' '.join(names)}\n"))
    assert np.array_equal(ids, np.array(names, "S16"))
    assert np.array_equal(landmarks, np.full(12_000, 5))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (
            f"image;label\n{ID};3\n",
            r"has no column id, landmark_id: expected the columns id, landmark_id, "
            r"found 'image;label'",
        ),
        ("id,url,landmark\n", r"no column landmark_id: .* found 'id', 'url', 'landmark'"),
        ("", "no column id, landmark_id: .* found none"),
        (f"id,landmark_id\n{ID},3\n{ID},4\n", rf"names 1 image id\(s\) more than once: {ID}"),
        (f"id,landmark_id\n{ID},3\n../../etc,4\n", r"line 3: an image id is .*'\.\./\.\./etc'"),
        (f"id,landmark_id\n{ID}0,3\n", "line 2: an image id is 3 to 16 ASCII"),
        (f"id,landmark_id\n,3\n{ID},3\n", r"line 2: an image id is .* found ''"),
        ("id,landmark_id\nTrdelník,3\n", r"line 2: an image id is .*'TrdelnÃ\\xadk'"),
        (f"id,landmark_id\n{ID},3.5\n", r"line 2: landmark_id is a whole number .* found '3\.5'"),
        (f"id,landmark_id\n{ID},-1\n", r"line 2: landmark_id .* found '-1'"),
        (f"id,landmark_id\n{ID},\n", r"line 2: landmark_id .* found ''"),
        (f"id,landmark_id\n{OTHER},7\n{ID}", r"line 3: 1 fields, the header has 2"),
        (
            f"id,landmark_id\n{ID},3\n{OTHER},4,5\n",
            r"line 3: 3 fields, the header has 2 \(id, landmark_id\)",
        ),
        # A comma in an URL without quotes would make 4 a label.
        (f"id,url,landmark_id\n{ID},http://a/b,4,3\n", "line 2: 4 fields, the header has 3"),
        (f'id,url,landmark_id\n{ID},"http://a/b,3\n{OTHER},c,4\n', "line 3: unexpected end of"),
        (f"id,landmark_id\r{ID},3\r{ID},4\r", "more than once"),
    ],
)
def test_a_train_csv_that_is_wrong(csv, content, message):
    path = csv(content)
    with pytest.raises(RawFolderError, match=message) as caught:
        read_train(path)
    assert str(caught.value).startswith(str(path))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("id,images\n", "has no column landmark_id"),
        (f"landmark_id,images\n7,{ID} {ID}\n", r"names 1 image id\(s\) more than once"),
        (f"landmark_id,images\n7,{ID}\n7,{OTHER}\n", "line 3: landmark_id 7 has a row already"),
        (f"landmark_id,images\nx,{ID}\n", "line 2: landmark_id is a whole number"),
        (f"landmark_id,images\n7,{ID} x/../y\n", "line 2: an image id is"),
    ],
)
def test_a_clean_csv_that_is_wrong(csv, content, message):
    with pytest.raises(RawFolderError, match=message):
        read_clean(csv(content))


def test_categories_keep_their_bytes(csv):
    path = csv(b'landmark_id,category\n7,"http://a/B, C"\n9,http://a/\xe9\xff\n')
    landmarks, categories = read_categories(path)
    assert landmarks.tolist() == [7, 9]
    assert [name.encode("latin-1") for name in categories] == [
        b"http://a/B, C",
        b"http://a/\xe9\xff",
    ]


def test_odd_rows_of_names_lose_nothing_that_matters(csv):
    path = csv('landmark_id,category\n7,http://a/B, C\n8\n9,"a"b\n')
    landmarks, categories = read_categories(path)
    assert landmarks.tolist() == [7, 9]
    assert categories == ["http://a/B, C", "ab"]
    path = csv(f'id,url,title\n{ID},u,x, y,z\n{OTHER},u,"open\n')
    assert read_attribution(path).tolist() == [ID.encode(), OTHER.encode()]


def test_a_class_has_one_category(csv):
    with pytest.raises(RawFolderError, match=r"has 1 landmark_id.s. with more than one row.* 7;"):
        read_categories(csv("landmark_id,category\n7,a\n8,b\n7,c\n"))


def test_column_names(csv):
    assert column_names(csv('\ufeffid,"landmark_id"\r\nx,7\n')) == ["id", "landmark_id"]
    assert column_names(csv("")) == []


def test_some_ids():
    ids = np.array([b"abc", b"def", b"ghi", b"jkl"], "S16")
    assert some_ids(ids) == "abc, def, ghi, ..."
    assert some_ids(ids[:2]) == "abc, def"
