"""Files that are either whole or not there, and the hashes that tell them apart."""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

from landmarks_tf.records.places import RemotePath, place

TEMP_MARK = ".tmp-"


@contextlib.contextmanager
def replacing(path: str | os.PathLike) -> Iterator[Path]:
    """Yields a temporary path beside `path` which takes its place when the block ends well.

    The temporary file lies in the same folder, so that the last step is a rename within one file
    system; its content reaches the disk (fsync) before the rename. When the block raises, the
    temporary file is removed and `path` stays as it was. A killed process leaves at most a hidden
    file `.<name>.tmp-<pid>` behind.

    Args:
        path: the file to write; its folder must exist.

    Raises:
        OSError: the file cannot be written, flushed or renamed.
    """
    path = Path(path)
    temporary = path.with_name(f".{path.name}{TEMP_MARK}{os.getpid()}")
    try:
        yield temporary
        _flush_to_disk(temporary)
        temporary.replace(path)
        _flush_to_disk(path.parent)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def write_text(path: str | os.PathLike, text: str) -> None:
    """Writes a UTF-8 text file, wholly or not at all.

    Raises:
        OSError: the file cannot be written.
    """
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8", newline="")


def sha256_of_file(path: str | os.PathLike | RemotePath) -> str:
    """The SHA-256 of a file's bytes as 64 hexadecimal digits.

    Raises:
        OSError: the file cannot be read.
    """
    with place(path).open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _flush_to_disk(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
