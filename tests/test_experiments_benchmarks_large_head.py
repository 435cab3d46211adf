"""The benchmark of large heads: its ways compute the same, its arithmetic, and how it ends."""

from __future__ import annotations

import json

import numpy as np
import pytest
import tensorflow as tf

from experiments.benchmarks import large_head, large_head_worker
from experiments.benchmarks.large_head_subjects import Head


def test_every_way_but_the_sample_has_the_same_loss_and_gradients():
    head = Head(6, 8, 40)
    expected = head.step("apart")()
    for name in ("textbook", "fused", "streamed"):
        loss, (by_rows, by_centers) = head.step(name)()
        np.testing.assert_allclose(loss, expected[0], rtol=1e-5)
        np.testing.assert_allclose(by_centers, expected[1][1], atol=1e-5, err_msg=name)
        # The rows are unit rows already: only some ways divide their stretch away.
        for found in (by_rows, expected[1][0]):
            assert np.isfinite(found).all()
        along = [
            np.asarray(g) - (np.asarray(g) * head.rows).sum(1, keepdims=True) * head.rows
            for g in (by_rows, expected[1][0])
        ]
        np.testing.assert_allclose(*along, atol=1e-5, err_msg=name)


def test_the_products_are_the_three():
    head = Head(6, 8, 40)
    scores, by_rows, by_centers = head.step("products")()
    np.testing.assert_allclose(scores, head.rows @ np.asarray(head.centers).T, atol=1e-5)
    assert by_rows.shape == (6, 8) and by_centers.shape == (40, 8)


def test_the_sample_reads_a_part_of_the_centres():
    step = Head(4, 8, 100).step("sampled")
    (_, (_, first)), (_, (_, second)) = step(), step()
    assert isinstance(first, tf.IndexedSlices) and len(first.indices) == 10
    assert not np.array_equal(first.indices, second.indices)


def test_times_by_turns():
    names = ["products", "fused"]
    found = large_head_worker.measure_time(names, batch_size=4, dim=8, num_classes=20, repeats=3)
    assert found["seconds"].keys() == set(names)
    for clocks in found["seconds"].values():
        assert len(clocks["wall"]) == len(clocks["processor"]) == 3
        assert min(clocks["wall"]) > 0
    assert found["environment"]["backend"] == "tensorflow"


def test_entry_and_table():
    # A million classes of width 2: 2e6 * 4 / 2**20 = 7.63 MiB; two rows: the same for a tensor.
    setting = {"dim": 2, "batch_size": 2}
    seconds = {
        "products": {"wall": [1.0, 2.0, 4.0], "processor": [1.0, 1.0, 1.0]},
        "fused": {"wall": [1.5, 4.0, 5.0], "processor": [1.2, 1.1, 1.4]},
    }
    memory = {"counted": "process", "mib": 3.5 * 8e6 / 2**20}
    found = large_head.entry("fused", 1_000_000, seconds, memory, setting)
    assert found["ratio"] == {"wall": 1.5, "processor": 1.2}
    assert found["memory"]["beyond_in_logits"] == pytest.approx(1.5)
    environment = {
        "device": {"name": "X", "count": 2, "kind": "cpu"},
        "backend": "tensorflow",
        "backend_version": "1",
        "keras_version": "2",
    }
    report = {"setting": setting | {"repeats": 3}, "environment": environment, "heads": [found]}
    row = large_head.markdown(json.loads(json.dumps(report))).splitlines()[-1]
    assert row == "| 1,000,000 | CenterLoss, fused | 4,000 | 1.50 | 1.20 | 27 | 1.5 |  |"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--classes", "many"], "--classes takes whole numbers"),
        (["--classes", "100", "--batch", "0"], "Every number is at least 2"),
        (["--heads", "fast"], "Received: 'fast'"),
    ],
)
def test_usage(arguments, message, capsys):
    assert large_head.main(arguments) == 2
    assert message in capsys.readouterr().err


def test_a_failed_measurement_says_why():
    with pytest.raises(large_head.MeasurementError, match="KeyError: 'weight'"):
        large_head._child(measure="weight")


def test_memory_is_that_of_a_process_of_its_own():
    size = {"batch_size": 32, "dim": 64, "num_classes": 50_000}
    found = large_head._memory(name="fused", **size)
    centers, logits = 50_000 * 64 * 4 / 2**20, 50_000 * 32 * 4 / 2**20
    assert found["counted"] == "asked"
    # Centres, their gradient and the scores, whose room the slopes take.
    assert 2 * centers + logits <= found["mib"] < 2 * centers + 1.5 * logits
    assert found["mib"] < found["process_mib"]
