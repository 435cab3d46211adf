"""The approximate index: built with ScaNN, saved, changed, and checked whenever it is opened."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from landmarks_tf.retrieval.exact import ExactIndex
from landmarks_tf.retrieval.files import write_npy
from landmarks_tf.retrieval.index_changes import (
    Changes,
    alone,
    check_unchanged,
    read_changes,
    write_changes,
)
from landmarks_tf.retrieval.index_folder import (
    IDS,
    IndexFolderError,
    being_made,
    read_ids,
    read_manifest,
    write_manifest,
)
from landmarks_tf.retrieval.live_search import search_changed
from landmarks_tf.retrieval.parameters import ScannParameters, choose_parameters
from landmarks_tf.retrieval.row_changes import live_rows, with_added, with_removed, with_updated
from landmarks_tf.retrieval.scann_build import build_in_child
from landmarks_tf.retrieval.scann_recall import RecallCheck
from landmarks_tf.retrieval.scann_search import ScannSearcher
from landmarks_tf.retrieval.vectors import as_matrix, check_k, check_unit_rows

# A reloaded index repeats its build-time recall up to thread timing; more is a fault.
_ALLOWED_LOSS = 0.02
# Added rows are searched one by one and removed ones leave holes: past this share a rebuild pays.
REBUILD_SHARE = 0.1
_REBUILD_AT_LEAST = 1_000


class ScannIndex:
    """Approximate search with ScaNN; made by `ScannIndex.build` or `ScannIndex.load`.

    `len` counts the rows that can be found. A row number, as `search` gives it, is a place in
    `ids`; a rebuild numbers anew.

    Attributes:
        vectors: (N, D) float32 rows as built, memory-mapped from the index.
        ids: (N + A,) image ids of the built and then of the added rows, or None. The ids of
            removed rows still stand there; no search gives their numbers.
        parameters: what it was built with.
        recall: share of exact neighbours found in the last self-check, or None.
        fingerprint: what made the embeddings, as given to `build`.
        changes: what was added and removed since it was built.
    """

    kind = "scann"

    def __init__(self, folder: Path, manifest: dict):
        self.folder = folder
        self.parameters = ScannParameters.from_dict(manifest["parameters"])
        self._searcher = ScannSearcher(folder, self.parameters)
        self.vectors = self._searcher.vectors
        self.fingerprint = manifest["fingerprint"]
        self.recall: float | None = None
        self._built_ids = read_ids(folder, manifest)
        self._take(read_changes(folder, manifest, self._built_ids), manifest)

    def _take(self, changes: Changes, manifest: dict) -> None:
        self.changes, self._manifest = changes, manifest
        self.ids = self._built_ids
        if len(changes.rows):
            self.ids = np.concatenate([self._built_ids, changes.ids])

    def __len__(self) -> int:
        return len(self.vectors) - len(self.changes.removed) + len(self.changes.rows)

    @property
    def dim(self) -> int:
        """D, the length of a row."""
        return self._searcher.dim

    @classmethod
    def build(
        cls,
        embeddings,
        ids,
        path: str | Path,
        *,
        k: int = 100,
        recall: float = 0.99,
        parameters: ScannParameters | None = None,
        fingerprint: str = "",
        min_recall: float = 0.5,
        report: Callable[[str], None] = print,
    ) -> ScannIndex:
        """Builds in a process of its own, saves under `path`, and opens the result.

        Args:
            embeddings: (N, D) unit rows, N >= 1.
            ids: (N,) image ids, or None.
            path: the folder to make. An index that is there is replaced once the new one is
                whole; a folder that is no index is left alone.
            k: neighbours that searches will want; chooses the parameters.
            recall: share of them that is wanted; chooses the parameters too.
            parameters: if None, chosen by `choose_parameters`, and once the index is built its
                leaves and candidates are fitted to `recall` (`tune` also tries other trees).
            fingerprint: names what made the embeddings; `load` can insist on it.
            min_recall: the least recall@k against exact search that is accepted.
            report: gets one line that says what was opened and its recall.

        Raises:
            EmbeddingError, ValueError: for embeddings, ids or parameters that cannot be indexed.
            ScannBuildError: if ScaNN failed or was killed.
            IndexFolderError: if the recall is below `min_recall`, or `path` is something else.
        """
        path = Path(path)
        exact = ExactIndex(embeddings, ids)  # checks both
        # What a rebuild chooses by, as long as nobody chose the parameters.
        chosen_for = None if parameters else {"k": k, "recall": recall}
        parameters = parameters or choose_parameters(len(exact), exact.dim, k, recall)
        parameters.check(len(exact), exact.dim)
        with being_made(path) as folder:
            wanted = recall if chosen_for else None
            result = _build_apart(exact, folder, parameters, wanted, min_recall)
            write_manifest(
                folder,
                num_rows=len(exact),
                dim=exact.dim,
                chosen_for=chosen_for,
                fingerprint=fingerprint,
                **result,
            )
        return cls.load(path, report=report)

    @classmethod
    def load(
        cls,
        path: str | Path,
        *,
        check: bool = True,
        fingerprint: str | None = None,
        min_recall: float | None = None,
        report: Callable[[str], None] = print,
    ) -> ScannIndex:
        """Opens a saved index and, unless told not to, compares it with exact search.

        Args:
            path: the folder.
            check: compare digests of the files, then search 100 rows of the index itself and
                compare with `ExactIndex`. Without it only names and sizes are compared.
            fingerprint: what must have made the embeddings; None accepts any.
            min_recall: the least recall@k accepted by the check; by default 0.02 less than when
                the index was built.
            report: gets one line with the recall.

        Raises:
            FileNotFoundError: if there is no finished index.
            IndexFolderError: if a file is missing, cut short or changed, the recall is too low,
                or another model made the embeddings.
            ImportError: if ScaNN cannot be imported (`open_index` then searches exactly).
        """
        path = Path(path)
        manifest = read_manifest(path, fingerprint=fingerprint, digests=check)
        index = cls(path, manifest)
        if check:
            index._check_recall(manifest["recall"], min_recall, report)
        return index

    def _check_recall(self, recall_when_built, min_recall, report) -> None:
        k = self.parameters.num_neighbors
        self.recall = RecallCheck(self.vectors, k).recall(self._searcher.search)
        least = recall_when_built - _ALLOWED_LOSS if min_recall is None else min_recall
        if self.recall < least:
            raise IndexFolderError(
                f"{self.folder} finds {self.recall:.3f} of the {k} exact neighbours of its own "
                f"rows; at least {least:.3f} was expected ({recall_when_built:.3f} when it was "
                "built). Its parts do not belong together: build it again"
            )
        changed = f" ({len(self.changes)} rows changed since it was built)" if self.changes else ""
        report(
            f"ScaNN index {self.folder}: {len(self)} rows of {self.dim}{changed}, "
            f"{self.parameters.method}, recall@{k} {self.recall:.4f} against exact search"
        )

    def search(self, queries, k: int | None = None) -> tuple[np.ndarray, np.ndarray]:
        """The k best rows that are found for each query; a removed row never is.

        Args:
            queries: (Q, D) unit rows.
            k: 1 to `len`; the index's own k (or `len`, if that is less) if None.

        Returns:
            scores (Q, k) float32, exact cosines of the rows found, falling; rows (Q, k) int64,
            equal scores by rising row.

        Raises:
            EmbeddingError: for queries of another dimension, with NaN, or not unit long.
            ValueError: for a k that is not between 1 and `len`.
        """
        k = check_k(min(self.parameters.num_neighbors, len(self)) if k is None else k, len(self))
        if not self.changes:
            return self._searcher.search(queries, k)
        queries = as_matrix(queries, name="queries", dim=self.dim).astype(np.float32, copy=False)
        check_unit_rows(queries, name="queries")
        return search_changed(self._searcher.search, len(self.vectors), self.changes, queries, k)

    def add(self, embeddings, ids, *, rebuild_share: float | None = REBUILD_SHARE) -> None:
        """Takes in rows, here and on disk; they are found exactly.

        Args:
            embeddings: (A, D) unit rows.
            ids: (A,) ids that the index does not have.
            rebuild_share: once this share of the built rows (and a thousand) was added and
                removed, the index is built anew, with other row numbers; None for never.

        Raises:
            EmbeddingError, ValueError: for rows or ids that do not fit; nothing is changed then.
            IndexFolderError: if another process changed the index, or it has no ids.
        """
        self._change(with_added, (embeddings, ids), rebuild_share)

    def update(self, embeddings, ids, *, rebuild_share: float | None = REBUILD_SHARE) -> None:
        """Gives new embeddings to ids that the index has; else as `add`."""
        self._change(with_updated, (embeddings, ids), rebuild_share)

    def remove(self, ids, *, rebuild_share: float | None = REBUILD_SHARE) -> None:
        """Takes out the rows of ids that the index has; else as `add`."""
        self._change(with_removed, (ids,), rebuild_share)

    def _change(self, function, arguments, rebuild_share: float | None) -> None:
        if self._built_ids is None:
            raise IndexFolderError(
                f"{self.folder} was built without ids, so its rows cannot be told apart: build "
                "it again with ids to change it"
            )
        changes = function(self.changes, self._built_ids, self.dim, *arguments)
        if changes is self.changes:
            return
        self._take(changes, write_changes(self.folder, changes, self._manifest))
        limit = max(_REBUILD_AT_LEAST, (rebuild_share or 0) * len(self.vectors))
        if rebuild_share is not None and len(changes) > limit:
            self.rebuild()

    def rebuild(self, *, report: Callable[[str], None] = lambda _line: None) -> None:
        """Builds the index anew of the rows that are there: the same answers or better, faster.

        Parameters that were chosen by rule are chosen again. Errors are those of `build`; the
        index then stays as it is.
        """
        with alone(self.folder):
            check_unchanged(self.folder, self._manifest)
            vectors, ids = self.live_rows()
            chosen_for = self._manifest.get("chosen_for")
            again = type(self).build(
                vectors,
                ids,
                self.folder,
                **(chosen_for or {"parameters": self.parameters.fitted_to(len(vectors))}),
                fingerprint=self.fingerprint,
                report=report,
            )
        self.__dict__.update(again.__dict__)

    def live_rows(self) -> tuple[np.ndarray, np.ndarray | None]:
        """(len, D) float32 rows that are there, and their ids: the built ones, then the added."""
        if not self.changes:
            return self.vectors, self.ids
        return live_rows(self.vectors, self._built_ids, self.changes)


def _build_apart(exact: ExactIndex, folder: Path, parameters, wanted, min_recall: float) -> dict:
    """Builds into `folder`, all but the manifest; returns what the child measured."""
    source = folder / "embeddings.npy"
    np.save(source, exact.embeddings.astype(np.float32, copy=False))
    result = build_in_child(source, folder, parameters, wanted)
    source.unlink()
    if result["recall"] < min_recall:
        raise IndexFolderError(
            f"the index finds {result['recall']:.3f} of the {parameters.num_neighbors} exact "
            f"neighbours, less than {min_recall}: give it more candidates (reorder) or leaves "
            "(leaves_to_search), or search exactly"
        )
    if exact.ids is not None:
        write_npy(folder / IDS, exact.ids)
    return result
