"""A raw GLDv2 folder: what its CSVs list and which image files are on disk.

Layout, as published: `{split}/{a}/{b}/{c}/{id}.jpg`, where a, b, c are the first three characters
of the id, with the CSVs at the root or, as DELF's downloader leaves them, inside the split folders.
Kaggle's editions of 2020 and 2021 are laid out alike and have fewer CSVs: a train.csv without URLs,
all of it clean, and at most a sample_submission.csv that lists the test images.
"""

from __future__ import annotations

import dataclasses
import os
import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from landmarks_tf.records import sha256_of_file
from tfrecords_tools.membership import is_in
from tfrecords_tools.options import SPLITS
from tfrecords_tools.tables import (
    MAX_ID_CHARACTERS,
    RawFolderError,
    column_names,
    read_clean,
    read_ids,
    read_train,
    some_ids,
)

METADATA_FILES = (
    "train_clean.csv",
    "train_label_to_category.csv",
    "index_image_to_landmark.csv",
    "index_label_to_category.csv",
    "retrieval_solution_v2.1.csv",
    "recognition_solution_v2.1.csv",
    "sample_submission.csv",
)
_IMAGE_NAME = re.compile(rb"([A-Za-z0-9_-]{3,16})\.jpg")


@dataclasses.dataclass(frozen=True, eq=False)
class Listing:
    """The images a split should have, in the order of the CSV that names them.

    Attributes:
        ids: (N,) S16.
        landmark_ids: (N,) int64, the published landmark ids; None for index and test.
        sources: SHA-256 of each CSV read, by file name.
        counts: rows of each CSV read, by file name.
        known: ids that `train.csv` knows, for telling stray files; `ids` for the other splits.
    """

    ids: np.ndarray
    landmark_ids: np.ndarray | None
    sources: dict[str, str]
    counts: dict[str, int]
    known: np.ndarray


class RawFolder:
    """One split of a raw folder.

    Args:
        root: the folder that holds `{split}/` and the CSVs.
        split: "train", "index" or "test".

    Raises:
        RawFolderError: the folder has no such split; the message says what was looked for.
    """

    def __init__(self, root: str | os.PathLike, split: str):
        if split not in SPLITS:
            raise ValueError(f"split must be one of {', '.join(SPLITS)}, got {split!r}")
        self.root = Path(root)
        self.split = split
        self.images = self.root / split
        if not self.root.is_dir():
            raise RawFolderError(f"there is no folder {self.root}: --raw is the GLDv2 folder")
        # Kaggle's editions list the index and test images nowhere but in their folders.
        has_list = split != "train" or self.csv_path("train.csv") is not None
        if not (self.images.is_dir() and has_list):
            raise RawFolderError(self._not_gldv2())

    def csv_path(self, name: str) -> Path | None:
        """Where a CSV of that name lies: the root or a split folder; None when it is nowhere."""
        return find_csv(self.root, name)

    def image_path(self, image_id: bytes) -> Path:
        """Where the image of an id lies."""
        return self.root / relative_path(self.split, image_id)

    def files(self, unreadable: list[tuple[str, str]] | None = None) -> np.ndarray:
        """Ids of all image files of the split, (K,) S16, sorted; files laid elsewhere are ignored.

        Args:
            unreadable: receives (path, reason) of each folder that cannot be read, and the walk
                goes on; None means to stop there, as what is not seen would be lost in silence.

        Raises:
            OSError: a folder cannot be read (a link that leads back to itself is such a one).
        """
        found = []
        for prefix, folder in _leaf_folders(os.fsencode(self.images), unreadable):
            names = (_IMAGE_NAME.fullmatch(entry.name) for entry in _entries(folder, unreadable))
            ids = [name[1] for name in names if name and name[1].startswith(prefix)]
            found.append(np.array(ids, f"S{MAX_ID_CHARACTERS}"))
        if not found:
            return np.empty(0, f"S{MAX_ID_CHARACTERS}")
        return np.sort(np.concatenate(found))

    def listing(self, files: np.ndarray, clean: bool | None = None) -> Listing:
        """The images the CSVs list for this split.

        Args:
            files: ids on disk; they are the list where index or test have no CSV.
            clean: train only: take the images and labels of train_clean.csv; None means to do so
                when that file is there. All images of Kaggle's editions are clean.

        Raises:
            RawFolderError: a CSV has wrong columns, a bad value, a duplicate id or contradicts
                another one; `clean` without train_clean.csv.
        """
        if self.split == "train":
            return self._train_listing(clean)
        path = self._list_of_images()
        if path is None:
            if not len(files):
                raise RawFolderError(self._not_gldv2())
            return Listing(files, None, {}, {}, files)
        ids = read_ids(path)
        return Listing(ids, None, {path.name: sha256_of_file(path)}, {path.name: len(ids)}, ids)

    def _list_of_images(self) -> Path | None:
        """The CSV that names the images of index or test, where there is one."""
        path = self.csv_path(f"{self.split}.csv")
        if path is None and self.split == "test":
            return self.csv_path("sample_submission.csv")
        return path

    def _train_listing(self, clean: bool | None) -> Listing:
        path, clean_path = self.csv_path("train.csv"), self.csv_path("train_clean.csv")
        if clean and clean_path is None and not is_kaggles(self.root):
            raise RawFolderError(
                f"{self.root} has no train_clean.csv; without it use --no-clean, which takes "
                "every image of train.csv"
            )
        ids, labels = read_train(path)
        sources, counts = {path.name: sha256_of_file(path)}, {path.name: len(ids)}
        if clean is False or clean_path is None:
            return Listing(ids, labels, sources, counts, ids)
        clean_ids, clean_labels = read_clean(clean_path)
        check_clean(clean_ids, clean_labels, ids, labels, clean_path)
        sources[clean_path.name] = sha256_of_file(clean_path)
        counts[clean_path.name] = len(clean_ids)
        return Listing(clean_ids, clean_labels, sources, counts, ids)

    def _not_gldv2(self) -> str:
        names = sorted(path.name for path in self.root.iterdir())[:10]
        wanted = f"{self.split}.csv"
        found = self.csv_path(wanted)
        return (
            f"{self.root} is no GLDv2 folder with split {self.split!r}: looked for the file "
            f"{wanted} there or in {self.split}/ ({'found' if found else 'not found'}) and for "
            f"images {self.split}/a/b/c/<id>.jpg "
            f"(folder {self.split}/ {'found' if self.images.is_dir() else 'not found'}); "
            f"it holds: {', '.join(names) or 'nothing'}. Own pictures, a folder a class or a CSV, "
            "come into this layout by `python -m tfrecords_tools arrange`"
        )


