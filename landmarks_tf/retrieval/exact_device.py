"""The float32 products of exact search on an accelerator, through JAX."""

from __future__ import annotations

import numpy as np

_ROWS_PER_BLOCK = 65_536
_SAME_SHAPE = 64  # queries are filled up to a multiple of this, so that few shapes are compiled


def find_device(asked):
    """The `jax.Device` that is meant.

    Args:
        asked: "gpu", "auto", or a `jax.Device`.

    Returns:
        The device; None for "auto" where JAX is not installed or sees no GPU.

    Raises:
        ValueError: no GPU there, or none of the values above.
        ImportError: "gpu" without JAX.
    """
    if asked not in ("gpu", "auto") and isinstance(asked, str):
        raise ValueError(f"device must be cpu, gpu, auto or a jax.Device. Received: {asked!r}.")
    try:
        import jax
    except ImportError:
        if asked == "auto":
            return None
        raise ImportError(
            'exact search on a GPU needs JAX: pip install "jax[cuda12]", or use device="cpu"'
        ) from None
    if not isinstance(asked, str):
        if not isinstance(asked, jax.Device):
            raise ValueError(f"device must be cpu, gpu, auto or a jax.Device. Received: {asked!r}.")
        return asked
    try:
        return jax.devices("gpu")[0]
    except RuntimeError as error:
        if asked == "auto":
            return None
        reason = str(error).strip().splitlines()[0]
        raise ValueError(f'JAX sees no GPU here ({reason}): use device="cpu" or "auto"') from None


def rows_on(device, embeddings: np.ndarray) -> RowsOnDevice:
    """The rows of an index, copied to a device."""
    return RowsOnDevice(device, embeddings)


class RowsOnDevice:
    """An index in a device's memory, in blocks of rows.

    Args:
        device: a `jax.Device`.
        embeddings: (N, D) float32 or float16; kept on the device as they are.

    Raises:
        ValueError: they do not fit there.
    """

    def __init__(self, device, embeddings: np.ndarray):
        import jax

        self._device = device
        self._num_rows, dim = embeddings.shape
        size = min(_ROWS_PER_BLOCK, self._num_rows)
        try:
            self._blocks = [
                jax.device_put(_filled_up(embeddings[start : start + size], size), device)
                for start in range(0, self._num_rows, size)
            ]
            jax.block_until_ready(self._blocks)
        except jax.errors.JaxRuntimeError as error:
            gib = embeddings.nbytes / 2**30
            raise ValueError(
                f"an index of {self._num_rows} x {dim} ({gib:.1f} GiB) does not fit on {device}: "
                f'use device="cpu" ({str(error).splitlines()[0]})'
            ) from None
        self._start, self._add = _compiled()

    def find_candidates(self, queries: np.ndarray, keep: int) -> tuple[np.ndarray, np.ndarray]:
        """The `keep` best rows for each query by the float32 product.

        Args:
            queries: (Q, D) float32.
            keep: how many, 1 to N.

        Returns:
            scores (Q, keep) float32 and rows (Q, keep) int64, in no order. No row left out has a
            higher product than the lowest score kept.
        """
        import jax

        count = -(-len(queries) // _SAME_SHAPE) * _SAME_SHAPE
        queries_there = jax.device_put(_filled_up(queries, count), self._device)
        best = self._start(queries_there, keep=keep)
        for number, block in enumerate(self._blocks):
            first = number * len(self._blocks[0])
            best = self._add(best, queries_there, block, first, self._num_rows, keep=keep)
        scores, rows = jax.device_get(best)
        return scores[: len(queries)].copy(), rows[: len(queries)].astype(np.int64)


def _compiled():
    from functools import partial

    import jax
    from jax import numpy as jnp

    @partial(jax.jit, static_argnames="keep")
    def start(queries, *, keep):
        shape = (len(queries), keep)
        return jnp.full(shape, -jnp.inf, jnp.float32), jnp.zeros(shape, jnp.int32)

    @partial(jax.jit, static_argnames="keep", donate_argnums=0)
    def add(best, queries, block, first, num_rows, *, keep):
        # HIGHEST: a GPU's tensor cores would round the factors to ten bits.
        product = jnp.matmul(
            queries, block.astype(jnp.float32).T, precision=jax.lax.Precision.HIGHEST
        )
        rows = first + jnp.arange(block.shape[0], dtype=jnp.int32)
        product = jnp.where(rows < num_rows, product, -jnp.inf)
        found, columns = jax.lax.top_k(product, min(keep, block.shape[0]))
        scores = jnp.concatenate([best[0], found], axis=1)
        candidates = jnp.concatenate([best[1], rows[columns]], axis=1)
        kept, places = jax.lax.top_k(scores, keep)
        return kept, jnp.take_along_axis(candidates, places, axis=1)

    return start, add


def _filled_up(rows: np.ndarray, count: int) -> np.ndarray:
    """Zero rows behind, up to `count`."""
    if len(rows) == count:
        return np.ascontiguousarray(rows)
    return np.concatenate([rows, np.zeros((count - len(rows), rows.shape[1]), rows.dtype)])
