"""The rows that may be among a query's best, by the float32 matrix product: on the processor.

The product costs D multiply-adds for each pair; what is done with its entries must cost next to
nothing. An entry is compared with the worst score that its query still needs, once; the few above
it are laid aside, and sorted out when there are about as many as are kept.
"""

from __future__ import annotations

from threading import Event

import numpy as np

_ROWS_PER_BLOCK = 8_192
_DENSE = 16  # a block of which more than every sixteenth entry is wanted is sorted out whole


class StoppedError(Exception):
    """Another thread failed, or a person pressed Ctrl-C: the work is given up."""


def find_candidates(
    embeddings: np.ndarray, queries: np.ndarray, keep: int, stop: Event | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """The `keep` best rows for each query by the float32 product.

    Args:
        embeddings: (N, D) float32 or float16.
        queries: (Q, D) float32.
        keep: how many, 1 to N.
        stop: looked at between blocks.

    Returns:
        scores (Q, keep) float32 and rows (Q, keep) int64, in no order. No row left out has a
        higher product than the lowest score kept.

    Raises:
        StoppedError: once `stop` is set.
    """
    best = _Best(len(queries), keep)
    largest = min(max(_ROWS_PER_BLOCK, keep), len(embeddings))
    # Written over block after block: fresh memory costs as much as the comparison does.
    product_buffer = np.empty(len(queries) * largest, np.float32)
    above_buffer = np.empty(len(queries) * largest, bool)
    start, size = 0, min(max(keep, _ROWS_PER_BLOCK // 8), largest)
    while start < len(embeddings):
        if stop is not None and stop.is_set():
            raise StoppedError
        block = embeddings[start : start + size].astype(np.float32, copy=False)
        product = product_buffer[: len(queries) * len(block)].reshape(len(queries), len(block))
        np.matmul(queries, block.T, out=product)
        above = above_buffer[: product.size].reshape(product.shape)
        best.add(product, above, start)
        start += len(block)
        # Blocks grow as the seen part does, so that few rows of a later one are above the lowest.
        size = min(largest, start)
    return best.sorted_out()


def rows_above(embeddings: np.ndarray, queries: np.ndarray, lowest: np.ndarray) -> list[np.ndarray]:
    """Every row whose float32 product reaches a score, for each query.

    Args:
        embeddings: (N, D) float32 or float16.
        queries: (Q, D) float32; few, because each may ask for all rows.
        lowest: (Q,) scores.

    Returns:
        Q arrays of rows, int64, rising.
    """
    found = []
    for start in range(0, len(embeddings), _ROWS_PER_BLOCK):
        block = embeddings[start : start + _ROWS_PER_BLOCK].astype(np.float32, copy=False)
        reached = queries @ block.T >= lowest[:, None]
        found.append([start + np.flatnonzero(one) for one in reached])
    return [np.concatenate(pieces) for pieces in zip(*found, strict=True)]


class _Best:
    """The best rows so far of each query, and those laid aside since they were last sorted out."""

    def __init__(self, num_queries: int, keep: int):
        self._keep = keep
        self._scores = np.full((num_queries, keep), -np.inf, np.float32)
        self._rows = np.zeros((num_queries, keep), np.int64)
        # None while not every query has `keep` rows: nothing can be left out yet.
        self._lowest: np.ndarray | None = None
        self._aside: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = []
        self._counts = np.zeros(num_queries, np.int64)

    def add(self, product: np.ndarray, above: np.ndarray, start: int) -> None:
        """A (Q, R) block of scores of the rows from `start` on; `above` is room for (Q, R) bool."""
        if self._lowest is not None:
            np.greater(product, self._lowest, out=above)
            if np.count_nonzero(above) * _DENSE <= above.size:
                self._lay_aside(product, above, start)
                return
        columns = np.arange(start, start + product.shape[1])
        self._merge(product, np.broadcast_to(columns, product.shape))

    def sorted_out(self) -> tuple[np.ndarray, np.ndarray]:
        """(Q, keep) scores and rows."""
        self._sort_out()
        return self._scores, self._rows

    def _lay_aside(self, product: np.ndarray, above: np.ndarray, start: int) -> None:
        at_query, at_column = np.divmod(np.flatnonzero(above), product.shape[1])
        self._aside.append((at_query, at_column + start, product[at_query, at_column]))
        self._counts += np.bincount(at_query, minlength=len(product))
        # Half as many as are kept: the lowest scores are hardly too low, and sorting out is rare.
        many = self._counts.sum() > len(product) * self._keep // 2
        if many or self._counts.max(initial=0) > 4 * self._keep:
            self._sort_out()

    def _sort_out(self) -> None:
        if not self._aside:
            return
        at_query, rows, scores = (np.concatenate(parts) for parts in zip(*self._aside, strict=True))
        order = np.argsort(at_query, kind="stable")
        at_query, rows, scores = at_query[order], rows[order], scores[order]
        first = np.cumsum(self._counts) - self._counts
        slot = np.arange(len(at_query)) - first[at_query]
        wide = (len(self._counts), int(self._counts.max(initial=0)))
        found, found_rows = np.full(wide, -np.inf, np.float32), np.zeros(wide, np.int64)
        found[at_query, slot] = scores
        found_rows[at_query, slot] = rows
        self._aside.clear()
        self._counts[:] = 0
        self._merge(found, found_rows)

    def _merge(self, scores: np.ndarray, rows: np.ndarray) -> None:
        if self._lowest is not None:
            self._sort_out()
            scores = np.concatenate([self._scores, scores], axis=1)
            rows = np.concatenate([self._rows, rows], axis=1)
        order = np.argpartition(scores, -self._keep, axis=1)[:, -self._keep :]
        self._scores = np.take_along_axis(scores, order, 1)
        self._rows = np.take_along_axis(rows, order, 1)
        self._lowest = self._scores.min(axis=1, keepdims=True)
