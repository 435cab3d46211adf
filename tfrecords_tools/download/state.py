"""What a download knows of itself between runs: small files in folders named `.download`.

Of each tar, in `{split}/.download/`: `images_000.json`, written after the last of its images has
reached the disk, and before it `images_000.images.npy`, the ids and sizes of them, so that a later
run can tell which tar a lost image was in. Of each CSV, in `.download/`: `{name}.json`.
"""

from __future__ import annotations

import contextlib
import dataclasses
import fcntl
import json
import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from landmarks_tf.records import replacing, write_text
from tfrecords_tools.download.extract import IMAGE_DTYPE, Contents
from tfrecords_tools.download.published import PublishedTable, PublishedTar

STATE = ".download"


@dataclasses.dataclass(frozen=True)
class TarNote:
    """An extracted tar. Attributes: md5; bytes of the tar; images and their bytes; other files."""

    md5: str
    bytes: int
    images: int
    image_bytes: int
    others: int


class DownloadFolder:
    """The folder that GLDv2 is fetched to: where everything in it lies.

    Args:
        root: it holds `{split}/` and the CSVs.
    """

    def __init__(self, root: Path):
        self.root = root

    def split(self, split: str) -> Path:
        return self.root / split

    def tar(self, tar: PublishedTar) -> Path:
        """A tar that we fetch, until its images are out."""
        return self.root / tar.split / STATE / f"{tar.stem}.tar"

    def kept_tar(self, tar: PublishedTar) -> Path:
        """A tar that stays; the published scripts leave theirs here too."""
        return self.root / tar.split / f"{tar.stem}.tar"

    def staging(self, tar: PublishedTar) -> Path:
        """Where images are written before they move to their places, on the same file system."""
        return self.root / tar.split / STATE / tar.stem

    def table(self, table: PublishedTable) -> Path:
        return self.root / table.name

    def new_table(self, table: PublishedTable) -> Path:
        """A CSV that is whole but not looked at yet."""
        return self.root / STATE / table.name

    def make(self, splits: tuple[str, ...]) -> None:
        """Makes the folders.

        Raises:
            OSError: one cannot be made, or `root` is a file.
        """
        for folder in (self.root, *(self.root / split for split in splits)):
            if folder.exists() and not folder.is_dir():
                raise OSError(f"{folder} is a file: expected a folder, or nothing yet")
            (folder / STATE).mkdir(parents=True, exist_ok=True)

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Keeps a second download out of the folder.

        Raises:
            OSError: another process is fetching into it.
        """
        descriptor = os.open(self.root / STATE / "lock", os.O_RDWR | os.O_CREAT, 0o644)
        try:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise OSError(
                    f"another process is downloading into {self.root}: wait for it, or stop it"
                ) from None
            except OSError:
                pass  # a file system without locks: two downloads are then the user's care
            yield
        finally:
            os.close(descriptor)

    def note_of_tar(self, tar: PublishedTar) -> TarNote | None:
        """What is known of an extracted tar; None when it is not wholly extracted."""
        values = _read(self._tar_note(tar))
        try:
            return TarNote(**values)
        except TypeError:
            return None

    def images_of_tar(self, tar: PublishedTar) -> np.ndarray | None:
        """(N,) IMAGE_DTYPE, what an extracted tar held; None when the list cannot be read."""
        try:
            images = np.load(self._images(tar), allow_pickle=False)
        except (OSError, ValueError, EOFError):
            return None
        return images if images.dtype == IMAGE_DTYPE and images.ndim == 1 else None

    def save_tar(self, tar: PublishedTar, contents: Contents, md5: str, size: int) -> TarNote:
        """Marks a tar as extracted; call it after the images have reached the disk."""
        with replacing(self._images(tar)) as temporary, temporary.open("wb") as stream:
            np.save(stream, contents.images)
        note = TarNote(
            md5=md5,
            bytes=size,
            images=len(contents.images),
            image_bytes=int(contents.images["bytes"].sum(dtype=np.int64)),
            others=len(contents.others),
        )
        write_text(self._tar_note(tar), json.dumps(dataclasses.asdict(note)) + "\n")
        return note

    def forget_tar(self, tar: PublishedTar) -> None:
        """The tar is to be fetched again."""
        self._tar_note(tar).unlink(missing_ok=True)

    def size_of_table(self, table: PublishedTable) -> int | None:
        """Bytes of a CSV that was fetched whole; None when it was not."""
        size = _read(self._table_note(table)).get("bytes")
        return size if isinstance(size, int) else None

    def save_table(self, table: PublishedTable, size: int) -> None:
        """Marks a CSV as fetched; call it after it has its name."""
        write_text(self._table_note(table), json.dumps({"bytes": size}) + "\n")

    def _tar_note(self, tar: PublishedTar) -> Path:
        return self.root / tar.split / STATE / f"{tar.stem}.json"

    def _images(self, tar: PublishedTar) -> Path:
        return self.root / tar.split / STATE / f"{tar.stem}.images.npy"

    def _table_note(self, table: PublishedTable) -> Path:
        return self.root / STATE / f"{table.name}.json"


def _read(path: Path) -> dict:
    """A note; empty where there is none that can be read: the file is then fetched again."""
    try:
        values = json.loads(path.read_text("utf-8"))
    except (FileNotFoundError, NotADirectoryError, ValueError):
        return {}
    return values if isinstance(values, dict) else {}
