"""Which of the listed images have a file, and which files nothing lists."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np

from tfrecords_tools.integrity.tables import Tables
from tfrecords_tools.membership import is_in
from tfrecords_tools.raw import RawFolder


@dataclasses.dataclass(frozen=True, eq=False)
class SplitFiles:
    """The files of a split beside its list.

    Attributes:
        raw: the split's folder.
        listed: (N,) S16 ids in the order of their CSV, or sorted where the folder is the list.
        present: (P,) S16, those of `listed` that have a file, in the same order.
        absent: (A,) S16, those that have none.
        not_listed: (U,) S16, files in the layout that no CSV of the split names.
        unreadable: (path, reason) of folders that could not be read; what they hold is not known,
            so their images count as absent.
        clean_absent: listed in train_clean.csv and absent; None for other splits and editions.
    """

    raw: RawFolder
    listed: np.ndarray
    present: np.ndarray
    absent: np.ndarray
    not_listed: np.ndarray
    unreadable: list[tuple[str, str]]
    clean_absent: int | None = None

    @property
    def split(self) -> str:
        return self.raw.split


def find_files(tables: Tables, split: str) -> SplitFiles | None:
    """Walks the folder of a split; None, and a problem if a CSV names images, where it is absent.

    Folders that cannot be read, and links that lead back to themselves, are passed over and told.
    """
    listed = _listed(tables, split)
    folder = Path(tables.root) / split
    if not folder.is_dir():
        if listed is not None and len(listed):
            tables.problems.append(
                f"there is no folder {folder} for the {len(listed)} listed images of {split}"
            )
        return None
    if listed is None and split == "train":
        return None  # labels are in train.csv alone: what is wrong with it is told already
    raw = RawFolder(tables.root, split)
    unreadable: list[tuple[str, str]] = []
    files = raw.files(unreadable)
    if listed is None:
        listed = files
    there = is_in(listed, files)
    absent = listed[~there]
    clean_absent = None
    if split == "train" and tables.clean is not None:
        clean_absent = int(is_in(tables.clean[0], absent).sum())
    not_listed = files[~is_in(files, listed)]
    return SplitFiles(raw, listed, listed[there], absent, not_listed, unreadable, clean_absent)


def file_problems(found: SplitFiles) -> list[str]:
    """What is wrong with the files of a split, one line a kind."""
    problems = []
    if len(found.absent):
        of_clean = ""
        if found.clean_absent is not None:
            of_clean = f" ({found.clean_absent} of them clean)"
        problems.append(
            f"{len(found.absent)} of {len(found.listed)} listed images of {found.split} have no "
            f"file{of_clean}"
        )
    if not len(found.listed):
        problems.append(f"{found.split} lists no image and has none")
    if found.unreadable:
        path, reason = found.unreadable[0]
        problems.append(
            f"{len(found.unreadable)} folder(s) of {found.split} cannot be read, such as {path}: "
            f"{reason}"
        )
    return problems


def _listed(tables: Tables, split: str) -> np.ndarray | None:
    if split == "train":
        return None if tables.train is None else tables.train[0]
    return tables.index_ids if split == "index" else tables.test_ids
