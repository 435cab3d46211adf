"""What the search benchmark measures of ours, behind the methods of `retrieval_peers.Peer`; and
every subject's title."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

TITLES = {
    "exact": "ExactIndex",
    "product": "the bare matrix product",
    "scann": "ScaNN, by our rule",
    "scann_soar": "ScaNN, tree with SOAR",
    "scann_tree": "ScaNN, tree without SOAR",
    "faiss_hnsw": "faiss HNSW",
    "faiss_ivfpq": "faiss IVF-PQ fast-scan, re-ranked",
    "hnswlib": "hnswlib",
    "usearch": "usearch",
    "nmslib": "nmslib (tensorflow-similarity's default)",
}
OURS = ("exact", "product", "scann", "scann_soar", "scann_tree")
EXHAUSTIVE = ("exact", "product")

_SOAR_LAMBDA = 1.5
_LEAVES = (0.125, 0.25, 0.5, 1.0, 2.0)  # of the rule's leaves to search
_CANDIDATES = (0.5, 1.0, 2.0)  # of the rule's rows to re-order
_PRODUCT_QUERIES, _PRODUCT_ROWS = 1_024, 8_192


class Exact:
    """`ExactIndex` over a memory-mapped file: there is nothing to build."""

    def __init__(self, rows: int, dim: int, k: int):
        self.k = k

    def build(self, vectors: Path, folder: Path) -> dict:
        """A link: the file is the index."""
        (folder / "index.npy").hardlink_to(vectors)
        return {}

    def load(self, folder: Path) -> None:
        from landmarks_tf.retrieval.exact import ExactIndex

        self._index = ExactIndex(np.load(folder / "index.npy"))

    def points(self) -> list[dict]:
        return [{}]

    def search(self, queries: np.ndarray, point: dict) -> np.ndarray:
        return self._index.search(queries, self.k)[1]

    def version(self) -> str:
        return f"numpy {np.__version__}"


class Product(Exact):
    """What no exhaustive search can do without: queries times index, and nothing kept of it."""

    def load(self, folder: Path) -> None:
        self._rows = np.load(folder / "index.npy")

    def search(self, queries: np.ndarray, point: dict) -> np.ndarray:
        # Scores of all rows at once would be gigabytes; a block of them is written over and over.
        block = np.empty((_PRODUCT_QUERIES, _PRODUCT_ROWS), np.float32)
        for start in range(0, len(queries), _PRODUCT_QUERIES):
            part = queries[start : start + _PRODUCT_QUERIES]
            for first in range(0, len(self._rows), _PRODUCT_ROWS):
                rows = self._rows[first : first + _PRODUCT_ROWS]
                np.matmul(part, rows.T, out=block[: len(part), : len(rows)])
        return np.empty((0, self.k), np.int64)


class Scann:
    """`ScannIndex` with parameters near those of `choose_parameters`."""

    def __init__(self, rows: int, dim: int, k: int):
        self.rows, self.dim, self.k = rows, dim, k
        self.parameters = self._chosen()

    def _chosen(self):
        from landmarks_tf.retrieval.parameters import choose_parameters

        return choose_parameters(self.rows, self.dim, self.k)

    def build(self, vectors: Path, folder: Path) -> dict:
        from landmarks_tf.retrieval.scann_index import ScannIndex

        ScannIndex.build(
            np.load(vectors, mmap_mode="r"),
            None,
            folder / "index",
            k=self.k,
            parameters=self.parameters,
            min_recall=0.0,
            report=lambda _: None,
        )
        return self.parameters.to_dict()

    def load(self, folder: Path) -> None:
        from landmarks_tf.retrieval.scann_index import ScannIndex

        self._index = ScannIndex.load(folder / "index", check=False)
        self.parameters = self._index.parameters

    def points(self) -> list[dict]:
        """The setting as built, marked `chosen`, and those around it."""
        found = []
        parameters = self.parameters
        if parameters.method == "brute_force":
            return [{"chosen": True}]
        for leaves in _LEAVES if parameters.method == "tree_hashing" else (1.0,):
            for candidates in _CANDIDATES:
                point = {"reorder": _between(parameters.reorder * candidates, self.k, self.rows)}
                if parameters.method == "tree_hashing":
                    wanted = parameters.leaves_to_search * leaves
                    point["leaves_to_search"] = _between(wanted, 1, parameters.num_leaves)
                if point not in found:
                    found.append(point)
        return [point | self._mark(point) for point in found]

    def _mark(self, point: dict) -> dict:
        same = all(getattr(self.parameters, name) == value for name, value in point.items())
        return {"chosen": True} if same else {}

    def search(self, queries: np.ndarray, point: dict) -> np.ndarray:
        settings = {name: value for name, value in point.items() if name != "chosen"}
        self._index.parameters = replace(self.parameters, **settings)
        return self._index.search(queries, self.k)[1]

    def version(self) -> str:
        from landmarks_tf.retrieval.scann_search import scann_version

        return f"scann {scann_version()}"


class ScannTree(Scann):
    """A tree, whatever the rule says, without SOAR."""

    soar_lambda = 0.0

    def _chosen(self):
        from landmarks_tf.retrieval.parameters import (
            MIN_ROWS_PER_LEAF,
            TREE_FROM,
            choose_parameters,
        )

        large = choose_parameters(max(self.rows, TREE_FROM), self.dim, self.k)
        leaves = max(1, min(round(self.rows**0.5), self.rows // MIN_ROWS_PER_LEAF))
        return replace(
            large,
            num_leaves=leaves,
            leaves_to_search=max(1, -(-leaves * large.leaves_to_search // large.num_leaves)),
            reorder=min(large.reorder, self.rows),
            training_sample_size=min(large.training_sample_size, self.rows),
            soar_lambda=self.soar_lambda,
        )


class ScannSoar(ScannTree):
    """A tree with SOAR."""

    soar_lambda = _SOAR_LAMBDA


def _between(value: float, lowest: int, highest: int) -> int:
    return int(max(lowest, min(round(value), highest)))


def repeated(rows: int, dim: int, k: int) -> set[str]:
    """Those of the trees that the rule chooses anyway: measured once, as "scann"."""
    chosen = Scann(rows, dim, k).parameters
    made = {"scann_soar": ScannSoar, "scann_tree": ScannTree}
    return {name for name, kind in made.items() if kind(rows, dim, k).parameters == chosen}


def find_subject(name: str):
    """The class of a subject."""
    from experiments.benchmarks.retrieval_peers import PEERS

    ours = {
        "exact": Exact,
        "product": Product,
        "scann": Scann,
        "scann_soar": ScannSoar,
        "scann_tree": ScannTree,
    }
    return (ours | PEERS)[name]


def folder_bytes(folder: Path) -> int:
    """Size of all files of an index."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
