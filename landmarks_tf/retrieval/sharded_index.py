"""An index in parts: each built and searched on its own, the answers merged to those of one.

    index/manifest.json             the parts, their rows and what they were made from
    index/part-00000/ ...           each an index of its own, ScaNN's or exact

Parts are built one after the other, or each by another machine on a shared disk; those that are
there are not built again. Rows are numbered through: part 1 begins where part 0 ends.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np

from landmarks_tf.retrieval.exact_folder import save_exact
from landmarks_tf.retrieval.files import read_json, write_json
from landmarks_tf.retrieval.index_folder import put_in_place, refuse_foreign
from landmarks_tf.retrieval.opening import open_index
from landmarks_tf.retrieval.ranking_merge import merge_rankings
from landmarks_tf.retrieval.scann_index import ScannIndex
from landmarks_tf.retrieval.sharded_folder import (
    checked_part,
    part_folder,
    read_sharded_manifest,
    write_sharded_manifest,
)
from landmarks_tf.retrieval.vectors import as_matrix, check_ids, check_k, check_unit_rows

_SOURCE = ".source.json"


class ShardedIndex:
    """Searches the parts one after the other; made by `ShardedIndex.build` or `.load`.

    Attributes:
        parts: the indexes.
        offsets: number of each part's first row.
        ids: image id of each row number ("" in parts that are not open), or None.
        fingerprint: what made the embeddings.
    """

    kind = "sharded"

    def __init__(self, parts: Sequence, offsets: Sequence[int], fingerprint: str = ""):
        self.parts, self.offsets, self.fingerprint = list(parts), list(offsets), fingerprint
        self.ids = _gathered_ids(self.parts, self.offsets)

    def __len__(self) -> int:
        return sum(map(len, self.parts))

    @property
    def dim(self) -> int:
        """D, the length of a row."""
        return self.parts[0].dim

    def search(self, queries, k: int) -> tuple[np.ndarray, np.ndarray]:
        """The k best rows of all parts, as one index over all of them would give them.

        Args:
            queries: (Q, D) unit rows.
            k: 1 to the rows of all opened parts.

        Returns:
            scores (Q, k) float32, falling; rows (Q, k) int64, equal scores by rising row.

        Raises:
            EmbeddingError: for queries of another dimension, with NaN, or not unit long.
            ValueError: for a k that is not between 1 and `len`.
        """
        k = check_k(k, len(self))
        queries = as_matrix(queries, name="queries", dim=self.dim)
        check_unit_rows(queries, name="queries")
        return merge_rankings(self._rankings(queries, k), k)

    def _rankings(self, queries: np.ndarray, k: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        for part, offset in zip(self.parts, self.offsets, strict=True):
            scores, rows = part.search(queries, min(k, len(part)))
            yield scores, rows + offset

    @classmethod
    def build(
        cls,
        embeddings,
        ids,
        path: str | Path,
        *,
        parts: int,
        only: Sequence[int] | None = None,
        kind: str = "scann",
        k: int = 100,
        recall: float = 0.99,
        fingerprint: str = "",
        report: Callable[[str], None] = print,
        progress: bool = False,
    ) -> ShardedIndex | None:
        """Builds what is missing, and the whole once nothing is.

        Killed, it continues where it was: a part is whole or not there, and one that was made
        from other rows, or in another way, is built again.

        Args:
            embeddings: (N, D) unit rows; a memory-mapped file is read part by part.
            ids: (N,) image ids, or None.
            path: the folder to make. An index that is there is replaced once the new one is
                whole; a folder that is no index is left alone. Until then the parts lie in
                `.NAME.parts` beside it.
            parts: how many, 1 to N; they differ by at most one row.
            only: numbers of the parts to build here; the call after which none is missing makes
                the whole. None for all.
            kind: "scann" or "exact".
            k: neighbours that searches will want.
            recall: share of them that is wanted (ScaNN's parameters).
            fingerprint: names what made the embeddings.
            report: gets a line for each part.
            progress: show a progress bar over the parts.

        Returns:
            The index, or None while parts are missing.

        Raises:
            EmbeddingError, ValueError: for embeddings, ids or numbers of parts that do not fit.
            ScannBuildError: if ScaNN failed or was killed.
            IndexFolderError: if `path` is something else.
        """
        from tqdm import tqdm

        path = Path(path)
        embeddings = as_matrix(embeddings, name="the index")
        ids = check_ids(ids, len(embeddings))
        bounds = _bounds(len(embeddings), parts)
        wanted = _wanted(only, parts)
        if kind not in ("scann", "exact"):
            raise ValueError(f'kind must be "scann" or "exact", received {kind!r}')
        refuse_foreign(path)
        making = path.with_name(f".{path.name}.parts")
        making.mkdir(parents=True, exist_ok=True)
        how = {"kind": kind, "k": k, "recall": recall, "fingerprint": fingerprint, "parts": parts}
        missing = []
        for number in tqdm(range(parts), desc="build parts", unit=" parts", disable=not progress):
            rows = slice(bounds[number], bounds[number + 1])
            part, part_ids = part_folder(making, number), None if ids is None else ids[rows]
            made_from = {"digest": _digest(embeddings[rows], part_ids, how)}
            if _source(part).exists() and read_json(_source(part), what="part") == made_from:
                report(f"{part.name} is there already")
            elif number in wanted:
                _build_part(part, embeddings[rows], part_ids, how, report)
                write_json(_source(part), made_from)
            else:
                missing.append(number)
        if missing:
            report(f"{path}: {len(missing)} of {parts} parts are still to be built: {missing}")
            return None
        write_sharded_manifest(making, bounds, embeddings.shape[1], how)
        put_in_place(making, path)
        return cls.load(path, report=report)

    @classmethod
    def load(
        cls,
        path: str | Path,
        *,
        parts: Sequence[int] | None = None,
        check: bool = True,
        fingerprint: str | None = None,
        report: Callable[[str], None] = print,
    ) -> ShardedIndex:
        """Opens an index, or some parts of it.

        Args:
            path: the folder.
            parts: numbers of the parts to open, None for all. Rows keep their numbers in the
                whole, so answers of several machines go through `merge_rankings`.
            check: check each part as `open_index` does.
            fingerprint: what must have made the embeddings; None accepts any.
            report: gets a line for each part.

        Raises:
            FileNotFoundError: if there is no finished index, or a part is missing.
            IndexFolderError: if a part was changed or replaced, or another model made it.
        """
        path = Path(path)
        manifest, how = read_sharded_manifest(path, fingerprint), {"check": check, "report": report}
        opened, offsets = [], []
        for number in _wanted(parts, len(manifest["parts"])):
            opened.append(open_index(checked_part(path, manifest, number), **how))
            offsets.append(manifest["parts"][number]["first_row"])
        return cls(opened, offsets, manifest["fingerprint"])


def _gathered_ids(parts: Sequence, offsets: Sequence[int]) -> np.ndarray | None:
    """ids[row] by row number of the whole; "" where a part is not open."""
    if parts[0].ids is None:
        return None
    width = max(part.ids.dtype.itemsize for part in parts) // np.dtype("U1").itemsize
    ids = np.zeros(offsets[-1] + len(parts[-1].ids), f"U{max(1, width)}")
    for part, offset in zip(parts, offsets, strict=True):
        ids[offset : offset + len(part.ids)] = part.ids
    return ids


def _build_part(folder: Path, embeddings, ids, how: dict, report) -> None:
    _source(folder).unlink(missing_ok=True)
    fingerprint = how["fingerprint"]
    if how["kind"] == "exact":
        save_exact(embeddings, ids, folder, fingerprint=fingerprint)
        report(f"{folder.name}: {len(embeddings)} rows, exact")
    else:
        options = {"k": how["k"], "recall": how["recall"], "fingerprint": fingerprint}
        ScannIndex.build(embeddings, ids, folder, **options, report=report)


def _digest(embeddings: np.ndarray, ids: np.ndarray | None, how: dict) -> str:
    digest = hashlib.sha256(json.dumps(how, sort_keys=True).encode())
    digest.update(f"{embeddings.dtype}{embeddings.shape}".encode())
    digest.update(np.ascontiguousarray(embeddings))
    digest.update("\n".join([] if ids is None else ids.tolist()).encode())
    return digest.hexdigest()


def _bounds(num_rows: int, parts: int) -> list[int]:
    if not 1 <= parts <= num_rows:
        raise ValueError(f"parts must be between 1 and the rows ({num_rows}), received {parts}")
    return [num_rows * number // parts for number in range(parts + 1)]


def _wanted(only: Sequence[int] | None, parts: int) -> list[int]:
    wanted = sorted(set(range(parts) if only is None else only))
    if not wanted or wanted[0] < 0 or wanted[-1] >= parts:
        raise ValueError(f"parts are numbered 0 to {parts - 1}, received {wanted}")
    return wanted


def _source(part: Path) -> Path:
    """Says what a finished part was made from; beside it, so that the part stays as it is."""
    return part.with_name(part.name + _SOURCE)
