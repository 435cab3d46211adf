"""Exact search whose products JAX makes: the same answer. Run on JAX' CPU, not on a GPU."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from landmarks_tf.retrieval import exact, exact_device
from landmarks_tf.retrieval.exact import ExactIndex
from tests.embedding_batches import unit_rows

jax = pytest.importorskip("jax")


@pytest.mark.parametrize(("dtype", "counts"), [(np.float32, (1, 237)), (np.float16, (10,))])
def test_the_answer_is_that_of_numpy(monkeypatch, dtype, counts):
    monkeypatch.setattr(exact_device, "_ROWS_PER_BLOCK", 50)  # the last block is filled up
    monkeypatch.setattr(exact_device, "_SAME_SHAPE", 4)
    monkeypatch.setattr(exact, "_QUERIES_PER_BLOCK", 9)
    random = np.random.default_rng(0)
    rows = unit_rows(random.normal(size=(237, 12)))
    rows[60:130] = rows[3]  # more equal ones than are kept to spare
    rows[-4:] = -rows[3]
    rows = rows.astype(dtype)
    queries = unit_rows(np.concatenate([rows[:5], random.normal(size=(8, 12))]))
    device = jax.devices("cpu")[0]
    for k in counts:
        scores, places = ExactIndex(rows, device=device).search(queries, k)
        expected_scores, expected = ExactIndex(rows).search(queries, k)
        np.testing.assert_array_equal(places, expected)
        np.testing.assert_array_equal(scores, expected_scores)


def test_auto_is_numpy_where_there_is_no_gpu(monkeypatch):
    def none_there(kind):
        raise RuntimeError(f"Unknown backend: {kind!r} requested, but no platforms are present")

    monkeypatch.setattr(jax, "devices", none_there)
    assert exact_device.find_device("auto") is None
    with pytest.raises(ValueError, match=r"JAX sees no GPU here \(Unknown backend.*device=\"cpu\""):
        ExactIndex(np.eye(3, dtype=np.float32), device="gpu")


def test_without_jax(monkeypatch):
    monkeypatch.setitem(sys.modules, "jax", None)
    assert exact_device.find_device("auto") is None
    with pytest.raises(ImportError, match=r"needs JAX: pip install"):
        exact_device.find_device("gpu")


@pytest.mark.parametrize("device", ["cuda", 3])
def test_refuses_what_is_no_device(device):
    with pytest.raises(ValueError, match=r"must be cpu, gpu, auto or a jax\.Device"):
        ExactIndex(np.eye(3, dtype=np.float32), device=device)


def test_an_index_that_does_not_fit_says_so(monkeypatch):
    def full(*_):
        raise jax.errors.JaxRuntimeError("RESOURCE_EXHAUSTED: out of memory")

    monkeypatch.setattr(jax, "device_put", full)
    with pytest.raises(ValueError, match=r"an index of 3 x 3 .* does not fit on .*EXHAUSTED"):
        ExactIndex(np.eye(3, dtype=np.float32), device=jax.devices("cpu")[0])
