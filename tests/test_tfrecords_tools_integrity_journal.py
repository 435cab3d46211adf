from __future__ import annotations

import os
import shutil
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tfrecords_tools.integrity.journal import Journal, stamp_of


def status(size, mtime_ns, ino=1, ctime_ns=1):
    return SimpleNamespace(st_size=size, st_mtime_ns=mtime_ns, st_ino=ino, st_ctime_ns=ctime_ns)


def row(image_id, size, mtime_ns, traits):
    return image_id, stamp_of(status(size, mtime_ns)), traits


@pytest.fixture
def path(tmp_path):
    return tmp_path / "state" / "train.journal"


def write(path, *batches, again=False):
    journal = Journal(path, again=again)
    for batch in batches:
        journal.note(batch)
    journal.close()


def test_what_was_noted_is_known_by_its_stamp(path):
    write(path, [row(b"abc", 10, 20, 3)], [row(b"def", 11, 21, 0), row(b"aaa", 12, 22, 1)])
    journal = Journal(path)
    assert len(journal) == 3
    assert journal.known(b"abc", status(10, 20)) == 3
    assert journal.known(b"def", status(11, 21)) == 0
    for image_id, size, mtime_ns in ((b"abc", 9, 20), (b"abc", 10, 19), (b"zzz", 1, 1)):
        assert journal.known(image_id, status(size, mtime_ns)) is None


def test_the_last_note_counts(path):
    write(path, [row(b"abc", 10, 20, 3)])
    write(path, [row(b"abc", 11, 30, 4)])
    assert Journal(path).known(b"abc", status(10, 20)) is None
    assert Journal(path).known(b"abc", status(11, 30)) == 4


def test_again_forgets(path):
    write(path, [row(b"abc", 10, 20, 3)])
    assert len(Journal(path, again=True)) == 0


def test_no_journal_remembers_nothing():
    journal = Journal(None)
    journal.note([row(b"abc", 1, 2, 3)])
    journal.close()
    assert journal.known(b"abc", status(1, 2)) is None


def test_cut_anywhere_it_believes_only_whole_lines_and_goes_on(path):
    """A kill or a full disk may end the file at any byte."""
    batches = [[row(b"abc", 10, 20, 3)], [row(b"def", 11, 21, 0)]]
    write(path, *batches)
    whole = path.read_bytes()
    lines = whole.splitlines(keepends=True)
    for cut in range(len(whole)):
        path.write_bytes(whole[:cut])
        complete = sum(cut >= len(b"".join(lines[: n + 2])) - 1 for n in range(2))
        assert len(Journal(path)) == complete
        write(path, [row(b"xyz", 1, 1, 1)])
        assert len(Journal(path)) == complete + 1


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_a_changed_byte_never_makes_a_picture_good(tmp_path_factory, data):
    path = tmp_path_factory.getbasetemp() / "bits.journal"
    path.unlink(missing_ok=True)
    rows = [row(b"abc", 10, 20, 3), row(b"def", 11, 21, 0)]
    write(path, rows)
    content = bytearray(path.read_bytes())
    first = content.index(b"\n") + 1
    at = data.draw(st.integers(first, len(content) - 2))
    content[at] ^= 1 << data.draw(st.integers(0, 7))
    path.write_bytes(content)
    journal = Journal(path)
    for image_id, size, mtime_ns, traits in ((b"abc", 10, 20, 3), (b"def", 11, 21, 0)):
        assert journal.known(image_id, status(size, mtime_ns)) in (None, traits)
    assert len(journal) in (0, 2)


def test_another_file_is_refused_not_removed(path):
    path.parent.mkdir()
    path.write_text("my thesis\n")
    with pytest.raises(ValueError, match=r"train\.journal is no journal of this version of check"):
        Journal(path)
    assert path.read_text() == "my thesis\n"


def test_a_file_that_changed_in_any_way_is_not_known(path, tmp_path):
    file = tmp_path / "a.jpg"
    file.write_bytes(b"12345")
    before = file.stat()
    write(path, [(b"abc", stamp_of(before), 1)])
    assert Journal(path).known(b"abc", file.stat()) == 1
    times = (before.st_atime_ns, before.st_mtime_ns)
    os.utime(file, ns=(0, before.st_mtime_ns + 1))
    assert Journal(path).known(b"abc", file.stat()) is None
    # Other bytes, as many of them, the time put back: only the inode's own time tells.
    file.write_bytes(b"54321")
    os.utime(file, ns=times)
    assert file.stat().st_mtime_ns == before.st_mtime_ns
    assert Journal(path).known(b"abc", file.stat()) is None
    # Another file, a copy with all times that can be copied.
    write(path, [(b"abc", stamp_of(file.stat()), 1)])
    assert Journal(path).known(b"abc", file.stat()) == 1
    shutil.copy2(file, tmp_path / "b.jpg")
    (tmp_path / "b.jpg").replace(file)
    assert Journal(path).known(b"abc", file.stat()) is None


def test_each_part_of_a_status_makes_another_stamp():
    parts = {"size": 5, "mtime_ns": 6, "ino": 7, "ctime_ns": 8}
    stamps = {stamp_of(status(**parts | {name: 9})) for name in parts} | {stamp_of(status(**parts))}
    assert len(stamps) == 5
    assert all(0 < stamp < 2**64 for stamp in stamps)


def test_stamps_of_many_ids_are_those_that_were_noted(path):
    generator = np.random.default_rng(0)
    ids = np.array([f"{number:016x}" for number in generator.permutation(250_000)], "S16")
    stamps = generator.integers(1, 2**64, len(ids), np.uint64)
    half = len(ids) // 2
    noted = list(zip(ids[:half].tolist(), stamps[:half].tolist(), [0] * half, strict=True))
    write(path, *(noted[first : first + 64] for first in range(0, half, 64)))
    order = generator.permutation(len(ids))
    expected = np.where(order < half, stamps[order], 0)
    assert Journal(path).stamps(ids[order]).tolist() == expected.tolist()
    assert Journal(path).stamps(ids[:0]).tolist() == []
    assert Journal(None).stamps(ids[:2]).tolist() == [0, 0]


def test_the_journal_of_another_folder_is_refused(path, tmp_path):
    for name in ("here", "there"):
        (tmp_path / name).mkdir()
    journal = Journal(path, tmp_path / "here")
    journal.note([row(b"abc", 10, 20, 3)])
    journal.close()
    whole = path.read_bytes()
    with pytest.raises(ValueError, match=r"train\.journal is the journal of another folder than "):
        Journal(path, tmp_path / "there")
    with pytest.raises(ValueError, match="is no journal of this version of check"):
        Journal(path)
    assert path.read_bytes() == whole
    (tmp_path / "here").rename(tmp_path / "moved")  # the same folder
    assert len(Journal(path, tmp_path / "moved")) == 1
    assert len(Journal(path, tmp_path / "there", again=True)) == 0


@pytest.mark.parametrize(
    "line", ["good images, format 1\n", "good images, format 3, of folder 1\n"]
)
def test_the_journal_of_another_version_is_refused(path, tmp_path, line):
    path.parent.mkdir()
    path.write_text(line)
    with pytest.raises(ValueError, match="is no journal of this version of check"):
        Journal(path, tmp_path)
