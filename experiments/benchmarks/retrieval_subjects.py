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

LARGE_FROM = 300_000  # rows of a set like GLDv2's index

_SOAR_LAMBDA = 1.5
_LEAVES = (0.25, 0.5, 1.0, 2.0, 4.0)  # of the rule's leaves to search
_CANDIDATES = (0.5, 1.0, 2.0, 4.0)  # of the rule's rows to re-order
_PRODUCT_QUERIES, _PRODUCT_ROWS = 1_024, 8_192


class Exact:
    """`ExactIndex` over a memory-mapped file: there is nothing to build."""

    def __init__(self, rows: int, dim: int, k: int):
        self.k = k

    def build(self, vectors: Path, folder: Path) -> dict:
        """A link: the file is the index."""
        (folder / "index.npy").symlink_to(vectors.resolve())
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
    """A ScaNN index as `ScannIndex.build` makes it for a recall, and searches around that."""

    by_rule = True

    def __init__(self, rows: int, dim: int, k: int):
        self.rows, self.dim, self.k = rows, dim, k
        self.parameters = self._chosen()

    def _chosen(self):
        from landmarks_tf.retrieval.parameters import choose_parameters

        return choose_parameters(self.rows, self.dim, self.k, wanted_recall(self.rows))

    def build(self, vectors: Path, folder: Path) -> dict:
        from landmarks_tf.retrieval.scann_index import ScannIndex

        index = ScannIndex.build(
            np.load(vectors, mmap_mode="r"),
            None,
            folder / "index",
            k=self.k,
            recall=wanted_recall(self.rows),
            parameters=None if self.by_rule else self.parameters,
            min_recall=0.0,
            report=lambda _: None,
        )
        return index.parameters.to_dict()

    def load(self, folder: Path) -> None:
        from landmarks_tf.retrieval.index_folder import read_manifest
        from landmarks_tf.retrieval.parameters import ScannParameters
        from landmarks_tf.retrieval.scann_search import ScannSearcher

        manifest = read_manifest(folder / "index", fingerprint=None, digests=False)
        # Leaves and candidates are what the recall asked for, once the index was there.
        self.parameters = ScannParameters.from_dict(manifest["parameters"])
        self._searcher = ScannSearcher(folder / "index", self.parameters)

    def points(self) -> list[dict]:
        """The setting as built, marked `chosen`, and those around it."""
        parameters, has_tree = self.parameters, self.parameters.method == "tree_hashing"
        if parameters.method == "brute_force":
            return [{"chosen": True}]
        found: list[dict] = []
        for leaves in _LEAVES if has_tree else (1.0,):
            for candidates in _CANDIDATES:
                point = {"reorder": _between(parameters.reorder * candidates, self.k, self.rows)}
                if has_tree:
                    wanted = parameters.leaves_to_search * leaves
                    point["leaves_to_search"] = _between(wanted, 1, parameters.num_leaves)
                if all(getattr(parameters, name) == value for name, value in point.items()):
                    point["chosen"] = True
                if point not in found:
                    found.append(point)
        return found

    def search(self, queries: np.ndarray, point: dict) -> np.ndarray:
        settings = {name: value for name, value in point.items() if name != "chosen"}
        self._searcher.parameters = replace(self.parameters, **settings)
        return self._searcher.search(queries, self.k)[1]

    def version(self) -> str:
        from landmarks_tf.retrieval.scann_search import scann_version

        return f"scann {scann_version()}"


class ScannTree(Scann):
    """The rule's tree without SOAR; where the rule makes no tree, one of about sqrt(N) leaves."""

    by_rule = False
    soar_lambda = 0.0

    def _chosen(self):
        chosen = super()._chosen()
        if chosen.method == "tree_hashing":
            return replace(chosen, soar_lambda=self.soar_lambda)
        from landmarks_tf.retrieval.parameters import (
            MAX_BLOCKS,
            MIN_ROWS_PER_LEAF,
            ScannParameters,
        )

        leaves = max(1, min(round(self.rows**0.5), self.rows // MIN_ROWS_PER_LEAF))
        return ScannParameters(
            "tree_hashing",
            self.k,
            num_leaves=leaves,
            leaves_to_search=-(-leaves // 10),
            dimensions_per_block=min(self.dim, max(2, -(-self.dim // MAX_BLOCKS))),
            reorder=min(10 * self.k, self.rows),
            soar_lambda=self.soar_lambda,
            training_sample_size=min(self.rows, 250_000),
        )


class ScannSoar(ScannTree):
    """The same with SOAR."""

    soar_lambda = _SOAR_LAMBDA


def wanted_recall(rows: int) -> float:
    """The recall@k that our rule is asked for, and that the targets are about."""
    return 0.98 if rows >= LARGE_FROM else 0.99


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
