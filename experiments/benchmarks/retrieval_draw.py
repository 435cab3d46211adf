"""Vectors like a network's embeddings, as many as wanted: their spectrum, and a long tail.

A row is drawn in three steps and divided by its length:

    centre of its class = mean + between-class spectrum x normal noise
    its kind of picture = one of `_KINDS`, a tree: what pictures of unlike landmarks share
    row = centre + within-class spectrum x (kind + the rest as normal noise)

Kinds are why a Gaussian around each class will not do. On 78,480 x 128 real embeddings of 872
landmarks the nearest row of the own class has cosine 0.73 and that of another 0.71; a Gaussian of
the same covariances gives 0.60 and 0.62. Number and shares of kinds were set on those rows, to
agree in the cosines to the 1st, 10th, 100th and 1,000th neighbour (real 0.76, 0.68, 0.59, 0.48;
drawn 0.74, 0.67, 0.59, 0.47), with 0.71 and 0.72 for the nearest of the own class and of others.
For the 758 photographs that the built-in spectrum is of, real and drawn: own class 0.87 and 0.87,
another 0.77 and 0.71, 10th 0.81 and 0.81, 100th 0.65 and 0.61.

Class sizes are log-normal with sigma 1.344. Three published facts of GLDv2's train set (Weyand et
al. 2020: 57 % of classes have at most 10 images, 38 % at most 5; 4,132,914 images of 203,094
landmarks) are met by it: the first two give sigma 1.344 and mu 2.115, and these the mean of 20.4
that the third has. The index has 761,757 images of 101,302 landmarks, 7.52 a landmark.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

MEAN_CLASS_SIZE = 761_757 / 101_302
_SIGMA = 1.344
_CHUNK = 32_768

# Levels of the tree of kinds, and each level's share of the within-class variance.
_KINDS = (4, 64)
_SHARES = (0.20, 0.35)

# Eigenvalues by rank, measured on 758 index photographs of 36 landmarks embedded by this project's
# mobilenet_v2_arcface (seed 0, its demo size, fine-tuned on 809 photographs of 30 other and the
# same landmarks). 36 classes tell of no more than the first ranks between classes; from rank 17 on
# that spectrum falls as the one within classes does.
_MEAN_SHARE = 0.552  # squared length of the mean of all rows
_BETWEEN_SHARE, _WITHIN_SHARE = 0.276, 0.218
_BETWEEN = {1: 296.1, 2: 219.8, 3: 217.4, 5: 186.0, 9: 125.2, 17: 64.3}
_WITHIN = {
    1: 92.25, 2: 84.41, 3: 61.16, 5: 51.28, 9: 36.43, 17: 23.49, 33: 12.36, 65: 7.10, 129: 3.66,
    257: 1.56, 501: 0.44,
}  # fmt: skip


@dataclass(frozen=True)
class Spectrum:
    """Where embeddings lie: around a mean, classes around it, rows around their class.

    Attributes:
        mean: (D,) mean of all rows.
        between: (D, D); times standard normal noise, the offset of a class' centre.
        within: (D, D); times standard normal noise, the offset of a row from its centre.
        source: what it was measured on, in words.
    """

    mean: np.ndarray
    between: np.ndarray
    within: np.ndarray
    source: str


def built_in(dim: int) -> Spectrum:
    """The spectrum of this project's own model (see the constants), for any dimension."""
    ranks = np.log(np.arange(1, dim + 1))
    within = _continued(_WITHIN, ranks)
    between = _continued(_BETWEEN, ranks)
    later = np.arange(dim) >= max(_BETWEEN)
    if later.any():
        between[later] = within[later] * _BETWEEN[max(_BETWEEN)] / _WITHIN[max(_BETWEEN)]
    mean = np.zeros(dim)
    # The mean is no eigenvector of either; along the last axis it costs neither anything.
    mean[-1] = math.sqrt(_MEAN_SHARE)
    return Spectrum(
        mean,
        np.diag(np.sqrt(between * _BETWEEN_SHARE / between.sum())),
        np.diag(np.sqrt(within * _WITHIN_SHARE / within.sum())),
        "the spectrum of mobilenet_v2_arcface, fine-tuned, on 758 photographs",
    )


def _continued(knots: dict[int, float], log_ranks: np.ndarray) -> np.ndarray:
    """Eigenvalues by a power law between knots, and on by that of the last two."""
    ranks, values = np.log(list(knots)), np.log(list(knots.values()))
    slope = (values[-1] - values[-2]) / (ranks[-1] - ranks[-2])
    beyond = values[-1] + slope * (log_ranks - ranks[-1])
    return np.exp(np.where(log_ranks > ranks[-1], beyond, np.interp(log_ranks, ranks, values)))


def measured(embeddings: np.ndarray, labels: np.ndarray, source: str) -> Spectrum:
    """The spectrum of labelled embeddings.

    Args:
        embeddings: (N, D) unit rows.
        labels: (N,) the class of each.
        source: what they are, in words.

    Raises:
        ValueError: fewer than two classes, or none with two rows.
    """
    _, labels, counts = np.unique(labels, return_inverse=True, return_counts=True)
    if len(counts) < 2 or counts.max() < 2:
        raise ValueError(
            "a spectrum is measured on at least two classes, one of them with two rows or more. "
            f"Received: {len(counts)} classes, the largest with {counts.max(initial=0)}."
        )
    rows = np.asarray(embeddings, np.float64)
    centres = np.zeros((len(counts), rows.shape[1]))
    np.add.at(centres, labels, rows)
    centres /= counts[:, None]
    rest = rows - centres[labels]
    within = rest.T @ rest / (len(rows) - len(counts))
    # Means of few rows scatter by the rows' own variance as well.
    between = np.cov(centres.T) - within * np.mean(1 / counts)
    return Spectrum(rows.mean(axis=0), _root(between), _root(within), source)


def _root(covariance: np.ndarray) -> np.ndarray:
    """(D, D) factor F with F F' = covariance, its columns by falling variance."""
    values, vectors = np.linalg.eigh(covariance)
    return vectors[:, ::-1] * np.sqrt(np.maximum(values[::-1], 0))


def at_dimension(spectrum: Spectrum, dim: int) -> Spectrum:
    """The same spectrum in another dimension: the largest eigenvalues, or continued by the power
    law of their last half; total variances stay."""
    if dim == len(spectrum.mean):
        return spectrum
    factors = []
    for factor in (spectrum.between, spectrum.within):
        values = (factor**2).sum(axis=0)
        values = values[values > values[0] * 1e-9]
        knots = {rank: values[rank - 1] for rank in range(1, len(values) + 1)}
        if dim > len(values):
            half = max(1, len(values) // 2)
            keep = (*range(1, half + 1), len(values))
            knots = {rank: values[rank - 1] for rank in keep} if half > 1 else {1: 1.0, 2: 0.5}
        drawn = _continued(knots, np.log(np.arange(1, dim + 1)))
        factors.append(np.diag(np.sqrt(drawn * values.sum() / drawn.sum())))
    mean = np.zeros(dim)
    mean[-1] = np.linalg.norm(spectrum.mean)
    return Spectrum(mean, *factors, f"{spectrum.source}, taken to {dim} dimensions")


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
