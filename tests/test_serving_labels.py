"""Names of landmarks from GLDv2's files, uncut."""

from __future__ import annotations

import pytest

from landmarks_tf.serving.labels import landmark_name, read_labels


@pytest.mark.parametrize(
    ("category", "name"),
    [
        ("http://commons.wikimedia.org/wiki/Category:Paris_Notre_Dame", "Paris Notre Dame"),
        ("http://commons.wikimedia.org/wiki/Category:Pont_d%27Avignon", "Pont d'Avignon"),
        ("https://commons.wikimedia.org/wiki/Category:Rome,_Forum:_Arch", "Rome, Forum: Arch"),
        ("http://commons.wikimedia.org/wiki/Category:%E6%97%A5%E6%9C%AC%E6%A9%8B", "日本橋"),
        ("Just_a_name", "Just a name"),
    ],
)
def test_landmark_name(category, name):
    assert landmark_name(category) == name


def test_labels_join_the_two_files(tmp_path):
    images, names = tmp_path / "images.csv", tmp_path / "names.csv"
    images.write_text("\ufeffid,landmark_id\naa,7\nbb,8\ncc,7\n", encoding="utf-8")
    names.write_text(
        'landmark_id,category\n7,"http://commons.wikimedia.org/wiki/Category:A,_B"\n',
        encoding="utf-8",
    )
    assert read_labels(images, names) == {"aa": "A, B", "bb": "8", "cc": "A, B"}
    assert read_labels(images) == {"aa": "7", "bb": "8", "cc": "7"}
    names.write_bytes(b"landmark_id,category\n7,Caf\xe9\n8,B\n")  # a stray encoding in a name
    assert read_labels(images, names) == {"aa": "Caf\ufffd", "bb": "B", "cc": "Caf\ufffd"}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"id,landmark\naa,7\n", "expected the columns id, landmark_id; landmark_id not found"),
        (b"", "landmark_id not found"),
        (b"id,landmark_id\naa,7\nbb\n", "line 3: a value is missing"),
        (b"id,landmark_id\na\xff,7\n", "is not UTF-8 text"),
    ],
)
def test_refusals(tmp_path, content, message):
    (tmp_path / "a.csv").write_bytes(content)
    with pytest.raises(ValueError, match=message):
        read_labels(tmp_path / "a.csv")
