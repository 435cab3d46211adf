from __future__ import annotations

import pytest

from landmarks_tf.records import replacing, sha256_of_file, write_text


def test_replacing_puts_the_file_in_place_at_the_end(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("old")
    with replacing(path) as temporary:
        temporary.write_text("new")
        assert path.read_text() == "old"
        assert temporary.parent == tmp_path  # a rename across file systems would copy
    assert path.read_text() == "new"
    assert [path.name for path in tmp_path.iterdir()] == ["a.txt"]


def test_an_error_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("old")
    with pytest.raises(KeyboardInterrupt), replacing(path) as temporary:
        temporary.write_text("half")
        raise KeyboardInterrupt
    assert path.read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["a.txt"]


def test_write_text_keeps_line_ends_and_utf8(tmp_path):
    write_text(tmp_path / "a.csv", "id\nTrdelník\r\n")
    assert (tmp_path / "a.csv").read_bytes() == b"id\nTrdeln\xc3\xadk\r\n"


def test_sha256_of_a_known_message(tmp_path):
    # FIPS 180-2, appendix B.1
    (tmp_path / "a").write_bytes(b"abc")
    assert sha256_of_file(tmp_path / "a") == (
        "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    )
