"""Other libraries for approximate nearest neighbours, each behind the same four methods.

They run in an environment of their own (tests/peers/ann_requirements.txt) and need nothing of this
project. Rows are unit long and compared by inner product.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

import numpy as np

_CHUNK = 65_536
# efConstruction of graphs; from so many rows on half of it, or building takes most of the time.
_CONSTRUCTION, _LARGE_CONSTRUCTION, _LARGE = 200, 100, 200_000
_CONNECTIVITY = 16  # M
_BREADTHS = (1.0, 1.5, 2.0, 3.0, 5.0, 8.0, 12.0)  # efSearch by k


def _cores() -> int:
    return len(os.sched_getaffinity(0))


def _pieces(path: Path) -> Iterator[tuple[int, np.ndarray]]:
    """(first row, rows) of a .npy file. Copies: what is mapped would count as memory in use."""
    count = np.load(path, mmap_mode="r").shape[0]
    for start in range(0, count, _CHUNK):
        yield start, np.array(np.load(path, mmap_mode="r")[start : start + _CHUNK])


class Peer:
    """An index of another library.

    Args:
        rows: N.
        dim: D.
        k: neighbours that a search returns.
    """

    package = ""

    def __init__(self, rows: int, dim: int, k: int):
        self.rows, self.dim, self.k = rows, dim, k
        self.construction = _LARGE_CONSTRUCTION if rows >= _LARGE else _CONSTRUCTION

    def build(self, vectors: Path, folder: Path) -> dict:
        """Builds from a .npy file and saves into an empty folder; returns how it was built."""
        raise NotImplementedError

    def load(self, folder: Path) -> None:
        """Opens what `build` saved."""
        raise NotImplementedError

    def points(self) -> list[dict]:
        """Settings of a search, from the fastest on."""
        raise NotImplementedError

    def search(self, queries: np.ndarray, point: dict) -> np.ndarray:
        """(Q, k) row numbers, best first; -1 where it found no more."""
        raise NotImplementedError

    def version(self) -> str:
        """Package and version."""
        return f"{self.package} {metadata.version(self.package)}"

    def _breadths(self, name: str) -> list[dict]:
        widths = [min(self.rows, math.ceil(self.k * factor)) for factor in _BREADTHS]
        return [{name: width} for width in dict.fromkeys(widths)]


class FaissHnsw(Peer):
    """faiss' graph over the vectors as they are."""

    package = "faiss-cpu"

    def build(self, vectors, folder):
        import faiss

        index = faiss.IndexHNSWFlat(self.dim, _CONNECTIVITY, faiss.METRIC_INNER_PRODUCT)
        index.hnsw.efConstruction = self.construction
        for _, rows in _pieces(vectors):
            index.add(rows)
        faiss.write_index(index, str(folder / "index.faiss"))
        return {"M": _CONNECTIVITY, "efConstruction": self.construction}

    def load(self, folder):
        import faiss

        self._index = faiss.read_index(str(folder / "index.faiss"))

    def points(self):
        return self._breadths("efSearch")

    def search(self, queries, point):
        self._index.hnsw.efSearch = point["efSearch"]
        return self._index.search(queries, self.k)[1]


