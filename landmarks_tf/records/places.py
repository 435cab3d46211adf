"""Where a records folder lies: on this machine, or on any file system that TensorFlow opens.

A local folder is a `pathlib.Path`. What has a scheme (`gs://bucket/records`, `hdfs://...`, `ram://`)
is read through `tf.io.gfile`, by the part of Path's interface that readers of records use; nothing
is written there.
"""

from __future__ import annotations

import contextlib
import fnmatch
import io
import os
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO


def place(folder: str | os.PathLike | RemotePath) -> Path | RemotePath:
    """The folder as something to read from.

    Args:
        folder: a path of this machine, or a URL such as "gs://bucket/records".
    """
    if isinstance(folder, RemotePath):
        return folder
    name = os.fspath(folder)
    return RemotePath(name) if "://" in name else Path(name)


class RemotePath:
    """A file or folder behind a URL; reads like a `pathlib.Path`.

    Raises (all methods that read):
        FileNotFoundError: it is not there.
        OSError: the file system cannot be reached, does not allow it, or is not known to this
            TensorFlow.
    """

    def __init__(self, url: str):
        self._url = url if url.endswith("://") else url.rstrip("/")

    def __str__(self) -> str:
        return self._url

    def __repr__(self) -> str:
        return f"RemotePath({self._url!r})"

    def __eq__(self, other) -> bool:
        return isinstance(other, RemotePath) and other._url == self._url

    def __hash__(self) -> int:
        return hash(self._url)

    def __truediv__(self, name: str | os.PathLike) -> RemotePath:
        between = "" if self._url.endswith("/") else "/"
        return RemotePath(f"{self._url}{between}{os.fspath(name)}")

    @property
    def name(self) -> str:
        """The last part."""
        return self._url.rpartition("/")[2]

    def is_file(self) -> bool:
        """Whether it is there, and no folder."""
        with self._clear_errors() as gfile:
            return gfile.exists(self._url) and not gfile.isdir(self._url)

    def is_dir(self) -> bool:
        """Whether it is a folder; object stores have one where names begin with it."""
        with self._clear_errors() as gfile:
            return gfile.isdir(self._url)

    def iterdir(self) -> Iterator[RemotePath]:
        """What lies in it."""
        with self._clear_errors() as gfile:
            names = gfile.listdir(self._url)
        return (self / name.rstrip("/") for name in sorted(names))

    def glob(self, pattern: str) -> Iterator[RemotePath]:
        """What lies in it under a name like `pattern`, which has no slash."""
        if not self.is_dir():
            return iter(())
        return (path for path in self.iterdir() if fnmatch.fnmatchcase(path.name, pattern))

    def num_bytes(self) -> int:
        """The size of the file."""
        with self._clear_errors() as gfile:
            return gfile.stat(self._url).length

    def read_bytes(self) -> bytes:
        """The whole file."""
        with self._clear_errors() as gfile, gfile.GFile(self._url, "rb") as stream:
            return stream.read()

    def read_text(self, encoding: str = "utf-8") -> str:
        """The whole file as text."""
        return self.read_bytes().decode(encoding)

    def open(self, mode: str = "rb") -> BinaryIO:
        """The whole file as a stream.

        Raises:
            ValueError: another mode than "rb".
        """
        if mode != "rb":
            raise ValueError(f"{self._url} can only be read as bytes, got mode {mode!r}")
        return io.BytesIO(self.read_bytes())

    @contextlib.contextmanager
    def _clear_errors(self):
        import tensorflow as tf

        try:
            yield tf.io.gfile
        except tf.errors.NotFoundError:
            raise FileNotFoundError(f"there is no {self._url}") from None
        except tf.errors.OpError as error:
            raise OSError(f"cannot read {self._url}: {error.message}") from error


def num_bytes(path: Path | RemotePath) -> int:
    """The size of a file."""
    return path.num_bytes() if isinstance(path, RemotePath) else path.stat().st_size
