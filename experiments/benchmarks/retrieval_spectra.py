"""Where embeddings lie: their mean, and the spectra between and within classes.

Two spectra of this project's own models are built in. Neither is of GLDv2.

`demo` is of the network that `make demo` trains, on 6,632 index pictures of 475 rendered landmarks
that it never saw (`python -m tfrecords_tools demo --landmarks 500 --seed 7 --index-per-landmark 14
--images-per-landmark 4 --queries-per-landmark 1`, converted, `python -m experiments.embed`). The
spectra of its two halves, by landmark, agree within a tenth or so up to rank 129. What is drawn
from it is harder to search than what it was measured on: from the median query the 100 nearest of
some 6,200 rows spread as in 15.5 dimensions where the embeddings' own spread as in 7.8 (the
maximum-likelihood estimate of Levina and Bickel 2004).

`photographs` is of mobilenet_v2_arcface (seed 0, its demo size, fine-tuned on 809 photographs), on
758 index photographs of 36 landmarks. So few tell of no more than the first ranks between classes;
from rank 17 on that spectrum is made to fall as the one within classes does, which is a guess: 872
classes of real embeddings fall faster. For the photographs, real and drawn cosines to the nearest
of the own class are 0.87 and 0.87, of another 0.77 and 0.71, to the 10th 0.81 and 0.81, to the
100th 0.65 and 0.61. At GLDv2's size the guess makes a set unlike real ones: from the 100th to the
1,000th neighbour the dimension rises from 26 to 37, and the nearest row is of the own class for
99 % of the queries; for 78,480 real embeddings these are 21, 19 and 60 %.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class _Measured:
    """Shares of the mean squared length, and eigenvalues by rank (in thousandths of their sum)."""

    source: str
    mean_share: float
    between_share: float
    within_share: float
    between: dict[int, float]
    within: dict[int, float]


_BUILT_IN = {
    "demo": _Measured(
        "the spectrum of the demo's own inception_v200 on 6,632 pictures of 475 rendered landmarks",
        mean_share=0.499,
        between_share=0.208,
        within_share=0.294,
        between={
            1: 258.6, 2: 181.5, 3: 140.0, 5: 71.2, 9: 21.9, 17: 4.96, 33: 0.869, 65: 0.179,
            129: 0.041,
        },
        within={
            1: 123.1, 2: 95.0, 3: 88.7, 5: 66.4, 9: 34.8, 17: 9.66, 33: 3.77, 65: 1.226, 129: 0.447,
            257: 0.154, 501: 0.0438, 1025: 0.0064,
        },
    ),
    "photographs": _Measured(
        "the spectrum of mobilenet_v2_arcface, fine-tuned, on 758 photographs",
        mean_share=0.552,
        between_share=0.276,
        within_share=0.218,
        between={1: 296.1, 2: 219.8, 3: 217.4, 5: 186.0, 9: 125.2, 17: 64.3},
        within={
            1: 92.25, 2: 84.41, 3: 61.16, 5: 51.28, 9: 36.43, 17: 23.49, 33: 12.36, 65: 7.10,
            129: 3.66, 257: 1.56, 501: 0.44,
        },
    ),
}  # fmt: skip
BUILT_IN = tuple(_BUILT_IN)


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


def built_in(dim: int, name: str = "demo") -> Spectrum:
    """A spectrum of this project's own models, one of `BUILT_IN`, for any dimension."""
    measured = _BUILT_IN[name]
    ranks = np.log(np.arange(1, dim + 1))
    within = _continued(measured.within, ranks)
    between = _continued(measured.between, ranks)
    last = max(measured.between)
    later = np.arange(dim) >= last
    if later.any():
        between[later] = within[later] * measured.between[last] / measured.within[last]
    mean = np.zeros(dim)
    # The mean is no eigenvector of either; along the last axis it costs neither anything.
    mean[-1] = math.sqrt(measured.mean_share)
    return Spectrum(
        mean,
        np.diag(np.sqrt(between * measured.between_share / between.sum())),
        np.diag(np.sqrt(within * measured.within_share / within.sum())),
        measured.source,
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
