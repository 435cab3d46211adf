"""Files where Beam reads and writes: a folder of this machine, gs://, s3://, hdfs://, azfs://."""

from __future__ import annotations

import glob
import hashlib
import io
import shutil
import uuid
from pathlib import Path
from typing import BinaryIO

from apache_beam.io.filesystem import CompressionTypes
from apache_beam.io.filesystems import FileSystems

_AS_IT_IS = {"compression_type": CompressionTypes.UNCOMPRESSED}


def join(folder: str, *names: str) -> str:
    """The path of a file in a folder."""
    return FileSystems.join(folder, *names)


def exists(path: str) -> bool:
    """Whether there is something of that name."""
    return FileSystems.exists(path)


def matching(folder: str, pattern: str) -> list[str]:
    """The paths in a folder that look like `pattern`, sorted; `*` stays within one part."""
    (found,) = FileSystems.match([f"{glob.escape(folder)}/{pattern}"])
    return sorted(entry.path for entry in found.metadata_list)


def open_file(path: str) -> BinaryIO:
    """A file for reading, as it is: not decompressed."""
    return FileSystems.open(path, **_AS_IT_IS)


def read(path: str) -> bytes:
    """All of a small file."""
    with open_file(path) as stream:
        return stream.read()


def sha256(path: str) -> str:
    """The SHA-256 of a file's bytes as 64 hexadecimal digits, read by the megabyte."""
    digest = hashlib.sha256()
    with open_file(path) as stream:
        while part := stream.read(2**20):
            digest.update(part)
    return digest.hexdigest()


def fetch(path: str, target: Path) -> None:
    """Copies a file to this machine."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with open_file(path) as source, target.open("wb") as copy:
        shutil.copyfileobj(source, copy, 2**20)


def write(path: str, content: bytes | Path) -> None:
    """Writes bytes, or the content of a file of this machine: wholly or not at all.

    Beam may do the same work twice at a time, so each has a temporary name of its own.

    Raises:
        OSError: it cannot be written.
    """
    folder, name = FileSystems.split(path)
    temporary = join(folder, f".{name}.tmp-{uuid.uuid4().hex}")
    source = content.open("rb") if isinstance(content, Path) else io.BytesIO(content)
    with source, FileSystems.create(temporary, **_AS_IT_IS) as target:
        shutil.copyfileobj(source, target, 2**20)
    if "://" in path and exists(path):  # not every file system renames over a file
        FileSystems.delete([path])
    FileSystems.rename([temporary], [path])


def delete(paths: list[str]) -> None:
    """Removes files."""
    if paths:
        FileSystems.delete(paths)


def delete_folder(folder: str) -> None:
    """Removes a folder and the files in it; object stores have nothing but the files."""
    delete(matching(folder, "*"))
    if exists(folder):
        delete([folder])
