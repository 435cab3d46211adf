"""Whitening: descriptors moved, turned and stretched so that common directions count for less.

* PCA whitening: Jegou and Chum, Negative evidences and co-occurrences in image retrieval,
  ECCV 2012: y = diag(lambda)^-1/2 V^T (x - mean), cut to the first d, divided by its length.
* Learned whitening: Mikolajczyk and Matas, Improving descriptors for fast tree matching by optimal
  linear projection, ICCV 2007, as Radenovic et al. use it (arXiv 1711.02512, section 3.3): the
  differences of matching pairs are whitened, then turned to the axes on which the differences of
  non-matching pairs are largest. All pairs that the labels give take part: their sums of outer
  products have a closed form, so none is drawn and none is looped over.

Both are fitted on training embeddings and applied to queries and index alike.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from landmarks_tf.retrieval.reranking.archives import read_npz, write_npz
from landmarks_tf.retrieval.reranking.ranking import unit_rows
from landmarks_tf.retrieval.vectors import EmbeddingError, as_matrix, check_unit_rows

_FORMAT_VERSION = 1
_ROWS_PER_BLOCK = 16_384


@dataclass(frozen=True)
class Whitening:
    """An affine map with unit rows as its result.

    Attributes:
        mean: (D,) float64.
        projection: (D, d) float64, d <= D; the strongest directions first.
    """

    mean: np.ndarray
    projection: np.ndarray

    def apply(self, vectors, *, name: str = "vectors") -> np.ndarray:
        """(N, D) unit rows -> (N, d) float32 unit rows, blockwise.

        Raises:
            EmbeddingError: another dimension, NaN, or a row at the mean, which has no direction.
        """
        vectors = as_matrix(vectors, name=name)
        if vectors.shape[1] != len(self.mean):
            raise EmbeddingError(
                f"{name} have dimension {vectors.shape[1]}, the whitening was fitted on dimension "
                f"{len(self.mean)}: both must come from the same embedder"
            )
        check_unit_rows(vectors, name=name)
        result = np.empty((len(vectors), self.projection.shape[1]), np.float32)
        for start in range(0, len(vectors), _ROWS_PER_BLOCK):
            part = slice(start, start + _ROWS_PER_BLOCK)
            moved = vectors[part].astype(np.float64) - self.mean
            result[part] = unit_rows(moved @ self.projection, name=f"{name}, whitened,")
        return result

    @property
    def digest(self) -> str:
        """16 hexadecimal digits that name this map."""
        shape = repr(self.projection.shape).encode()
        numbers = (np.ascontiguousarray(a, np.float64) for a in (self.mean, self.projection))
        return hashlib.sha256(shape + b"".join(a.tobytes() for a in numbers)).hexdigest()[:16]

    def save(self, path: str | Path) -> None:
        """Writes mean and projection as .npz, whole or not at all."""
        write_npz(
            Path(path),
            format_version=_FORMAT_VERSION,
            mean=self.mean,
            projection=self.projection,
        )


def load_whitening(path: str | Path) -> Whitening:
    """What `Whitening.save` wrote.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is no whitening, or not a whole one.
    """
    names = ("format_version", "mean", "projection")
    version, mean, projection = read_npz(Path(path), names, what="whitening")
    fits = mean.ndim == 1 and projection.ndim == 2 and len(projection) == len(mean)
    if version != _FORMAT_VERSION or not fits:
        raise ValueError(
            f"whitening: {path} holds version {version}, mean {mean.shape}, projection "
            f"{projection.shape}; expected version {_FORMAT_VERSION}, (D,) and (D, d)"
        )
    if not (np.isfinite(mean).all() and np.isfinite(projection).all()):
        raise ValueError(f"whitening: {path} holds NaN or infinity")
    return Whitening(mean, projection)


def fit_pca_whitening(vectors, *, dim: int | None = None, power: float = 0.5) -> Whitening:
    """Whitening by the principal components of training embeddings.

    Args:
        vectors: (N, D) unit rows of training images.
        dim: d, how many components stay; None for all that the training rows span.
        power: components are divided by their variance to this power: 0.5 whitens, 0 only turns
            and cuts, between them is a softer whitening.

    Raises:
        ValueError: more components than the rows span; a power outside 0..0.5.
        EmbeddingError: rows that are not unit long.
    """
    if not 0 <= power <= 0.5:
        raise ValueError(f"power must be between 0 and 0.5, received {power}")
    vectors = _training_rows(vectors)
    total, outer = _sums(vectors)
    mean = total / len(vectors)
    variances, directions = np.linalg.eigh(outer / len(vectors) - np.outer(mean, mean))
    variances, directions = variances[::-1], directions[:, ::-1]
    # Below this a variance is what rounding has left of nothing.
    spanned = int((variances > variances[0] * 1e-9).sum()) if variances[0] > 1e-12 else 0
    dim = _check_dim(dim, spanned, "the training rows span")
    return Whitening(mean, directions[:, :dim] / variances[:dim] ** power)


def fit_learned_whitening(
    vectors, labels, *, dim: int | None = None, ridge: float = 0.01
) -> Whitening:
    """Whitening by which training images show the same landmark.

    Args:
        vectors: (N, D) unit rows of training images.
        labels: (N,) whole numbers, the class of each.
        dim: d, how many directions stay; None for all D.
        ridge: part of the mean within-class variance that is added to each direction's, above 0.
            Few pairs make directions without any variance, which would count infinitely much.

    Raises:
        ValueError: labels that do not fit, no class with two images or no second class, a ridge
            of 0 or less, more directions than D.
        EmbeddingError: rows that are not unit long.
    """
    vectors, labels = _training_rows(vectors), np.asarray(labels)
    if labels.shape != (len(vectors),) or labels.dtype.kind not in "iu":
        raise ValueError(
            f"expected {len(vectors)} labels as whole numbers, one for each training row; "
            f"received {labels.dtype} of shape {labels.shape}"
        )
    if not 0 < ridge < np.inf:
        raise ValueError(f"ridge must be above 0, received {ridge}")
    dim = _check_dim(dim, vectors.shape[1], "the embeddings have")
    total, outer = _sums(vectors)
    matching, num_matching = _matching_pairs(vectors, labels)
    num_pairs = len(vectors) * (len(vectors) - 1) // 2
    if not 0 < num_matching < num_pairs:
        raise ValueError(
            "learned whitening needs a class with two training images and a second class; "
            f"received {len(vectors)} images of {len(np.unique(labels))} classes"
        )
    other = len(vectors) * outer - np.outer(total, total) - matching
    matching /= num_matching
    other /= num_pairs - num_matching
    matching[np.diag_indices_from(matching)] += ridge * np.trace(matching) / len(matching)
    inverse_root = np.linalg.inv(np.linalg.cholesky(matching)).T
    _, directions = np.linalg.eigh(inverse_root.T @ other @ inverse_root)
    return Whitening(total / len(vectors), inverse_root @ directions[:, ::-1][:, :dim])


def _training_rows(vectors) -> np.ndarray:
    vectors = as_matrix(vectors, name="the training embeddings")
    if len(vectors) < 2:
        raise ValueError(f"whitening needs two training rows or more, received {len(vectors)}")
    check_unit_rows(vectors, name="the training embeddings")
    return vectors


def _check_dim(dim: int | None, largest: int, what: str) -> int:
    dim = largest if dim is None else dim
    if not 1 <= dim <= largest:
        raise ValueError(f"dim must be between 1 and {largest}, which {what}; received {dim}")
    return dim


def _sums(vectors: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(D,) sum of the rows and (D, D) sum of their outer products, float64, blockwise."""
    total = np.zeros(vectors.shape[1])
    outer = np.zeros((vectors.shape[1],) * 2)
    for start in range(0, len(vectors), _ROWS_PER_BLOCK):
        block = vectors[start : start + _ROWS_PER_BLOCK].astype(np.float64)
        total += block.sum(axis=0)
        outer += block.T @ block
    return total, outer


