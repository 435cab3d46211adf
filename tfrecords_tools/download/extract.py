"""The images of a verified tar, each written beside its place and moved there whole.

GLDv2's tars hold `{a}/{b}/{c}/{id}.jpg`, where a, b, c are the first characters of the id. Names
come from outside, so a tar is looked through before its first image is written: one entry that
would leave the folder, or is no plain file, and nothing is taken from it.
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
import re
import shutil
import tarfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import numpy as np

from tfrecords_tools.download.fetch import StoppedError

LARGEST_IMAGE = 256 * 2**20  # bytes; GLDv2's images have 120 kB on average
LARGEST_HEADER = 2**20  # bytes of one long name or one set of extended attributes
IMAGE_DTYPE = np.dtype([("id", ">u8"), ("bytes", "<u4")])

_IMAGE = re.compile(r"(?:\./)?([0-9a-f])/([0-9a-f])/([0-9a-f])/(\1\2\3[0-9a-f]{13})\.jpg")
_PIECE = 2**20
_KINDS = {
    tarfile.SYMTYPE: "a symbolic link",
    tarfile.LNKTYPE: "a hard link",
    tarfile.CHRTYPE: "a device",
    tarfile.BLKTYPE: "a device",
    tarfile.FIFOTYPE: "a pipe",
}


class ArchiveError(ValueError):
    """A tar holds what no tar of GLDv2 does; nothing of it was taken."""


@dataclasses.dataclass(frozen=True, eq=False)
class Contents:
    """What a tar holds.

    Attributes:
        images: (N,) IMAGE_DTYPE, the id as a number and the bytes of each, in the tar's order.
        offsets: (N,) int64, where in the tar the bytes of each image begin.
        others: names of files that are no `{a}/{b}/{c}/{id}.jpg`; they are left in the tar.
    """

    images: np.ndarray
    offsets: np.ndarray
    others: tuple[str, ...]


def read_contents(path: Path) -> Contents:
    """Looks through a tar without taking anything out.

    Of an id that is there twice the last one counts, as when a tar is unpacked.

    Raises:
        ArchiveError: no tar, one that breaks off, or an entry that is refused: an absolute name,
            one with `..`, a link, a device, a sparse file (few bytes that unpack to many), an image
            of more than 256 MiB.
        OSError: the file cannot be read.
    """
    found: dict[int, tuple[int, int]] = {}
    others = []
    with path.open("rb") as stream:
        for member in _members(stream, path):
            _refuse_unsafe(member, path)
            name = _IMAGE.fullmatch(member.name)
            if member.isdir():
                continue
            if name is None:
                others.append(member.name)
            else:
                number = int(name[4], 16)
                found.pop(number, None)
                found[number] = (member.size, member.offset_data)
    images = np.array([(number, size) for number, (size, _) in found.items()], IMAGE_DTYPE)
    offsets = np.array([offset for _, offset in found.values()], np.int64)
    return Contents(images, offsets, tuple(others))


def extract(
    path: Path,
    folder: Path,
    staging: Path,
    *,
    stop: threading.Event,
) -> Contents:
    """Writes the images of a tar to `{folder}/{a}/{b}/{c}/{id}.jpg`, replacing what is there.

    When it returns they have reached the disk. Until then an image is either whole or not there.

    Args:
        path: the tar, verified.
        folder: of the split.
        staging: a folder of this tar alone, on the same file system; made, and removed at the end.
        stop: when set, ends after the image at hand.

    Raises:
        ArchiveError: as `read_contents`; nothing was written.
        StoppedError: `stop` was set; what is there is whole.
        OSError: an image cannot be written.
    """
    contents = read_contents(path)
    staging.mkdir(parents=True, exist_ok=True)
    made: set[str] = set()
    with path.open("rb") as stream:
        for image, offset in zip(contents.images, contents.offsets.tolist(), strict=True):
            if stop.is_set():
                raise StoppedError
            name = image_name(image["id"])
            leaf = "/".join(name[:3])
            if leaf not in made:
                (folder / leaf).mkdir(parents=True, exist_ok=True)
                made.add(leaf)
            stream.seek(offset)
            _copy(stream, staging / name, int(image["bytes"]))
            (staging / name).replace(folder / leaf / name)
    _reach_the_disk(folder)
    shutil.rmtree(staging)
    return contents


def image_name(number: int) -> str:
    """0x0123456789abcdef -> "0123456789abcdef.jpg"."""
    return f"{int(number):016x}.jpg"


def _members(stream: BinaryIO, path: Path) -> Iterator[tarfile.TarInfo]:
    """Every entry of a tar; ArchiveError where it is none, or goes on after a broken entry."""
    # Only plain tars: a compressed one could unpack to any size, and none is published.
    try:
        with tarfile.open(fileobj=_ShortReads(stream), mode="r:") as tar:
            while (member := tar.next()) is not None:
                tar.members.clear()  # it keeps them all, which nothing here needs
                yield member
            end = tar.offset
    except (ArchiveError, OSError):
        raise
    except Exception as error:  # damaged headers make tarfile raise nearly anything
        raise ArchiveError(f"{path} is no tar that can be read: {error}") from error
    # tarfile takes a broken entry for the end, unless it is the first.
    stream.seek(end)
    while piece := stream.read(_PIECE):
        if piece.strip(b"\0"):
            raise ArchiveError(f"{path} has a broken entry at byte {end}")


def _refuse_unsafe(member: tarfile.TarInfo, path: Path) -> None:
    where = f"{path} holds {member.name[:100]!r}"
    if not (member.isreg() or member.isdir()):
        kind = _KINDS.get(member.type, f"of type {member.type!r}")
        raise ArchiveError(f"{where}, which is {kind}: expected only plain files")
    if member.name.startswith(("/", "\\")) or ".." in re.split(r"[/\\]", member.name):
        raise ArchiveError(f"{where}, which would lie outside the data set's folder")
    if member.issparse():
        raise ArchiveError(f"{where}, a sparse file: it would unpack to more than it holds")
    if not 0 <= member.size <= LARGEST_IMAGE:
        raise ArchiveError(
            f"{where} of {member.size} bytes: expected images of at most {LARGEST_IMAGE}"
        )


def _copy(stream: BinaryIO, target: Path, size: int) -> None:
    with target.open("wb", buffering=0) as out:
        left = size
        while left:
            piece = stream.read(min(_PIECE, left))
            if not piece:
                raise ArchiveError(f"{stream.name} ends within {target.name}")
            view = memoryview(piece)
            while view:
                view = view[out.write(view) :]
            left -= len(piece)


def _reach_the_disk(folder: Path) -> None:
    """One flush for thousands of files: an fsync of each would take longer than the download."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        if _syncfs is None or _syncfs(descriptor) != 0:
            os.sync()
    finally:
        os.close(descriptor)


def _find_syncfs():
    import ctypes

    with contextlib.suppress(OSError, AttributeError):
        return ctypes.CDLL(None).syncfs  # Linux; of the one file system, unlike os.sync
    return None


_syncfs = _find_syncfs()


class _ShortReads:
    """A file whose reader may not ask for much at once: headers come from outside."""

    def __init__(self, stream: BinaryIO):
        self._stream = stream

    def read(self, size: int) -> bytes:
        if not 0 <= size <= LARGEST_HEADER:
            raise tarfile.ReadError(f"a header of {size} bytes")
        return self._stream.read(size)

    def seek(self, offset: int) -> int:
        return self._stream.seek(offset)

    def tell(self) -> int:
        return self._stream.tell()
