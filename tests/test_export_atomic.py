"""Files that are whole or absent."""

from __future__ import annotations

import pytest

from landmarks_tf.export.atomic import replacing, scratch_path


def test_a_clean_exit_replaces_the_file_and_leaves_nothing_else(tmp_path):
    path = tmp_path / "new" / "file.txt"
    for text in ("first", "second"):
        with replacing(path) as scratch:
            scratch.write_text(text)
            assert not path.exists() or path.read_text() == "first"
        assert path.read_text() == text
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize("interruption", [ValueError, KeyboardInterrupt])
def test_an_interruption_keeps_what_was_there(tmp_path, interruption):
    path = tmp_path / "file.txt"
    path.write_text("before")
    with pytest.raises(interruption), replacing(path) as scratch:
        scratch.write_text("half")
        raise interruption
    assert path.read_text() == "before"
    assert list(tmp_path.iterdir()) == [path]


def test_a_block_that_writes_nothing_is_an_error_and_keeps_the_old_file(tmp_path):
    path = tmp_path / "file.txt"
    path.write_text("before")
    with pytest.raises(FileNotFoundError), replacing(path):
        pass
    assert path.read_text() == "before"


def test_scratch_names_differ_and_lie_beside(tmp_path):
    names = {scratch_path(tmp_path / "model") for _ in range(50)}
    assert len(names) == 50
    assert {name.parent for name in names} == {tmp_path}
