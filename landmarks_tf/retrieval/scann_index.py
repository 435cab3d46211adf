"""The approximate index: built with ScaNN, saved, and checked whenever it is opened."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np

from landmarks_tf.retrieval.exact import ExactIndex
from landmarks_tf.retrieval.files import read_npy, write_npy
from landmarks_tf.retrieval.index_folder import (
    IDS,
    VECTORS,
    IndexFolderError,
    put_in_place,
    read_ids,
    read_manifest,
    refuse_foreign,
    write_manifest,
)
from landmarks_tf.retrieval.parameters import ScannParameters, choose_parameters
from landmarks_tf.retrieval.scann_build import build_in_child, recall_against_exact
from landmarks_tf.retrieval.scann_search import ScannSearcher, import_scann

# A reloaded index repeats its build-time recall up to thread timing; more is a fault.
_ALLOWED_LOSS = 0.02


class ScannIndex(ScannSearcher):
    """Approximate search with ScaNN; made by `ScannIndex.build` or `ScannIndex.load`.

    Attributes:
        vectors: (N, D) float32 rows, memory-mapped from the index.
        ids: (N,) image ids, or None.
        parameters: what it was built with.
        recall: share of exact neighbours found in the last self-check, or None.
        fingerprint: what made the embeddings, as given to `build`.
    """

    kind = "scann"

    def __init__(self, folder: Path, parameters: ScannParameters, ids=None, fingerprint=""):
        super().__init__(folder, parameters)
        self.ids = ids
        self.fingerprint = fingerprint
        self.recall: float | None = None

    @classmethod
    def build(
        cls,
        embeddings,
        ids,
        path: str | Path,
        *,
        k: int = 100,
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
            parameters: chosen by `choose_parameters` if None.
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
        parameters = parameters or choose_parameters(len(exact), exact.dim, k)
        parameters.check(len(exact), exact.dim)
        refuse_foreign(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_name(f".{path.name}.partial")
        shutil.rmtree(temporary, ignore_errors=True)  # of a build that was killed
        temporary.mkdir()
        try:
            source = temporary / "embeddings.npy"
            np.save(source, exact.embeddings.astype(np.float32, copy=False))
            result = build_in_child(source, temporary, parameters)
            source.unlink()
            if result["recall"] < min_recall:
                raise IndexFolderError(
                    f"the index finds {result['recall']:.3f} of the {parameters.num_neighbors} "
                    f"exact neighbours, less than {min_recall}: give it more candidates "
                    "(reorder) or leaves (leaves_to_search), or search exactly"
                )
            if exact.ids is not None:
                write_npy(temporary / IDS, exact.ids)
            write_manifest(
                temporary,
                num_rows=len(exact),
                dim=exact.dim,
                parameters=parameters.to_dict(),
                fingerprint=fingerprint,
                **result,
            )
            put_in_place(temporary, path)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)
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
        parameters = ScannParameters.from_dict(manifest["parameters"])
        index = cls(path, parameters, read_ids(path, manifest), manifest["fingerprint"])
        if check:
            index._check_recall(path, manifest["recall"], min_recall, report)
        return index

    def _check_recall(self, path, recall_when_built, min_recall, report) -> None:
        k = self.parameters.num_neighbors
        self.recall = recall_against_exact(self.search, self.vectors, k)
        least = recall_when_built - _ALLOWED_LOSS if min_recall is None else min_recall
        if self.recall < least:
            raise IndexFolderError(
                f"{path} finds {self.recall:.3f} of the {k} exact neighbours of its own rows; "
                f"at least {least:.3f} was expected ({recall_when_built:.3f} when it was built). "
                "Its parts do not belong together: build it again"
            )
        report(
            f"ScaNN index {path}: {len(self)} rows of {self.dim}, {self.parameters.method}, "
            f"recall@{k} {self.recall:.4f} against exact search"
        )


def open_index(
    path: str | Path,
    *,
    check: bool = True,
    fingerprint: str | None = None,
    report: Callable[[str], None] = print,
) -> ScannIndex | ExactIndex:
    """A saved index, searched with ScaNN where it works here, and exactly where it does not.

    Args and errors are those of `ScannIndex.load`, ImportError apart: without ScaNN (no wheel for
    this system, another TensorFlow) `report` gets one line, and the rows are searched exactly.
    """
    path = Path(path)
    manifest = read_manifest(path, fingerprint=fingerprint, digests=False)
    try:
        import_scann()
    except ImportError as error:
        report(f"{error}; {path} is searched exactly, with the same results or better, slower")
        manifest = read_manifest(path, fingerprint=fingerprint, digests=check)
        vectors = read_npy(path / VECTORS, what="rows of the index", mmap=True)
        return ExactIndex(vectors, read_ids(path, manifest))
    return ScannIndex.load(path, check=check, fingerprint=fingerprint, report=report)
