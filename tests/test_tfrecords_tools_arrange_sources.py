from __future__ import annotations

import hashlib
import os

import pytest

from tests.unprivileged import locked, public_folder
from tfrecords_tools.arrange.sources import OwnPicture, read_source
from tfrecords_tools.tables import RawFolderError


def touch(root, *names):
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


def found(path):
    return [(picture.name, picture.label) for picture in read_source(path).pictures]


def test_a_folder_a_class_at_any_depth(tmp_path):
    touch(tmp_path, "Notre Dame/a.jpg", "Notre Dame/2019/x/b.JPEG", "tower/c.png", "tower/d.txt")
    touch(tmp_path, "loose.jpg", ".hidden/e.jpg", "tower/._c.png", "tower/f.gif", "README.md")
    source = read_source(tmp_path)
    assert [(p.name, p.label) for p in source.pictures] == [
        ("Notre Dame/2019/x/b.JPEG", "Notre Dame"),
        ("Notre Dame/a.jpg", "Notre Dame"),
        ("tower/c.png", "tower"),
    ]
    assert [p.path for p in source.pictures] == [str(tmp_path / p.name) for p in source.pictures]
    assert source.ignored == {
        "picture(s) in no class folder": 1,
        "file(s) not .jpg/.jpeg/.png": 3,
    }


def test_an_id_is_a_hash_of_the_relative_path_alone(tmp_path):
    name = "Tour Eiffel, (été)/a.jpg"
    expected = hashlib.sha256(name.encode("utf-8")).hexdigest()[:16]
    for root in (tmp_path / "one", tmp_path / "two"):
        touch(root, name, "b/b.jpg")
        (picture,) = [p for p in read_source(root).pictures if p.name == name]
        assert picture.id == expected
    assert OwnPicture("/elsewhere", name, "another label").id == expected


def test_names_of_any_bytes(tmp_path):
    odd = [b"new\nline", b'comma, "quote"', b"\xff\xfe latin \xe9", "名所".encode()]
    for name in odd:
        touch(tmp_path, os.fsdecode(name + b"/\xe9.jpg"))
    pictures = read_source(tmp_path).pictures
    assert sorted(os.fsencode(p.label) for p in pictures) == sorted(odd)
    for picture in pictures:
        raw_name = os.fsencode(picture.label) + b"/\xe9.jpg"
        assert picture.id == hashlib.sha256(raw_name).hexdigest()[:16]


def test_links_are_followed_and_loops_come_to_an_end(tmp_path):
    elsewhere = tmp_path / "elsewhere"
    root = tmp_path / "photos"
    touch(elsewhere, "deep/a.jpg")
    touch(root, "castle/b.jpg", "tower/c.jpg")
    (root / "castle" / "more").symlink_to(elsewhere)
    (elsewhere / "deep" / "loop").symlink_to(root / "castle")
    (root / "castle" / "up").symlink_to("..")
    (root / "castle" / "self.jpg").symlink_to("self.jpg")
    (root / "tower" / "self").symlink_to("self")
    source = read_source(root)
    assert [p.name for p in source.pictures] == [
        "castle/b.jpg",
        "castle/more/deep/a.jpg",
        "castle/self.jpg",  # told later, as a file that cannot be read
        "tower/c.jpg",
    ]
    assert source.ignored == {
        "folder(s) that are links to folders read already": 2,
        "file(s) not .jpg/.jpeg/.png": 1,
    }


def test_a_folder_that_may_not_be_read_is_named():
    with public_folder() as root:
        touch(root, "castle/a.jpg", "castle/locked/b.jpg", "tower/c.jpg")
        with locked(root / "castle" / "locked"):
            source = read_source(root)
    assert source.unreadable == [("castle/locked", "castle", "unreadable: Permission denied")]
    assert len(source.pictures) == 2


def test_a_table(tmp_path):
    path = tmp_path / "list.csv"
    path.write_text(
        'label,path,note\n"Rome, ""old"" town",b/../a.jpg,x\nParis,/abs/é.jpg,\n'
        'Paris,"with, comma.jpg",\n',
        encoding="utf-8-sig",
    )
    source = read_source(path)
    assert [(p.name, p.label, p.split) for p in source.pictures] == [
        ("/abs/é.jpg", "Paris", None),
        ("a.jpg", 'Rome, "old" town', None),
        ("with, comma.jpg", "Paris", None),
    ]
    assert source.pictures[0].path == "/abs/é.jpg"
    assert source.pictures[2].path == str(tmp_path / "with, comma.jpg")
    assert source.root == tmp_path


def test_a_table_with_its_own_splits_and_bytes_that_are_no_utf8(tmp_path):
    path = tmp_path / "list.csv"
    path.write_bytes(b"path,label,split\na\xe9.jpg,x,train\nb.jpg,y,test\n")
    pictures = read_source(path).pictures
    assert [p.split for p in pictures] == ["train", "test"]
    assert os.fsencode(pictures[0].path).endswith(b"/a\xe9.jpg")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("file,label\na.jpg,x\n", r"has no column path: expected the columns path, label, found"),
        ("path;label\na.jpg;x\n", r"has no column path, label: .* found 'path;label'"),
        ("path,label\na.jpg,Rome, old\n", r"line 2: 3 fields, the header has 2"),
        ("path,label\na.jpg,\n", r"line 2: path and label are both needed, found 'a.jpg' and ''"),
        ("path,label\n,x\n", r"line 2: path and label are both needed"),
        ("path,label\na.jpg,x\nb.jpg,x\n./a.jpg,y\n", r"line 4: 'a.jpg' is listed in line 2"),
        ("path,label,split\na.jpg,x,val\n", r"line 2: split is one of train, index, test, found"),
        ("path,label\n", r"lists no picture"),
        ('path,label\n"a.jpg,x\n', r"line 2: unexpected end of data"),
    ],
)
def test_a_table_that_is_wrong(tmp_path, text, message):
    path = tmp_path / "list.csv"
    path.write_text(text)
    with pytest.raises(RawFolderError, match=message):
        read_source(path)


def test_folders_that_are_no_classes(tmp_path):
    with pytest.raises(RawFolderError, match=r"there is no .*/none: --pictures is a folder with"):
        read_source(tmp_path / "none")
    with pytest.raises(RawFolderError, match=r"has no folders: expected one folder a class"):
        read_source(tmp_path)
    (tmp_path / "castle").mkdir()
    with pytest.raises(RawFolderError, match=r"holds no pictures in class folders: .* found 1"):
        read_source(tmp_path)
    parts = tmp_path / "parts"
    touch(parts, "train/castle/a.jpg", "Val/castle/b.jpg")
    with pytest.raises(RawFolderError, match=r"called Val, train: these are parts of a data set"):
        read_source(parts)
    touch(tmp_path, "train.csv")
    with pytest.raises(RawFolderError, match=r"holds a train\.csv: it is laid out as GLDv2"):
        read_source(tmp_path)
