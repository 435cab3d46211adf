"""Searching what ScaNN built: the searcher behind our signature, with its gaps filled.

Where the leaves that ScaNN looks into hold fewer than k rows, it pads with row 0 and NaN; here a
search always returns k rows that are there.
"""

from __future__ import annotations

import math
import os
import warnings
from pathlib import Path

import numpy as np

from landmarks_tf.retrieval.exact import ExactIndex
from landmarks_tf.retrieval.files import read_npy
from landmarks_tf.retrieval.index_folder import SEARCHER, VECTORS
from landmarks_tf.retrieval.parameters import ScannParameters
from landmarks_tf.retrieval.vectors import as_matrix, check_k, check_unit_rows

# Queries of one batch share the codes that they read; more than this gain nothing.
_LARGEST_BATCH = 1_024


class ScannSearcher:
    """A ScaNN searcher opened from a folder, no questions asked (`ScannIndex.load` asks them).

    Args:
        folder: holds `scann/`.
        parameters: what it was built with.

    Attributes:
        vectors: (N, D) float32 rows, memory-mapped from the folder.

    Raises:
        ImportError: if ScaNN cannot be imported.
    """

    def __init__(self, folder: Path, parameters: ScannParameters):
        scann_ops = import_scann()
        self._searcher = scann_ops.load_searcher(
            str(folder / SEARCHER), assets_backcompat_shim=False
        )
        self.vectors = read_npy(folder / VECTORS, what="rows of the index", mmap=True)
        self.parameters = parameters

    def __len__(self) -> int:
        return len(self.vectors)

    @property
    def dim(self) -> int:
        """D, the length of a row."""
        return self.vectors.shape[1]

    def search(self, queries, k: int | None = None) -> tuple[np.ndarray, np.ndarray]:
        """The k best rows that ScaNN finds for each query.

        Args:
            queries: (Q, D) unit rows.
            k: 1 to N; the index's own k if None.

        Returns:
            scores (Q, k) float32, exact cosines of the rows found, falling; rows (Q, k) int64,
            equal scores by rising row.

        Raises:
            EmbeddingError: for queries of another dimension, with NaN, or not unit long.
            ValueError: for a k that is not between 1 and N.
        """
        k = check_k(self.parameters.num_neighbors if k is None else k, len(self))
        queries = as_matrix(queries, name="queries", dim=self.dim).astype(np.float32, copy=False)
        check_unit_rows(queries, name="queries")
        if not len(queries):
            return np.empty((0, k), np.float32), np.empty((0, k), np.int64)
        scores, rows = self._search(queries, k, widen=max(1.0, k / self.parameters.num_neighbors))
        short = np.flatnonzero(np.isnan(scores).any(axis=1))
        if short.size:  # too few rows in the leaves searched: look into all of them
            scores[short], rows[short] = self._search(queries[short], k, widen=math.inf)
            short = np.flatnonzero(np.isnan(scores).any(axis=1))
        if short.size:
            scores[short], rows[short] = ExactIndex(self.vectors).search(queries[short], k)
        return _by_score_and_row(scores, rows)

    def _search(self, queries, k: int, widen: float) -> tuple[np.ndarray, np.ndarray]:
        parameters, options = self.parameters, {}
        if parameters.method != "brute_force":
            options["pre_reorder_num_neighbors"] = _widened(parameters.reorder, widen, len(self))
        if parameters.method == "tree_hashing":
            options["leaves_to_search"] = _widened(
                parameters.leaves_to_search, widen, parameters.num_leaves
            )
        rows, scores = self._searcher.search_batched_parallel(
            queries,
            final_num_neighbors=k,
            batch_size=max(1, min(_LARGEST_BATCH, len(queries) // len(os.sched_getaffinity(0)))),
            **options,
        )
        return np.array(scores, np.float32), rows.astype(np.int64)


def _by_score_and_row(scores: np.ndarray, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Rankings by falling score, then rising row; sorts those that are not, a few with ties."""
    unsure = np.flatnonzero((scores[:, 1:] >= scores[:, :-1]).any(axis=1))
    order = np.lexsort((rows[unsure], -scores[unsure]), axis=1)
    scores[unsure] = np.take_along_axis(scores[unsure], order, 1)
    rows[unsure] = np.take_along_axis(rows[unsure], order, 1)
    return scores, rows


def _widened(value: int, factor: float, highest: int) -> int:
    return highest if math.isinf(factor) else min(math.ceil(value * factor), highest)


def import_scann():
    """ScaNN's Python interface.

    Raises:
        ImportError: if it is not there or was made for another TensorFlow.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # deprecations inside TensorFlow's and ScaNN's imports
            from scann.scann_ops.py import scann_ops_pybind
    except Exception as error:  # a wrong TensorFlow raises NotFoundError, a missing op another
        first_line = (str(error).splitlines() or [type(error).__name__])[0]
        raise ImportError(f"ScaNN cannot be imported here: {first_line}") from error
    return scann_ops_pybind


def scann_version() -> str:
    """Version of the installed package."""
    from importlib import metadata

    return metadata.version("scann")
