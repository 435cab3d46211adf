"""The CSVs of a GLDv2 folder against each other: ids, classes, label spaces, ground truth.

Where a conversion stops at the first fault, a check goes on and tells them all; one line a fault,
however many rows it is about.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from landmarks_tf.records import sha256_of_file
from tfrecords_tools.raw import check_clean, find_csv, is_kaggles
from tfrecords_tools.tables import (
    RawFolderError,
    column_names,
    read_attribution,
    read_categories,
    read_clean,
    read_ids,
    read_train,
    some_ids,
)


@dataclasses.dataclass
class Tables:
    """What the CSVs of a folder say.

    Attributes:
        root: the GLDv2 folder.
        is_kaggles: train.csv is that of a Kaggle edition: all of it is clean.
        files: name of each CSV found -> its `path`, `rows` and `sha256`.
        counts: numbers of images and classes, under the names of `published.EDITIONS`.
        problems: what is wrong, a line each.
        train, clean, index: ids (N,) S16 and landmark ids (N,) int64; None where the CSV is not
            there or not fit to be read. The landmark ids of index are of a space of their own.
        index_ids, test_ids: (N,) S16, or None.
        truth: index ids that the retrieval ground truth asks for.
    """

    root: Path
    is_kaggles: bool = False
    files: dict[str, dict[str, Any]] = dataclasses.field(default_factory=dict)
    counts: dict[str, int] = dataclasses.field(default_factory=dict)
    problems: list[str] = dataclasses.field(default_factory=list)
    train: tuple[np.ndarray, np.ndarray] | None = None
    clean: tuple[np.ndarray, np.ndarray] | None = None
    index: tuple[np.ndarray, np.ndarray] | None = None
    index_ids: np.ndarray | None = None
    test_ids: np.ndarray | None = None
    truth: frozenset[bytes] = frozenset()

    def read(self, name: str, reader: Callable[[Path], Any]) -> Any:
        """What `reader` makes of a CSV; None, and a problem where it is at fault."""
        path = find_csv(self.root, name)
        if path is None:
            return None
        try:
            found = reader(path)
            rows = len(found[0] if isinstance(found, tuple) else found)
            self.files[name] = {"path": str(path), "rows": rows, "sha256": sha256_of_file(path)}
        except (RawFolderError, OSError) as error:
            text = str(error)
            self.problems.append(text if str(path) in text else f"{path}: {text}")
            return None
        return found


def read_tables(root: Path) -> Tables:
    """Reads the CSVs that say which images there are, and compares them."""
    tables = Tables(root, is_kaggles(root))
    tables.train = tables.read("train.csv", read_train)
    tables.clean = tables.read("train_clean.csv", read_clean)
    tables.index_ids = tables.read("index.csv", read_ids)
    tables.test_ids = tables.read("test.csv", read_ids)
    if tables.test_ids is None:
        tables.test_ids = tables.read("sample_submission.csv", read_ids)
    tables.index = tables.read("index_image_to_landmark.csv", read_train)
    _count(tables)
    _compare_clean(tables)
    _compare_splits(tables)
    _compare_index(tables)
    _compare_attribution(tables)
    _join_label_spaces(tables)
    return tables


def submission_columns(root: Path) -> list[str] | None:
    """Header of sample_submission.csv; None where there is none."""
    path = find_csv(root, "sample_submission.csv")
    return None if path is None else column_names(path)


def _count(tables: Tables) -> None:
    for name, part in (("train", tables.train), ("clean", tables.clean)):
        if part is not None and len(part[0]):
            tables.counts[f"{name} images"] = len(part[0])
            tables.counts[f"{name} classes"] = len(np.unique(part[1]))
    if tables.train is not None and len(tables.train[1]):
        tables.counts["largest train landmark_id"] = int(tables.train[1].max())
    for name, ids in (("index", tables.index_ids), ("test", tables.test_ids)):
        if ids is not None:
            tables.counts[f"{name} images"] = len(ids)


def _compare_clean(tables: Tables) -> None:
    if tables.train is None or tables.clean is None:
        return
    tables.counts["c2x images"] = int(np.isin(tables.train[1], tables.clean[1]).sum())
    try:
        check_clean(*tables.clean, *tables.train, find_csv(tables.root, "train_clean.csv"))
    except RawFolderError as error:
        tables.problems.append(str(error))


def _compare_splits(tables: Tables) -> None:
    parts = {
        "train.csv": None if tables.train is None else tables.train[0],
        "index.csv": tables.index_ids,
        "test.csv": tables.test_ids,
    }
    known = [(name, ids) for name, ids in parts.items() if ids is not None]
    for (first, ids), (second, others) in itertools.combinations(known, 2):
        shared = np.intersect1d(ids, others)
        if len(shared):
            tables.problems.append(
                f"{len(shared)} image(s) are in both {first} and {second}: {some_ids(shared)}; "
                "what is measured on one split was seen in the other"
            )


def _compare_index(tables: Tables) -> None:
    if tables.index is None or tables.index_ids is None:
        return
    labelled = tables.index[0]
    for ids, text in (
        (np.setdiff1d(tables.index_ids, labelled), "of index.csv have no landmark_id in"),
        (np.setdiff1d(labelled, tables.index_ids), "are not in index.csv but in"),
    ):
        if len(ids):
            tables.problems.append(
                f"{len(ids)} image(s) {text} index_image_to_landmark.csv: {some_ids(ids)}"
            )


def _compare_attribution(tables: Tables) -> None:
    ids = tables.read("train_attribution.csv", read_attribution)
    if ids is None or tables.train is None:
        return
    unknown = np.setdiff1d(ids, tables.train[0])
    if len(unknown):
        tables.problems.append(
            f"train_attribution.csv names {len(unknown)} image(s) that train.csv does not know: "
            f"{some_ids(unknown)}"
        )
    tables.counts["train images without attribution"] = len(tables.train[0]) - (
        len(ids) - len(unknown)
    )


def _join_label_spaces(tables: Tables) -> None:
    """Train and index count landmarks apart; the category tells which are the same."""
    names = {}
    for split, part in (("train", tables.train), ("index", tables.index)):
        found = tables.read(f"{split}_label_to_category.csv", read_categories)
        if found is None:
            continue
        names[split] = found
        landmarks, categories = found
        tables.counts[f"{split} categories of several landmark_ids"] = len(categories) - len(
            set(categories)
        )
        if part is not None:
            _require_categories(tables, split, np.unique(part[1]), landmarks)
    if len(names) < 2:
        return
    of_train = set(names["train"][1])
    landmarks, categories = names["index"]
    shared = landmarks[[category in of_train for category in categories]]
    tables.counts["index classes that train has too"] = len(shared)
    if tables.index is not None:
        images = int(np.isin(tables.index[1], shared).sum())
        tables.counts["index images of classes that train has too"] = images
        if tables.train is not None:
            tables.counts["train and shared index images"] = len(tables.train[0]) + images


def _require_categories(
    tables: Tables, split: str, used: np.ndarray, landmarks: np.ndarray
) -> None:
    without = np.setdiff1d(used, landmarks)
    if len(without):
        tables.problems.append(
            f"{len(without)} landmark_id(s) of {split} have no row in {split}_label_to_category"
            f".csv, such as {without[0]}"
        )
