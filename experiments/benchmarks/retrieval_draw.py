"""Vectors like a network's embeddings, as many as wanted, from their spectrum, with a long tail.

A row is drawn in three steps and divided by its length:

    centre of its class = mean + between-class spectrum x normal noise
    its kind of picture = one of `_KINDS`, a tree: what pictures of unlike landmarks share
    row = centre + within-class spectrum x (kind + the rest as normal noise)

Kinds are why a Gaussian around each class will not do. On 78,480 x 128 real embeddings of 872
landmarks the nearest row of the own class has cosine 0.73 and that of another 0.71; a Gaussian of
the same covariances gives 0.60 and 0.62. Number and shares of kinds were set on those rows, to
agree in the cosines to the 1st, 10th, 100th and 1,000th neighbour (real 0.76, 0.68, 0.59, 0.48;
drawn 0.74, 0.67, 0.59, 0.47), with 0.71 and 0.72 for the nearest of the own class and of others.
They are searched alike, which was not aimed at: where 20, 82 and 164 of 553 leaves of a ScaNN
tree hold 0.895, 0.990 and 0.996 of the hundred neighbours of real queries, of drawn ones they hold
0.923, 0.993 and 0.998. What it comes to for the built-in spectra is said in `retrieval_spectra`.

Class sizes are log-normal with sigma 1.344. Three published facts of GLDv2's train set (Weyand et
al. 2020: 57 % of classes have at most 10 images, 38 % at most 5; 4,132,914 images of 203,094
landmarks) are met by it: the first two give sigma 1.344 and mu 2.115, and these the mean of 20.4
that the third has. The index has 761,757 images of 101,302 landmarks, 7.52 a landmark.
"""

from __future__ import annotations

import math

import numpy as np

from experiments.benchmarks.retrieval_spectra import Spectrum

MEAN_CLASS_SIZE = 761_757 / 101_302
_SIGMA = 1.344
_CHUNK = 32_768

# Levels of the tree of kinds, and each level's share of the within-class variance.
_KINDS = (4, 64)
_SHARES = (0.20, 0.35)


def class_sizes(num_rows: int, mean_size: float = MEAN_CLASS_SIZE) -> np.ndarray:
    """(C,) sizes of at least 1 that add up to `num_rows`, falling: a log-normal's quantiles.

    Raises:
        ValueError: num_rows below 1, or a mean below 1.
    """
    if num_rows < 1 or mean_size < 1:
        raise ValueError(
            f"rows and their mean number a class are at least 1. Received: {num_rows}, {mean_size}."
        )
    from scipy.special import ndtri

    count = max(1, round(num_rows / mean_size))
    places = (np.arange(count, 0, -1) - 0.5) / count
    quantiles = math.log(mean_size) - _SIGMA**2 / 2 + _SIGMA * ndtri(places)
    sizes = np.maximum(1, np.round(np.exp(quantiles))).astype(np.int64)
    # What rounding and the cut tail leave over falls on the larger half, in proportion.
    while short := num_rows - int(sizes.sum()):
        order = np.arange(count)[: max(1, count // 2)]
        change = np.zeros(count, np.int64)
        change[order] = np.trunc(short * sizes[order] / sizes[order].sum())
        if not change.any():
            change[np.resize(order, abs(short))] = np.sign(short)
        sizes = np.maximum(1, sizes + change)
    return np.sort(sizes)[::-1]


class Drawn:
    """Rows of one made-up set; `chunks` and `queries` give the same numbers each time.

    Args:
        spectrum: where they lie.
        sizes: (C,) rows of each class.
        seed: everything is drawn from it.
    """

    def __init__(self, spectrum: Spectrum, sizes: np.ndarray, seed: int):
        self._spectrum, self._seed, self._sizes = spectrum, seed, sizes
        random = np.random.default_rng([seed, 0])
        dim = len(spectrum.mean)
        noise = random.standard_normal((len(sizes), dim), dtype=np.float32)
        self._centres = (noise @ spectrum.between.T.astype(np.float32)) + spectrum.mean.astype("f4")
        kinds = np.zeros((1, dim), np.float32)
        for count, share in zip(_KINDS, _SHARES, strict=True):
            level = random.standard_normal((count, dim), dtype=np.float32) * math.sqrt(share)
            kinds = np.repeat(kinds, count // len(kinds), axis=0) + level
        self._kinds = kinds
        # In no order, as images come: an index that learns from its first rows must not see
        # the largest classes alone.
        labels = np.repeat(np.arange(len(sizes), dtype=np.int32), sizes)
        self.labels = np.random.default_rng([seed, 1]).permutation(labels)

    def chunks(self):
        """(n, D) float32 unit rows of `labels`, piece by piece."""
        for number, start in enumerate(range(0, len(self.labels), _CHUNK)):
            yield self._rows(self.labels[start : start + _CHUNK], [self._seed, 2, number])

    def queries(self, count: int) -> tuple[np.ndarray, np.ndarray]:
        """(Q, D) further rows, and their classes (Q,): a class comes by its size."""
        random = np.random.default_rng([self._seed, 3])
        labels = random.choice(self.labels, count)
        return self._rows(labels, [self._seed, 4]), labels

    def _rows(self, labels: np.ndarray, seed: list[int]) -> np.ndarray:
        random = np.random.default_rng(seed)
        dim = len(self._spectrum.mean)
        kinds = random.integers(0, len(self._kinds), len(labels))
        rows = random.standard_normal((len(labels), dim), dtype=np.float32)
        rows *= math.sqrt(1 - sum(_SHARES))
        rows += self._kinds[kinds]
        factor = self._spectrum.within.astype(np.float32)
        if np.count_nonzero(factor) <= dim:  # a diagonal: a product is not needed
            rows *= np.diag(factor)
        else:
            rows = rows @ factor.T
        rows += self._centres[labels]
        rows /= np.linalg.norm(rows, axis=1, keepdims=True)
        return rows