class FaissIvfPq(Peer):
    """faiss' inverted lists of 4-bit codes, two dimensions each, scanned in registers; the best
    are compared again by the vectors themselves."""

    package = "faiss-cpu"
    _points_a_list = 64  # that k-means is trained with

    def _lists(self) -> int:
        """A power of two near twice the root of N."""
        wanted = 2 ** round(math.log2(2 * math.sqrt(self.rows)))
        return max(1, min(wanted, self.rows // 39))

    def build(self, vectors, folder):
        import faiss

        codes = self.dim // 2 if self.dim % 2 == 0 else self.dim
        lists = self._lists()
        index = faiss.index_factory(
            self.dim, f"IVF{lists},PQ{codes}x4fs,RFlat", faiss.METRIC_INNER_PRODUCT
        )
        # Quiet where there are fewer points than it would like.
        base = faiss.downcast_index(index.base_index)
        base.cp.min_points_per_centroid = base.pq.cp.min_points_per_centroid = 1
        base.cp.max_points_per_centroid = self._points_a_list
        rows = np.load(vectors, mmap_mode="r")
        sample = min(self.rows, max(self._points_a_list * lists, 20_000))
        chosen = np.random.default_rng(0).choice(self.rows, sample, replace=False)
        index.train(np.array(rows[np.sort(chosen)]))
        for _, piece in _pieces(vectors):
            index.add(piece)
        faiss.write_index(index, str(folder / "index.faiss"))
        return {"lists": lists, "codes": codes, "bits": 4, "training rows": sample}

    def load(self, folder):
        import faiss

        self._index = faiss.read_index(str(folder / "index.faiss"))

    def points(self):
        lists = self._lists()
        probes = dict.fromkeys(max(1, lists // part) for part in (64, 32, 16, 8, 4))
        factors = [f for f in (2, 4, 10) if f * self.k <= self.rows] or [1]
        return [{"nprobe": probe, "k_factor": f} for probe in probes for f in factors]

    def search(self, queries, point):
        import faiss

        settings = f"nprobe={point['nprobe']},k_factor_rf={point['k_factor']}"
        faiss.ParameterSpace().set_index_parameters(self._index, settings)
        return self._index.search(queries, self.k)[1]


class Hnswlib(Peer):
    """hnswlib, by HNSW's authors."""

    package = "hnswlib"

    def build(self, vectors, folder):
        import hnswlib

        index = hnswlib.Index("ip", self.dim)
        index.init_index(self.rows, M=_CONNECTIVITY, ef_construction=self.construction)
        for start, rows in _pieces(vectors):
            index.add_items(rows, np.arange(start, start + len(rows)), num_threads=_cores())
        index.save_index(str(folder / "index.hnswlib"))
        return {"M": _CONNECTIVITY, "efConstruction": self.construction}

    def load(self, folder):
        import hnswlib

        self._index = hnswlib.Index("ip", self.dim)
        self._index.load_index(str(folder / "index.hnswlib"))

    def points(self):
        return self._breadths("efSearch")

    def search(self, queries, point):
        self._index.set_ef(point["efSearch"])
        return self._index.knn_query(queries, self.k, num_threads=_cores())[0].astype(np.int64)


class Usearch(Peer):
    """usearch, float32."""

    package = "usearch"

    def build(self, vectors, folder):
        from usearch.index import Index

        index = Index(
            ndim=self.dim,
            metric="ip",
            dtype="f32",
            connectivity=_CONNECTIVITY,
            expansion_add=self.construction,
        )
        for start, rows in _pieces(vectors):
            index.add(np.arange(start, start + len(rows)), rows, threads=_cores())
        index.save(str(folder / "index.usearch"))
        return {"M": _CONNECTIVITY, "efConstruction": self.construction}

    def load(self, folder):
        from usearch.index import Index

        self._index = Index.restore(str(folder / "index.usearch"))

    def points(self):
        return self._breadths("efSearch")

    def search(self, queries, point):
        self._index.expansion_search = point["efSearch"]
        matches = self._index.search(queries, self.k, threads=_cores())
        rows = np.asarray(matches.keys).astype(np.int64)
        counts = np.atleast_1d(np.asarray(matches.counts))
        return np.where(np.arange(rows.shape[1]) < counts[:, None], rows, -1)


class Nmslib(Peer):
    """nmslib as tensorflow-similarity leaves it: HNSW by cosine, nothing set (M 16,
    efConstruction 200, efSearch 20); the other points set efSearch."""

    package = "nmslib"

    def _empty(self):
        import nmslib

        return nmslib.init(space="cosinesimil", method="hnsw")

    def build(self, vectors, folder):
        index = self._empty()
        for start, rows in _pieces(vectors):
            index.addDataPointBatch(rows, np.arange(start, start + len(rows), dtype=np.int32))
        index.createIndex(None)
        index.saveIndex(str(folder / "index.nmslib"), save_data=True)
        return {"M": 16, "efConstruction": 200, "set": "nothing, as tensorflow-similarity"}

    def load(self, folder):
        self._index = self._empty()
        self._index.loadIndex(str(folder / "index.nmslib"), load_data=True)

    def points(self):
        return [{"efSearch": "its default"}, *self._breadths("efSearch")]

    def search(self, queries, point):
        ef = point["efSearch"]
        self._index.setQueryTimeParams(None if isinstance(ef, str) else {"efSearch": ef})
        found = self._index.knnQueryBatch(queries, k=self.k, num_threads=_cores())
        rows = np.full((len(queries), self.k), -1, np.int64)
        for place, (numbers, _) in enumerate(found):
            rows[place, : len(numbers)] = numbers
        return rows


PEERS = {
    "faiss_hnsw": FaissHnsw,
    "faiss_ivfpq": FaissIvfPq,
    "hnswlib": Hnswlib,
    "usearch": Usearch,
    "nmslib": Nmslib,
}
