"""Parameters of a ScaNN index, chosen from its size and the recall that is wanted.

Brute force below 20,000 rows is ScaNN's own advice (its docs). Above, a tree with codes of one
principal axis each: on 78,480 real landmark embeddings of 128 dimensions that beat hashing without
a tree (0.985 of 100 neighbours at a third of the speed) and codes of two dimensions, which need
2.5 times the candidates. The numbers here were set on those embeddings, with queries that were not
among the rows. Vectors whose variance is spread evenly over all axes want other ones: `tune` finds
them. SOAR is left off: there it gave the recall of twice the leaves, at their price. On 761,757
drawn rows of 512 it pays from recall 0.97 on (experiments/results/retrieval.md).
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, fields, replace
from typing import Literal

BRUTE_FORCE_BELOW = 20_000
# The fast "global top-N" path of LUT16 hashing adds up at most this many blocks; beyond it ScaNN
# falls back to a slower path without a word.
MAX_BLOCKS = 256
MIN_ROWS_PER_LEAF = 50
# Of fewer dimensions than this none is spared: codes of all of them are as cheap.
_PROJECT_FROM = 65
_MEASURED_ROWS, _MEASURED_K = 78_480, 100
_LARGEST_SAMPLE = 250_000
_LEAVES = 2  # of the root of the rows

Method = Literal["brute_force", "hashing", "tree_hashing"]


@dataclass(frozen=True)
class ScannParameters:
    """Everything that decides how a ScaNN index is built and searched.

    Attributes:
        method: "brute_force" (every row, float32), "hashing" (asymmetric hashing of every row,
            then re-ordering) or "tree_hashing" (the same in the nearest leaves only).
        num_neighbors: k that a search without its own k returns; the k of the self-check.
        num_leaves: leaves of the tree; 0 without one.
        leaves_to_search: leaves looked into for each query; 0 without a tree.
        projected_dim: axes (principal ones of the rows) that leaves and codes are made of; 0 for
            all of the row's own. Scores are exact all the same: re-ordering reads whole rows.
        dimensions_per_block: dimensions that share one 4-bit code.
        reorder: candidates whose exact score is computed.
        anisotropic_threshold: T of anisotropic vector quantisation (Guo et al. 2020); 0.2 is for
            inner products of unit vectors.
        soar_lambda: weight of SOAR's second, orthogonal assignment (Sun et al. 2023); 0 is off.
        tree_anisotropy: how much more an error along a row weighs than one across it when the
            tree's centres are learnt (ScaNN's `avq` of a tree); 0 is off.
        training_sample_size: rows that k-means is trained with.
    """

    method: Method
    num_neighbors: int
    num_leaves: int = 0
    leaves_to_search: int = 0
    dimensions_per_block: int = 2
    reorder: int = 0
    anisotropic_threshold: float = 0.2
    soar_lambda: float = 0.0
    tree_anisotropy: float = 0.0
    projected_dim: int = 0
    training_sample_size: int = 100_000

    def to_dict(self) -> dict:
        """A JSON-able copy."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: dict) -> ScannParameters:
        """The inverse of `to_dict`.

        Raises:
            ValueError: for a name that is not a parameter, or one that is missing.
        """
        known = {field.name for field in fields(cls)}
        if unknown := set(values) - known:
            raise ValueError(f"not a ScaNN parameter: {', '.join(sorted(unknown))}")
        if missing := {"method", "num_neighbors"} - set(values):
            raise ValueError(f"ScaNN parameters lack {', '.join(sorted(missing))}")
        return cls(**values)

    def fitted_to(self, num_rows: int) -> ScannParameters:
        """The same for an index of another number of rows: what is too much for it is cut."""
        num_leaves = min(self.num_leaves, max(1, num_rows // MIN_ROWS_PER_LEAF))
        if self.method == "brute_force" or num_rows < MIN_ROWS_PER_LEAF:
            k = min(self.num_neighbors, num_rows)
            return ScannParameters("brute_force", k, training_sample_size=num_rows)
        return replace(
            self,
            num_neighbors=min(self.num_neighbors, num_rows),
            num_leaves=num_leaves if self.num_leaves else 0,
            leaves_to_search=min(self.leaves_to_search, num_leaves),
            reorder=min(self.reorder, num_rows),
            projected_dim=min(self.projected_dim, num_rows),
            training_sample_size=min(self.training_sample_size, num_rows),
        )

    def check(self, num_rows: int, dim: int) -> None:
        """Raises unless an index of (num_rows, dim) can be built with these without an abort.

        ScaNN itself answers some of these with a crash of the process or a slow index.

        Raises:
            ValueError: saying which parameter, its range, and its value.
        """
        _require(self.method in ("brute_force", "hashing", "tree_hashing"), "method", self.method)
        _in_range("num_neighbors", self.num_neighbors, 1, num_rows)
        if self.method == "brute_force":
            return
        if self.projected_dim:
            _in_range("projected_dim", self.projected_dim, 1, min(dim, num_rows))
            dim = self.projected_dim
        _in_range("dimensions_per_block", self.dimensions_per_block, 1, dim)
        blocks = math.ceil(dim / self.dimensions_per_block)
        if blocks > MAX_BLOCKS:
            raise ValueError(
                f"dimensions_per_block {self.dimensions_per_block} cuts {dim} dimensions into "
                f"{blocks} blocks; more than {MAX_BLOCKS} leave ScaNN's fast path: use at least "
                f"{math.ceil(dim / MAX_BLOCKS)}"
            )
        _in_range("reorder", self.reorder, self.num_neighbors, num_rows)
        _in_range("training_sample_size", self.training_sample_size, 1, num_rows)
        # 16 codes a block are learnt from the sample.
        _require(num_rows >= 16, "number of rows for hashing (at least 16)", num_rows)
        if self.method == "tree_hashing":
            _in_range("num_leaves", self.num_leaves, 1, num_rows // MIN_ROWS_PER_LEAF)
            _in_range("leaves_to_search", self.leaves_to_search, 1, self.num_leaves)


def choose_parameters(
    num_rows: int, dim: int, k: int = 100, recall: float = 0.99
) -> ScannParameters:
    """Parameters for an index of `num_rows` x `dim` from which `k` neighbours are wanted.

    Args:
        num_rows: rows of the index, at least 1.
        dim: D, at least 1.
        k: neighbours wanted; cut to `num_rows`.
        recall: share of them that is wanted, 0 < recall <= 1. It is aimed at, not promised:
            embeddings differ, and `ScannIndex` measures what came of it.

    Raises:
        ValueError: for a number out of its range.
    """
    for name, value in (("num_rows", num_rows), ("dim", dim), ("k", k)):
        if value < 1:
            raise ValueError(f"{name} must be at least 1, received {value}")
    if not 0 < recall <= 1:
        raise ValueError(f"recall must lie above 0 and be at most 1, received {recall}")
    k = min(k, num_rows)
    if num_rows < BRUTE_FORCE_BELOW:
        return ScannParameters("brute_force", k, training_sample_size=num_rows)
    # Decades of misses: 2 of a recall of 0.99, 3 of 0.999.
    decades = -math.log10(max(1 - recall, 1e-5))
    num_leaves = min(round(_LEAVES * math.sqrt(num_rows)), num_rows // MIN_ROWS_PER_LEAF)
    # Fitted to recalls of 0.95 to 0.999; in a larger set the same neighbours lie in fewer leaves.
    share = (0.031 + 0.023 * decades) * decades
    share *= (_MEASURED_ROWS / num_rows * k / _MEASURED_K) ** 0.25
    return ScannParameters(
        "tree_hashing",
        num_neighbors=k,
        num_leaves=num_leaves,
        leaves_to_search=math.ceil(num_leaves * min(1.0, max(0.01, share))),
        reorder=min(num_rows, math.ceil(k * max(1.2, 0.6 + 0.8 * decades))),
        dimensions_per_block=1,
        projected_dim=0 if dim < _PROJECT_FROM else min(MAX_BLOCKS, 3 * dim // 4),
        tree_anisotropy=4.0,
        training_sample_size=min(num_rows, _LARGEST_SAMPLE),
    )


def _in_range(name: str, value: int, lowest: int, highest: int) -> None:
    if not lowest <= value <= highest:
        raise ValueError(f"{name} must be between {lowest} and {highest}, received {value}")


def _require(condition: bool, name: str, value) -> None:
    if not condition:
        raise ValueError(f"{name}: {value!r} is not possible")
