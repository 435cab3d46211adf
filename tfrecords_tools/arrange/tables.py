"""The CSVs of GLDv2 for own pictures: images, names of the classes, ground truth."""

from __future__ import annotations

import dataclasses
from collections import defaultdict

import numpy as np

from tfrecords_tools.arrange.sources import OwnPicture
from tfrecords_tools.arrange.splits import INDEX, TEST, TRAIN, usage_of
from tfrecords_tools.demo.tables import encode_rows
from tfrecords_tools.options import SPLITS


@dataclasses.dataclass(frozen=True, eq=False)
class Arrangement:
    """Own pictures with their places.

    Attributes:
        pictures: N of them.
        ids: (N,) S16.
        names: C names of classes, sorted; a landmark id is a place in it, for train and index.
        classes: (N,) int64 landmark ids.
        parts: (N,) int8: `splits.TRAIN`, `INDEX` or `TEST`.
    """

    pictures: list[OwnPicture]
    ids: np.ndarray
    names: list[str]
    classes: np.ndarray
    parts: np.ndarray

    def rows(self, part: int) -> list[int]:
        """Rows of a part, by ascending id."""
        rows = np.flatnonzero(self.parts == part)
        return rows[np.argsort(self.ids[rows])].tolist()

    def id(self, row: int) -> str:
        return self.ids[row].decode("ascii")


def all_tables(arranged: Arrangement) -> dict[str, bytes]:
    """Every CSV: file name -> content. Those of index and test only where there are queries."""
    tables = {
        "pictures.csv": _pictures(arranged),
        "train_label_to_category.csv": _categories(arranged, TRAIN),
    }
    if arranged.rows(TEST):
        tables |= {
            "index.csv": _ids(arranged, INDEX),
            "test.csv": _ids(arranged, TEST),
            "index_image_to_landmark.csv": _index(arranged),
            "index_label_to_category.csv": _categories(arranged, INDEX),
            "retrieval_solution_v2.1.csv": _retrieval(arranged),
            "recognition_solution_v2.1.csv": _recognition(arranged),
        }
    # Last, as it is what tells a folder of this layout.
    return tables | {"train.csv": _train(arranged)}


def _pictures(arranged: Arrangement) -> bytes:
    """Which id is which picture: no table of GLDv2's, but the one to look things up in."""
    rows = [
        [arranged.id(row), SPLITS[part], arranged.pictures[row].name, arranged.pictures[row].label]
        for part in (TRAIN, INDEX, TEST)
        for row in arranged.rows(part)
    ]
    return encode_rows(["id", "split", "path", "label"], rows)


def _train(arranged: Arrangement) -> bytes:
    rows = [
        [arranged.id(row), arranged.pictures[row].name, int(arranged.classes[row])]
        for row in arranged.rows(TRAIN)
    ]
    return encode_rows(["id", "url", "landmark_id"], rows)


def _ids(arranged: Arrangement, part: int) -> bytes:
    return encode_rows(["id"], [[arranged.id(row)] for row in arranged.rows(part)])


def _index(arranged: Arrangement) -> bytes:
    rows = [[arranged.id(row), int(arranged.classes[row])] for row in arranged.rows(INDEX)]
    return encode_rows(["id", "landmark_id"], rows)


def _categories(arranged: Arrangement, part: int) -> bytes:
    """Class names where GLDv2 has URLs; a percent sign is written as URLs have it, %25."""
    present = np.unique(arranged.classes[arranged.parts == part]).tolist()
    rows = [[number, arranged.names[number].replace("%", "%25")] for number in present]
    return encode_rows(["landmark_id", "category"], rows)


def _retrieval(arranged: Arrangement) -> bytes:
    relevant = defaultdict(list)
    for row in arranged.rows(INDEX):
        relevant[int(arranged.classes[row])].append(arranged.id(row))
    rows = []
    for row, usage in _queries(arranged):
        images = relevant.get(int(arranged.classes[row]))
        answer = [" ".join(images), usage] if images else ["None", "Ignored"]
        rows.append([arranged.id(row), *answer])
    return encode_rows(["id", "images", "Usage"], rows)


def _recognition(arranged: Arrangement) -> bytes:
    trained = set(arranged.classes[arranged.parts == TRAIN].tolist())
    rows = []
    for row, usage in _queries(arranged):
        number = int(arranged.classes[row])
        rows.append([arranged.id(row), number if number in trained else "", usage])
    return encode_rows(["id", "landmarks", "Usage"], rows)


def _queries(arranged: Arrangement) -> list[tuple[int, str]]:
    rows = arranged.rows(TEST)
    return list(zip(rows, usage_of(arranged.ids[rows]), strict=True))
