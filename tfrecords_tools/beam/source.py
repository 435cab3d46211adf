"""A raw GLDv2 folder behind a URL: its CSVs are copied here, its images are read where they are."""

from __future__ import annotations

import re
import string
from pathlib import Path

import numpy as np
from tqdm import tqdm

from tfrecords_tools.beam import files
from tfrecords_tools.images import MAX_FILE_BYTES, BadImageError
from tfrecords_tools.options import SPLITS
from tfrecords_tools.raw import RawFolder, find_csv, relative_path
from tfrecords_tools.tables import MAX_ID_CHARACTERS, RawFolderError

_ID_CHARACTERS = string.digits + string.ascii_letters + "_-"
_IMAGE = re.compile(r"(.)/(.)/(.)/(\1\2\3[A-Za-z0-9_-]{0,13})\.jpg")


class RemoteRawFolder(RawFolder):
    """One split of a raw folder behind a URL.

    Args:
        url: the folder that holds `{split}/` and the CSVs.
        split: "train", "index" or "test".
        copies: an empty folder of this machine, for the CSVs.

    Raises:
        RawFolderError: there is no train.csv for split train.
        OSError: the folder cannot be read.
    """

    def __init__(self, url: str, split: str, copies: Path):
        self.url = url.rstrip("/")
        (copies / split).mkdir(parents=True)
        for part in ("", *SPLITS):
            folder = f"{self.url}/{part}" if part else self.url
            for path in files.matching(folder, "*.csv"):
                files.fetch(path, copies / part / path.rpartition("/")[2])
        if split == "train" and find_csv(copies, "train.csv") is None:
            raise RawFolderError(f"there is no train.csv in {self.url}, nor in its split folders")
        super().__init__(copies, split)

    def files(self, unreadable: list[tuple[str, str]] | None = None) -> np.ndarray:
        """As `RawFolder.files`; object stores have no folders that could be unreadable.

        Raises:
            RawFolderError: there is no image.
        """
        start = f"{self.url}/{self.split}/"
        found = []
        # In parts: one listing of four million files would take gigabytes.
        for first in tqdm(_ID_CHARACTERS, desc=f"listing {self.split}", disable=None):
            paths = files.matching(f"{start}{first}", "*/*/*.jpg")
            names = (_IMAGE.fullmatch(path.removeprefix(start)) for path in paths)
            ids = [name[4].encode() for name in names if name]
            found.append(np.array(ids, f"S{MAX_ID_CHARACTERS}"))
        ids = np.sort(np.concatenate(found))
        if not len(ids):
            raise RawFolderError(f"there are no images {start}a/b/c/<id>.jpg")
        return ids


class RemoteImages:
    """Images that are files of their own behind a URL; an ImageSource.

    Args:
        url: the raw folder.
        split: the folder of the images in it.
    """

    def __init__(self, url: str, split: str):
        self.url = url.rstrip("/")
        self.split = split

    def image_bytes(self, image_id: bytes) -> bytes:
        path = f"{self.url}/{relative_path(self.split, image_id)}"
        try:
            with files.open_file(path) as stream:
                data = stream.read(MAX_FILE_BYTES + 1)
        except OSError:
            if files.exists(path):
                raise
            raise BadImageError("missing") from None
        if len(data) > MAX_FILE_BYTES:
            raise BadImageError(f"too large: more than {MAX_FILE_BYTES} bytes")
        if not data:
            raise BadImageError("empty file")
        return data

    def check_still_there(self) -> None:
        """A bucket does not go away in silence: `image_bytes` raises what went wrong."""
