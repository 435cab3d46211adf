from __future__ import annotations

import hashlib

import pytest

from tfrecords_tools.download.partial import PartialFile, drop_partial, partial_path


def test_pieces_add_up_over_several_openings(tmp_path):
    target, ticks = tmp_path / "f.tar", []
    with PartialFile(target, ticks.append) as part:
        part.begin('"v1"')
        part.append(b"one ")
        part.append(b"two ")
    with PartialFile(target, ticks.append) as part:
        assert (part.size, part.validator) == (8, '"v1"')
        part.append(b"three")
        assert part.md5 == hashlib.md5(b"one two three").hexdigest()
        part.finish()
    assert target.read_bytes() == b"one two three"
    assert ticks == [4, 4, 8, 5]
    assert [path.name for path in tmp_path.iterdir()] == ["f.tar"]


def test_a_fresh_start_takes_everything_back(tmp_path):
    ticks = []
    with PartialFile(tmp_path / "f", ticks.append) as part:
        part.begin('"v1"')
        part.append(b"old")
        part.restart()
        assert (part.size, part.validator) == (0, None)
        part.begin('"v2"')
        part.append(b"newer")
        assert part.md5 == hashlib.md5(b"newer").hexdigest()
    assert sum(ticks) == 5
    assert partial_path(tmp_path / "f").read_bytes() == b"newer"
    with PartialFile(tmp_path / "f") as part:
        assert part.validator == '"v2"'


@pytest.mark.parametrize("note", ["", "{", "[]", "{}", "null"])
def test_a_note_that_cannot_be_read_is_none(tmp_path, note):
    path = partial_path(tmp_path / "f")
    path.write_bytes(b"abc")
    path.with_name("f.part.json").write_text(note)
    with PartialFile(tmp_path / "f") as part:
        assert (part.size, part.validator) == (3, None)


def test_what_is_dropped_is_gone(tmp_path):
    with PartialFile(tmp_path / "f") as part:
        part.begin('"v1"')
        part.append(b"abc")
    drop_partial(tmp_path / "f")
    drop_partial(tmp_path / "f")
    assert list(tmp_path.iterdir()) == []
