"""`python -m tfrecords_tools` with a file system of Beam's for tests: shelf://a/b is SHELF/a/b.

    SHELF=FOLDER python -m tests.beam_shelf convert --raw shelf://raw --out shelf://out ...

It has names and no folders, as object stores, and will not rename over a file, as HDFS. Where
SHELF_KILLS names a file, the process dies by SIGKILL when that file is to be written; where
SHELF_FULL does, the disk is full.
"""

from __future__ import annotations

import errno
import os
import signal
import sys
from pathlib import Path

from apache_beam.io.filesystem import BeamIOError, FileMetadata, FileSystem

from tfrecords_tools.__main__ import main

SCHEME = "shelf://"


class ShelfFileSystem(FileSystem):
    """Files below the folder SHELF of the environment."""

    @classmethod
    def scheme(cls):
        return "shelf"

    def join(self, basepath, *paths):
        return "/".join([basepath.rstrip("/"), *paths])

    def split(self, path):
        head, _, tail = path.rpartition("/")
        return head, tail

    def mkdirs(self, path):
        pass

    def has_dirs(self):
        return False

    def _list(self, dir_or_prefix):
        root = _place(SCHEME)
        for path in sorted(path for path in root.rglob("*") if path.is_file()):
            name = SCHEME + str(path.relative_to(root))
            if name.startswith(dir_or_prefix):
                yield FileMetadata(name, path.stat().st_size)

    def create(self, path, mime_type=None, compression_type=None):
        if os.environ["SHELF_KILLS"] in path:
            os.kill(os.getpid(), signal.SIGKILL)
        if os.environ["SHELF_FULL"] in path:
            raise OSError(errno.ENOSPC, "No space left on device", path)
        _place(path).parent.mkdir(parents=True, exist_ok=True)
        return _place(path).open("wb")

    def open(self, path, mime_type=None, compression_type=None):
        return _place(path).open("rb")

    def copy(self, source_file_names, destination_file_names):
        raise NotImplementedError

    def rename(self, source_file_names, destination_file_names):
        for source, target in zip(source_file_names, destination_file_names, strict=True):
            if _place(target).exists():
                raise BeamIOError(f"{target} is there already")
            _place(source).rename(_place(target))

    def exists(self, path):
        return _place(path).is_file()

    def size(self, path):
        return _place(path).stat().st_size

    def last_updated(self, path):
        return _place(path).stat().st_mtime

    def metadata(self, path):
        return FileMetadata(path, self.size(path), self.last_updated(path))

    def delete(self, paths):
        for path in paths:
            _place(path).unlink()


def _place(url: str) -> Path:
    return Path(os.environ["SHELF"], url.removeprefix(SCHEME))


if __name__ == "__main__":
    sys.exit(main())
