"""Softmax cross-entropy straight from embeddings and class centres.

A head whose layer scores all classes and whose loss reads the scores holds several tensors of
their size, and the normalised centres beside the centres. Here both are one function with its
gradient written out, which keeps one tensor of the scores' size for the way back ("fused") or none
(by chunks of classes: forward with a running maximum and sum, as in Milakov and Gimelshein, "Online
normalizer calculation for softmax", arXiv 1805.02867; backward the scores are computed again).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import keras
from keras import ops

from landmarks_tf.losses.class_chunks import over_chunks, rows_by_chunks

# Shorter centres have no direction, as in PyTorch's F.normalize (reproduction.md section 6).
_SMALLEST_NORM = 1e-12
# Below every score; no infinity, whose difference from itself is NaN.
_NOTHING = -1e30
# Where an exponential underflows, its product with its logarithm is 0 as well.
_SMALLEST_SLOPE = 1e-37
_RUN = 4096


def center_cross_entropy(
    ids,
    rows,
    centers,
    change: Callable,
    *,
    scale: float,
    subcenters: int = 1,
    label_smoothing: float = 0.0,
    chunk_classes: int | None = None,
):
    """Cross-entropy of `scale` * cosines, each row's own one changed; gradients written out.

    As `cross_entropy_losses` of a margin softmax' logits, and its gradients by embeddings and
    centres are those of normalising, scoring and losing one after the other. They have no
    gradient of their own.

    Args:
        ids: (B,) int32 class ids in [0, N).
        rows: (B, D) float32 rows of length 1, or 0.
        centers: (N * K, D) float32 of any length; row c * K + k is sub-centre k of class c.
        change: (B,) own cosines -> ((B,) new ones, (B,) their derivatives by the old ones).
        scale: of the cosines; positive.
        subcenters: K; a class' cosine is that of its nearest.
        label_smoothing: e of `cross_entropy_losses`.
        chunk_classes: so many classes are scored at a time, and no tensor is larger than their
            scores, but for the centres' gradient; None for all at once.

    Returns:
        (B,) float32 losses, and (B,) bool whether the own class' unchanged cosine is the largest.
    """
    # Reads a variable, without a copy: custom gradients of TensorFlow take tensors.
    centers = ops.reshape(centers, centers.shape)
    num_classes = centers.shape[0] // subcenters
    size = min(chunk_classes or num_classes, num_classes)
    # Without these the gradient would hold the centres' directions beside the centres.
    own_cosines = _own_cosines(ids, ops.stop_gradient(rows), ops.stop_gradient(centers), subcenters)
    values, slopes = change(own_cosines)
    softmax = _Softmax(ids, float(scale), subcenters, num_classes, size, float(label_smoothing))

    @ops.custom_gradient
    def losses_of(rows, centers):
        inverse = _inverse_lengths(centers)
        found = softmax.summed(rows, centers, inverse)
        own = scale * values
        others = found.top + ops.log(found.total)
        losses = ops.softplus(others - own)
        if label_smoothing:
            mean = (found.scores + own - scale * own_cosines) / num_classes
            losses = losses + label_smoothing * (own - mean)

        def gradient(*upstream):
            # TensorFlow hands over two tensors, JAX one tuple of two.
            factor = keras.tree.flatten(upstream)[0]
            by_own = label_smoothing * (1 - 1 / num_classes) - ops.sigmoid(others - own)
            norm = ops.logaddexp(others, own)
            pulls = _Pulls(factor, by_own * slopes, scale * own_cosines, norm)
            return softmax.gradients(rows, centers, inverse, pulls, found.kept)

        return (losses, found.top), gradient

    losses, top = losses_of(rows, centers)
    return losses, scale * own_cosines >= top


@dataclass(frozen=True)
class _Summed:
    """Over all classes but each row's own: largest score, sum of exp(score - largest). Over all:
    sum of the scores, and the scores themselves where they are kept."""

    top: object
    total: object
    scores: object
    kept: object


@dataclass(frozen=True)
class _Pulls:
    """Of each row, (B,): the derivative by its loss; that of the loss by the own class' scaled
    cosine; this scaled cosine; the logarithm of the softmax' denominator."""

    factor: object
    by_own: object
    own: object
    norm: object


