"""A file on its way: the bytes that have come, their running MD5, and what they are the start of.

On disk: `<name>.part`, and `<name>.part.json` which tells the version of the file that the server
had. The note is written before the first byte of that version, so that bytes of two versions are
never joined without one of the two being noticed.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable
from pathlib import Path

from landmarks_tf.records import write_text

_PIECE = 2**20


class PartialFile:
    """Opens what an earlier call left of a file, or begins it; use it as a context manager.

    Args:
        target: the name the file gets when it is whole.
        tick: is told how many bytes are there more (or, after a fresh start, fewer).

    Attributes:
        size: bytes that are there.
        validator: the version that they are of, as the server named it; None if it names none.

    Raises:
        OSError: the file cannot be read or made.
    """

    def __init__(self, target: Path, tick: Callable[[int], None] = lambda count: None):
        self.target = target
        self.path = partial_path(target)
        self.size = 0
        self.validator: str | None = None
        self._tick = tick
        self._note = self.path.with_name(f"{self.path.name}.json")
        self._md5 = hashlib.md5(usedforsecurity=False)
        self._stream = self.path.open("ab+", buffering=0)
        try:
            self._take_up()
        except BaseException:
            self._stream.close()
            raise

    def __enter__(self) -> PartialFile:
        return self

    def __exit__(self, *error: object) -> None:
        self._stream.close()
        if not self.size:  # nothing has come, and no empty files are left for people to wonder at
            drop_partial(self.target)

    @property
    def md5(self) -> str:
        """Of the bytes that are there, as 32 hexadecimal digits."""
        return self._md5.hexdigest()

    def append(self, piece: bytes) -> None:
        """Raises OSError when the disk is full, and the like."""
        view = memoryview(piece)
        while view:
            written = self._stream.write(view)
            self._count(view[:written])
            view = view[written:]

    def restart(self) -> None:
        """Throws away what is there."""
        self._stream.truncate(0)
        os.fsync(self._stream.fileno())  # before a note of another version can be there
        self._tick(-self.size)
        self.size = 0
        self._md5 = hashlib.md5(usedforsecurity=False)
        self._describe(None)

    def begin(self, validator: str | None) -> None:
        """Says, before the first byte, which version of the file is going to come."""
        if self.validator != validator:
            self._describe(validator)

    def finish(self) -> None:
        """Gives the whole file its name, once its bytes have reached the disk."""
        os.fsync(self._stream.fileno())
        self.path.replace(self.target)
        self._note.unlink(missing_ok=True)

    def _take_up(self) -> None:
        try:
            self.validator = json.loads(self._note.read_text("utf-8"))["validator"]
        except (FileNotFoundError, ValueError, KeyError, TypeError):
            self.validator = None
        self._stream.seek(0)
        while piece := self._stream.read(_PIECE):
            self._count(piece)

    def _count(self, piece: bytes | memoryview) -> None:
        self._md5.update(piece)
        self.size += len(piece)
        self._tick(len(piece))

    def _describe(self, validator: str | None) -> None:
        self.validator = validator
        write_text(self._note, json.dumps({"validator": validator}) + "\n")


def partial_path(target: Path) -> Path:
    """Where the bytes of a file lie that is not whole yet."""
    return target.with_name(f"{target.name}.part")


def drop_partial(target: Path) -> None:
    """Removes what there is of a file that is not whole."""
    path = partial_path(target)
    path.unlink(missing_ok=True)
    path.with_name(f"{path.name}.json").unlink(missing_ok=True)
