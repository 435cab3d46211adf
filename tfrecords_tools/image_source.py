"""Where the workers of a conversion get image bytes from."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Protocol

from tfrecords_tools.images import MAX_FILE_BYTES, read_file
from tfrecords_tools.integrity.journal import stamp_of
from tfrecords_tools.raw import RawFolder, relative_path


class ImageSource(Protocol):
    """The images of one shard; it is sent to the process that writes the shard."""

    def image_bytes(self, image_id: bytes) -> bytes:
        """The bytes of an image.

        Raises:
            BadImageError: this image cannot be read.
            OSError: reading failed for a reason that has nothing to do with this one image.
        """

    def check_still_there(self) -> None:
        """Called after an image failed: a disk that was unplugged is not a million missing images.

        Raises:
            OSError: the whole source went away.
        """


class FolderImages:
    """Images that are files of their own.

    Args:
        raw: the folder.
    """

    def __init__(self, raw: RawFolder):
        self.raw = raw
        self._root = os.fspath(raw.root)

    def image_bytes(self, image_id: bytes) -> bytes:
        path = self._path(image_id)
        return _read_plain_file(path) or read_file(Path(path))  # the latter says what is wrong

    def is_unchanged(self, image_id: bytes, stamp: int) -> bool:
        """Whether the file of an image has this stamp (`integrity.journal.stamp_of`).

        Asked after its bytes were read, it tells that they are those that were proven.
        """
        try:
            return stamp_of(Path(self._path(image_id)).stat()) == stamp
        except OSError:
            return False

    def _path(self, image_id: bytes) -> str:
        return f"{self._root}/{relative_path(self.raw.split, image_id)}"  # a Path costs more

    def check_still_there(self) -> None:
        try:
            if any(self.raw.images.iterdir()):
                return
            reason = "it is empty"
        except OSError as error:
            reason = error.strerror
        raise OSError(
            f"the image folder {self.raw.images} went away during the conversion: {reason}"
        )


def _read_plain_file(path: str) -> bytes | None:
    """The bytes of an ordinary file with three calls of the system; None where it is another."""
    try:
        # Without this flag the opening of a pipe would wait for someone to write.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    except OSError:
        return None
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode) or status.st_size > MAX_FILE_BYTES:
            return None
        data = os.read(descriptor, status.st_size)
        return data if len(data) == status.st_size else None
    except OSError:
        return None
    finally:
        os.close(descriptor)
