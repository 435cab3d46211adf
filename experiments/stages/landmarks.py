"""Which landmark a searched picture shows, and what it is called."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np

from experiments.stages.class_set import landmark_ids
from experiments.stages.context import Context
from landmarks_tf.serving.labels import landmark_name


def landmark_names(metadata: Path, split: str = "index") -> dict[int, str]:
    """Landmark id -> the readable end of its Commons category, where there is a table.

    Args:
        metadata: folder of the tables.
        split: "index" or "train", whose landmark ids are not the same.
    """
    table = metadata / f"{split}_label_to_category.csv"
    if not table.is_file():
        return {}
    rows = csv.DictReader(_readable_text(table).splitlines())
    return {int(row["landmark_id"]): landmark_name(row["category"]) for row in rows}


def _readable_text(path: Path) -> str:
    """UTF-8, or Latin-1 where a line is not: the published table of names is mixed."""
    lines = []
    for line in path.read_bytes().splitlines():
        try:
            lines.append(line.decode("utf-8-sig"))
        except UnicodeDecodeError:
            lines.append(line.decode("latin-1"))
    return "\n".join(lines)


def index_landmarks(metadata: Path) -> dict[str, int]:
    """Index image id -> landmark id; empty where the table is absent."""
    table = metadata / "index_image_to_landmark.csv"
    if not table.is_file():
        return {}
    with table.open(newline="", encoding="utf-8") as stream:
        return {row["id"]: int(row["landmark_id"]) for row in csv.DictReader(stream)}


def searched_landmarks(context: Context) -> np.ndarray:
    """(N,) landmark id of each picture that is searched, in order; -1 where none is known."""
    searched = context.index_of(context.searched_split)
    if context.searched_split == "train":
        return landmark_ids(context.records)[searched.label]
    table = index_landmarks(context.metadata)
    return np.array([table.get(one.decode("ascii"), -1) for one in searched.id.tolist()], np.int64)
