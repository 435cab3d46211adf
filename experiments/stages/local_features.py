"""Local features of a split's pictures, read from its records and kept on disk."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from experiments.stages.context import Context
from landmarks_tf.retrieval.reranking import FeatureSettings, FeatureStore, describe
from landmarks_tf.retrieval.reranking.local_features import LocalFeatures


class PictureFeatures:
    """Local features by row of a split.

    Args:
        context: the run.
        split: whose pictures.
        folder: its `local_features/SPLIT` keeps them.
    """

    def __init__(self, context: Context, split: str, folder: Path):
        self._records = context.index_of(split)
        self._split = split
        settings = FeatureSettings()
        self._store = FeatureStore(folder / "local_features" / split, settings)
        self._known = np.zeros(len(self._records.id), bool)
        self.settings_text = repr(settings)

    def prepare(self, rows: np.ndarray) -> None:
        """Describes the pictures of those rows that have no features yet, with a progress bar.

        Raises:
            RecordsError: a shard is missing or damaged.
        """
        from tqdm import tqdm

        rows = np.asarray(rows)[~self._known[rows]]
        ids = {self._id(row): row for row in rows.tolist()}
        missing = self._store.missing(ids)
        if missing:
            from landmarks_tf.data.pictures import read_pictures

            pictures = read_pictures(self._records, [ids[one] for one in missing])
            named = zip(missing, pictures, strict=True)
            what = f"local features, {self._split}"
            for image_id, picture in tqdm(named, total=len(missing), desc=what, unit="picture"):
                self._store.add(image_id, describe(picture, self._store.settings))
        self._known[rows] = True

    def of_row(self, row: int) -> LocalFeatures:
        """The features of a prepared row."""
        return self._store.get(self._id(row))

    def _id(self, row: int) -> str:
        return self._records.id[row].decode("ascii")
