"""Inliers of pairs of pictures, kept in a file: matching is done once for each pair, whatever asks.

The file is a .npz of one table (n, 3): query, index row, inliers. It is written anew, whole, every
half minute of work and at the end; what was killed goes on from the last time.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from tqdm import tqdm

from landmarks_tf.retrieval.reranking.archives import read_npz, write_npz
from landmarks_tf.retrieval.reranking.geometric import count_inliers
from landmarks_tf.retrieval.reranking.local_features import LocalFeatures

_FORMAT_VERSION = 1
_SECONDS_BETWEEN_SAVES = 30.0


class InlierCounts:
    """Callable: (Q, k) rows of an index -> (Q, k) int32 inliers with the query of each line.

    Args:
        query_features: number of a query -> its local features.
        index_features: row of the index -> its local features.
        path: a .npz file to keep the counts in; None keeps them in memory.
        fingerprint: names the pictures and settings that the counts depend on; counts of another
            fingerprint are thrown away.
        progress: show a progress bar over pairs.

    Raises:
        ValueError: `path` holds something else, or is damaged.
    """

    def __init__(
        self,
        query_features: Callable[[int], LocalFeatures],
        index_features: Callable[[int], LocalFeatures],
        *,
        path: str | Path | None = None,
        fingerprint: str = "",
        progress: bool = False,
    ):
        self._features = query_features, index_features
        self._path, self._fingerprint = None if path is None else Path(path), fingerprint
        self._progress = progress
        self._counts: dict[tuple[int, int], int] = self._load()

    def __call__(self, rows) -> np.ndarray:
        rows = np.asarray(rows)
        lines = list(enumerate(rows.tolist()))
        missing = [
            (query, row)
            for query, line in lines
            for row in line
            if (query, row) not in self._counts
        ]
        if missing:
            self._count(missing)
        counts = [[self._counts[query, row] for row in line] for query, line in lines]
        return np.array(counts, np.int32).reshape(rows.shape)

    def _count(self, missing: list[tuple[int, int]]) -> None:
        of_query, of_index = self._features
        saved = time.monotonic()
        for pair in tqdm(missing, desc="verified", unit="pair", disable=not self._progress):
            self._counts[pair] = count_inliers(of_query(pair[0]), of_index(pair[1]))
            if time.monotonic() - saved > _SECONDS_BETWEEN_SAVES:
                self._save()
                saved = time.monotonic()
        self._save()

    def _save(self) -> None:
        if self._path is None:
            return
        table = np.array([(*pair, count) for pair, count in self._counts.items()], np.int32)
        write_npz(
            self._path,
            format_version=_FORMAT_VERSION,
            fingerprint=self._fingerprint,
            table=table.reshape(-1, 3),
        )

    def _load(self) -> dict[tuple[int, int], int]:
        if self._path is None or not self._path.exists():
            return {}
        names = ("format_version", "fingerprint", "table")
        version, fingerprint, table = read_npz(self._path, names, what="inlier counts")
        if version != _FORMAT_VERSION or str(fingerprint) != self._fingerprint:
            return {}
        return {(query, row): count for query, row, count in table.tolist()}