@dataclass(frozen=True)
class _Softmax:
    """The passes over the classes; scores are (C * K, B), so that runs of classes are rows."""

    ids: object
    scale: float
    subcenters: int
    num_classes: int
    size: int
    smoothing: float

    def summed(self, rows, centers, inverse) -> _Summed:
        """The pass forward; `inverse` (N * K, 1) is one over each centre's length."""
        start = ops.zeros_like(rows[:, 0])
        kept = []

        def add(first, count, carry):
            top, total, sums = carry
            scores = self._scores(rows, centers, inverse, first, count)
            kept.append(scores)
            scores = self._nearest(scores)
            if self.smoothing:
                sums = sums + ops.sum(scores, axis=0)
            others = self._with_own(scores, first, count, _NOTHING)
            higher = ops.maximum(top, ops.max(others, axis=0))
            total = total * ops.exp(top - higher) + ops.sum(ops.exp(others - higher), axis=0)
            return higher, total, sums

        carry = (start + _NOTHING, start, start)
        top, total, sums = over_chunks(self.num_classes, self.size, add, carry)
        return _Summed(top, total, sums, kept[0] if self.size == self.num_classes else None)

    def gradients(self, rows, centers, inverse, pulls: _Pulls, kept) -> tuple:
        """By rows and by centres, of sum_b factor_b * loss_b; `kept` are the scores, or None to
        compute them again."""
        weighted = (self.scale * pulls.factor)[:, None] * rows

        def make(first, count, by_rows):
            chunk, over_length = (self._chunk(x, first, count) for x in (centers, inverse))
            if kept is None:
                # TensorFlow would score all chunks before it went on with the first.
                scores = self._scores(rows + _zeros(by_rows), centers, inverse, first, count)
                slopes, stretch = self._slopes(scores, first, count, pulls)
            elif self.subcenters > 1:
                slopes, stretch = self._slopes(kept, first, count, pulls)
            else:
                slopes, stretch = self._slopes_in_place(kept, pulls)
                if self.smoothing:
                    # The part of every score's derivative that is no exponential.
                    level = self.smoothing / self.num_classes
                    slopes = slopes - level
                    total = ops.sum(weighted, axis=0)[:, None]
                    stretch = stretch - level * ops.matmul(chunk, total) * over_length
            # What the stretch was summed from has gone before the product needs room.
            slopes = slopes * (over_length + _zeros(stretch))
            # What only stretches a centre changes no cosine.
            stretch = stretch * ops.square(over_length)
            by_rows = by_rows + ops.matmul(ops.transpose(slopes), chunk)
            # TensorFlow's CPU adds a matrix to a product in place, and so without a second one of
            # the centres' size, if a bias is added as well.
            turned = ops.add(ops.matmul(slopes, weighted), _zeros(weighted[0]))
            return ops.add(turned, -stretch * chunk), by_rows

        by_centers, by_rows = rows_by_chunks(
            self.num_classes, self.size, make, ops.zeros_like(rows)
        )
        return (self.scale * pulls.factor)[:, None] * by_rows, by_centers

    def _slopes(self, scores, first, count: int, pulls: _Pulls) -> tuple:
        """Derivatives by the scores, and their product with scores and factors, over the batch."""
        nearest = self._nearest(scores)
        slopes = ops.exp(nearest - pulls.norm)
        if self.smoothing:
            slopes = slopes - self.smoothing / self.num_classes
        slopes = self._with_own(slopes, first, count, pulls.by_own)
        slopes = self._of_subcenters(slopes, nearest, scores)
        return slopes, ops.matmul(slopes * scores, pulls.factor[:, None])

    def _slopes_in_place(self, scores, pulls: _Pulls) -> tuple:
        """The same of all classes, less what smoothing takes off all derivatives alike.

        Nothing reads the scores but the exponential, which therefore takes their room; where they
        are needed once more they are its logarithm.
        """
        at_own = pulls.by_own + self.smoothing / self.num_classes
        slopes = ops.exp(scores - pulls.norm)
        slopes = self._with_own(slopes, 0, self.num_classes, at_own)
        # No product of matrices, for which XLA would write out what it multiplies.
        terms = slopes * _logarithm(slopes, pulls.norm) * pulls.factor
        # The own class' derivative is no exponential: its logarithm stood for its score.
        mend = pulls.factor * at_own * (pulls.own - _logarithm(at_own, pulls.norm))
        mend = ops.segment_sum(mend, self.ids, self.num_classes)
        return slopes, (ops.sum(terms, axis=1) + mend)[:, None]

    def _chunk(self, matrix, first, count: int):
        if count == self.num_classes:
            return matrix
        K = self.subcenters
        return ops.slice(matrix, (first * K, 0), (count * K, matrix.shape[1]))

    def _scores(self, rows, centers, inverse, first, count: int):
        products = ops.matmul(self._chunk(centers, first, count), ops.transpose(self.scale * rows))
        return products * self._chunk(inverse, first, count)

    def _nearest(self, scores):
        if self.subcenters == 1:
            return scores
        return ops.max(self._by_class(scores), axis=1)

    def _of_subcenters(self, slopes, nearest, scores):
        """(C, B) -> (C * K, B): the nearest sub-centre has it all; several as near share it."""
        if self.subcenters == 1:
            return slopes
        is_nearest = ops.cast(self._by_class(scores) >= nearest[:, None, :], slopes.dtype)
        share = slopes / ops.sum(is_nearest, axis=1)
        return ops.reshape(is_nearest * share[:, None, :], ops.shape(scores))

    def _by_class(self, scores):
        return ops.reshape(scores, (-1, self.subcenters, ops.shape(scores)[1]))

    def _with_own(self, scores, first, count: int, values):
        """(C, B) with the values in place of each column's own class, where it is in the chunk."""
        if keras.backend.backend() != "tensorflow":
            # XLA makes no tensor of it, but copies what is scattered into.
            classes = first + ops.arange(count, dtype="int32")
            return ops.where(classes[:, None] == self.ids, values, scores)
        columns = ops.arange(ops.shape(scores)[1], dtype="int32")
        values = ops.zeros_like(scores[0]) + values
        if count == self.num_classes:
            return ops.scatter_update(scores, ops.stack([self.ids, columns], axis=1), values)
        local = self.ids - first
        inside = ops.logical_and(local >= 0, local < count)
        local = ops.clip(local, 0, count - 1)
        flat = local * ops.shape(scores)[1] + columns
        values = ops.where(inside, values, ops.take(ops.reshape(scores, (-1,)), flat))
        return ops.scatter_update(scores, ops.stack([local, columns], axis=1), values)