def _matching_pairs(vectors: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, int]:
    """Sum of (x - y)(x - y)^T over all pairs of one class, and how many pairs there are.

    Of a class of n images the sum is n * sum(x x^T) - (sum x)(sum x)^T.
    """
    order = np.argsort(labels, kind="stable")
    _, first, counts = np.unique(labels[order], return_index=True, return_counts=True)
    dim = vectors.shape[1]
    outer = np.zeros((dim, dim))
    for start, stop in _blocks_of_classes(first, counts):
        rows = order[first[start] : first[stop - 1] + counts[stop - 1]]
        block = vectors[np.sort(rows)].astype(np.float64)
        place = np.searchsorted(np.sort(rows), rows)
        block = block[place]
        sizes = counts[start:stop]
        outer += (block * np.repeat(sizes, sizes)[:, None]).T @ block
        sums = np.add.reduceat(block, first[start:stop] - first[start])
        outer -= sums.T @ sums
    return outer, int((counts * (counts - 1) // 2).sum())


def _blocks_of_classes(first: np.ndarray, counts: np.ndarray):
    """(start, stop) class numbers of at most about `_ROWS_PER_BLOCK` rows together."""
    block = (first + counts - 1) // _ROWS_PER_BLOCK
    edges = np.flatnonzero(np.diff(block)) + 1
    return zip([0, *edges], [*edges, len(first)], strict=True)
