"""Files that appear complete or not at all."""

from __future__ import annotations

import pytest

from tfrecords_tools.demo.files import TEMPORARY_SUFFIX, write_whole


def test_content_is_written_and_replaced(tmp_path):
    path = tmp_path / "a.csv"
    write_whole(path, b"one")
    write_whole(path, b"two")
    assert path.read_bytes() == b"two"
    assert [p.name for p in tmp_path.iterdir()] == ["a.csv"]


def test_an_interrupted_write_leaves_the_old_file_and_no_other(tmp_path, monkeypatch):
    path = tmp_path / "a.csv"
    path.write_bytes(b"old")

    def stop(self, target):
        assert self.name.endswith(TEMPORARY_SUFFIX)
        assert self.parent == path.parent
        raise KeyboardInterrupt

    monkeypatch.setattr(type(path), "replace", stop)
    with pytest.raises(KeyboardInterrupt):
        write_whole(path, b"new")
    assert path.read_bytes() == b"old"
    assert [p.name for p in tmp_path.iterdir()] == ["a.csv"]
