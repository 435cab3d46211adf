from __future__ import annotations

import pytest

from tests.reference import gldv2, gldv2_tables
from tests.unprivileged import locked, public_folder
from tfrecords_tools.integrity.files import file_problems, find_files
from tfrecords_tools.integrity.tables import read_tables


@pytest.fixture
def raw(tmp_path):
    gldv2_tables.write_whole(tmp_path)
    return tmp_path


def test_a_whole_folder(raw):
    tables = read_tables(raw)
    for split, number in (("train", 9), ("index", 4), ("test", 3)):
        found = find_files(tables, split)
        assert (len(found.listed), len(found.present)) == (number, number)
        assert file_problems(found) == []


def test_missing_files_and_files_of_nobody(raw):
    clean, other = gldv2.image_id("train 9 0"), gldv2.image_id("extra 33 0")
    for name in (clean, other):
        gldv2.image_path(raw, "train", name).unlink()
    gldv2.put(raw, "train", "0123456789abcdef", b"")
    found = find_files(read_tables(raw), "train")
    assert sorted(found.absent.tolist()) == sorted([clean.encode(), other.encode()])
    assert found.not_listed.tolist() == [b"0123456789abcdef"]
    assert found.clean_absent == 1
    assert file_problems(found) == ["2 of 9 listed images of train have no file (1 of them clean)"]


def test_a_split_without_its_folder(raw):
    for path in sorted((raw / "index").rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    (raw / "index").rmdir()
    tables = read_tables(raw)
    assert find_files(tables, "index") is None
    assert tables.problems == [
        f"there is no folder {raw / 'index'} for the 4 listed images of index"
    ]


def test_a_split_that_nobody_speaks_of(tmp_path):
    gldv2.write_folder(tmp_path, {7: 2})
    tables = read_tables(tmp_path)
    assert find_files(tables, "test") is None
    assert tables.problems == []


def test_kaggles_index_is_what_lies_there(tmp_path):
    gldv2_tables.write_kaggle(tmp_path, index=True)
    found = find_files(read_tables(tmp_path), "index")
    assert len(found.listed) == len(found.present) == 4
    assert len(found.not_listed) == 0


def test_an_empty_folder_without_a_list_is_told(tmp_path):
    gldv2_tables.write_kaggle(tmp_path)
    (tmp_path / "index").mkdir()
    assert file_problems(find_files(read_tables(tmp_path), "index")) == [
        "index lists no image and has none"
    ]


def test_a_link_that_leads_to_itself_is_named_and_survived(raw):
    loop = raw / "train" / "z"
    loop.symlink_to("z")
    (raw / "train" / "y").symlink_to(".")  # comes to an end, as images lie three folders down
    found = find_files(read_tables(raw), "train")
    assert len(found.present) == 9
    assert [path for path, _ in found.unreadable if path.endswith("/train/z")] == [str(loop)]
    (problem,) = file_problems(found)
    assert "folder(s) of train cannot be read" in problem
    assert "Too many levels of symbolic links" in problem


def test_a_folder_that_may_not_be_read():
    with public_folder() as raw:
        gldv2_tables.write_whole(raw)
        tables = read_tables(raw)
        folder = gldv2.image_path(raw, "train", gldv2.image_id("train 7 0")).parent
        with locked(folder):
            found = find_files(tables, "train")
    assert found.unreadable == [(str(folder), "Permission denied")]
    assert file_problems(found)[0].startswith("1 of 9 listed images of train have no file")
    assert file_problems(found)[1] == (
        f"1 folder(s) of train cannot be read, such as {folder}: Permission denied"
    )