def _logarithm(slopes, norm):
    """Scores of what are exponentials; finite for any slopes."""
    return ops.log(ops.maximum(slopes, _SMALLEST_SLOPE)) + norm


def _zeros(x):
    """Zeros that no compiler knows to be: what they are added to has to wait for `x`."""
    return ops.minimum(ops.square(x), 0.0)


def _inverse_lengths(centers):
    """(R, D) -> (R, 1) one over the length, 0 for a centre without direction.

    In runs: TensorFlow holds the squares.
    """
    runs = centers.shape[0] // _RUN
    if runs < 2:
        return _inverse(centers)
    starts = _RUN * ops.arange(runs, dtype="int32")
    shape = (_RUN, centers.shape[1])
    found = ops.map(lambda start: _inverse(ops.slice(centers, (start, 0), shape)), starts)
    return ops.concatenate([ops.reshape(found, (-1, 1)), _inverse(centers[runs * _RUN :])])


def _inverse(centers):
    squared = ops.sum(ops.square(centers), axis=1, keepdims=True)
    alive = squared > _SMALLEST_NORM**2
    return ops.where(alive, ops.rsqrt(ops.where(alive, squared, 1.0)), 0.0)


def _own_cosines(ids, rows, centers, subcenters: int):
    """(B,) cosine of each row with its own class."""
    K = subcenters
    places = ops.reshape(ids[:, None] * K + ops.arange(K, dtype="int32"), (-1,))
    own = ops.take(centers, places, axis=0)
    own = ops.reshape(own * _inverse(own), (-1, K, centers.shape[1]))
    return ops.max(ops.sum(own * rows[:, None, :], axis=2), axis=1)
