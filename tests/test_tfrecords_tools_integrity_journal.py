from __future__ import annotations

import os
from types import SimpleNamespace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tfrecords_tools.integrity.journal import Journal


def status(size, mtime_ns):
    return SimpleNamespace(st_size=size, st_mtime_ns=mtime_ns)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "state" / "train.journal"


def write(path, *batches, again=False):
    journal = Journal(path, again=again)
    for batch in batches:
        journal.note(batch)
    journal.close()


def test_what_was_noted_is_known_by_size_and_time(path):
    write(path, [(b"abc", 10, 20, 3)], [(b"def", 11, 21, 0), (b"aaa", 12, 22, 1)])
    journal = Journal(path)
    assert len(journal) == 3
    assert journal.known(b"abc", status(10, 20)) == 3
    assert journal.known(b"def", status(11, 21)) == 0
    for image_id, size, mtime_ns in ((b"abc", 9, 20), (b"abc", 10, 19), (b"zzz", 1, 1)):
        assert journal.known(image_id, status(size, mtime_ns)) is None


def test_the_last_note_counts(path):
    write(path, [(b"abc", 10, 20, 3)])
    write(path, [(b"abc", 11, 30, 4)])
    assert Journal(path).known(b"abc", status(10, 20)) is None
    assert Journal(path).known(b"abc", status(11, 30)) == 4


def test_again_forgets(path):
    write(path, [(b"abc", 10, 20, 3)])
    assert len(Journal(path, again=True)) == 0


def test_no_journal_remembers_nothing():
    journal = Journal(None)
    journal.note([(b"abc", 1, 2, 3)])
    journal.close()
    assert journal.known(b"abc", status(1, 2)) is None


def test_cut_anywhere_it_believes_only_whole_lines_and_goes_on(path):
    """A kill or a full disk may end the file at any byte."""
    batches = [[(b"abc", 10, 20, 3)], [(b"def", 11, 21, 0)]]
    write(path, *batches)
    whole = path.read_bytes()
    lines = whole.splitlines(keepends=True)
    for cut in range(len(whole)):
        path.write_bytes(whole[:cut])
        complete = sum(cut >= len(b"".join(lines[: n + 2])) - 1 for n in range(2))
        assert len(Journal(path)) == complete
        write(path, [(b"xyz", 1, 1, 1)])
        assert len(Journal(path)) == complete + 1


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_a_changed_byte_never_makes_a_picture_good(tmp_path_factory, data):
    path = tmp_path_factory.getbasetemp() / "bits.journal"
    path.unlink(missing_ok=True)
    rows = [(b"abc", 10, 20, 3), (b"def", 11, 21, 0)]
    write(path, rows)
    content = bytearray(path.read_bytes())
    first = content.index(b"\n") + 1
    at = data.draw(st.integers(first, len(content) - 2))
    content[at] ^= 1 << data.draw(st.integers(0, 7))
    path.write_bytes(content)
    journal = Journal(path)
    for image_id, size, mtime_ns, traits in rows:
        assert journal.known(image_id, status(size, mtime_ns)) in (None, traits)
    assert len(journal) in (0, 2)


def test_another_file_is_refused_not_removed(path):
    path.parent.mkdir()
    path.write_text("my thesis\n")
    with pytest.raises(ValueError, match=r"train\.journal is no journal of this version of check"):
        Journal(path)
    assert path.read_text() == "my thesis\n"


def test_real_times_of_files_fit(path, tmp_path):
    file = tmp_path / "a.jpg"
    file.write_bytes(b"12345")
    found = file.stat()
    write(path, [(b"abc", found.st_size, found.st_mtime_ns, 1)])
    assert Journal(path).known(b"abc", file.stat()) == 1
    os.utime(file, ns=(0, found.st_mtime_ns + 1))
    assert Journal(path).known(b"abc", file.stat()) is None