def find_csv(root: Path, name: str) -> Path | None:
    """Where a CSV of that name lies in a raw folder: at its root or in a split's folder."""
    places = [root, *(root / split for split in SPLITS)]
    return next((place / name for place in places if (place / name).is_file()), None)


def is_kaggles(root: Path) -> bool:
    """Whether train.csv is that of a Kaggle edition, whose images are all clean ones."""
    path = find_csv(root, "train.csv")
    if path is None or find_csv(root, "train_clean.csv") is not None:
        return False
    return "url" not in column_names(path)


def relative_path(split: str, image_id: bytes) -> str:
    """`train/0/1/2/0123456789abcdef.jpg` for the id b"0123456789abcdef" of split "train"."""
    name = image_id.decode("ascii")
    return f"{split}/{name[0]}/{name[1]}/{name[2]}/{name}.jpg"


def _leaf_folders(
    folder: bytes, unreadable: list[tuple[str, str]] | None, prefix: bytes = b""
) -> Iterator[tuple[bytes, bytes]]:
    """(b"abc", path of a/b/c) of all folders three levels of one-character names below."""
    if len(prefix) == 3:
        yield prefix, folder
        return
    for entry in _entries(folder, unreadable):
        if len(entry.name) == 1 and _is_folder(entry, unreadable):
            yield from _leaf_folders(entry.path, unreadable, prefix + entry.name)


def _entries(folder: bytes, unreadable: list[tuple[str, str]] | None) -> list[os.DirEntry[bytes]]:
    """What a folder holds, by name; nothing and a note in `unreadable` where it cannot be read."""
    try:
        with os.scandir(folder) as entries:
            return sorted(entries, key=lambda entry: entry.name)
    except OSError as error:
        _note(unreadable, folder, error)
        return []


def _is_folder(entry: os.DirEntry[bytes], unreadable: list[tuple[str, str]] | None) -> bool:
    try:
        return entry.is_dir()
    except OSError as error:  # a symbolic link that leads to itself
        _note(unreadable, entry.path, error)
        return False


def _note(unreadable: list[tuple[str, str]] | None, path: bytes, error: OSError) -> None:
    if unreadable is None:
        raise error
    name = path.decode("utf-8", "backslashreplace")
    unreadable.append((name, error.strerror or str(error)))


def check_clean(
    clean_ids: np.ndarray,
    clean_landmarks: np.ndarray,
    ids: np.ndarray,
    landmarks: np.ndarray,
    path: Path,
) -> None:
    """Refuses a train_clean.csv that does not fit train.csv (`ids`, `landmarks`)."""
    known = is_in(clean_ids, ids)
    if not known.all():
        raise RawFolderError(
            f"{path} lists {int((~known).sum())} image(s) that train.csv does not know: "
            f"{some_ids(clean_ids[~known])}; the two files must be of the same edition of GLDv2"
        )
    order = np.argsort(ids)
    listed = landmarks[order[np.searchsorted(ids, clean_ids, sorter=order)]]
    differ = np.flatnonzero(listed != clean_landmarks)
    if len(differ):
        first = differ[0]
        raise RawFolderError(
            f"{path} and train.csv disagree on the landmark_id of {len(differ)} image(s), such as "
            f"{clean_ids[first].decode()}: {clean_landmarks[first]} and {listed[first]}; "
            "the two files must be of the same edition of GLDv2"
        )
