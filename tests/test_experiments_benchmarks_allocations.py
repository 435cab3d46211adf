import pytest

from experiments.benchmarks.allocations import most_bytes_alive

PLACE = "2026-11-21 17:38:58.1: I external/local_xla/xla/tsl/framework/bfc_allocator.cc:327] "


def test_counts_what_is_alive_at_once():
    log = [
        "something else",
        PLACE + "AllocateRaw mklcpu  100",
        PLACE + "AllocateRaw mklcpu  100 0x7efb7825d040",
        PLACE + "AllocateRaw mklcpu  50 0x7efb8bfff040\n",
        PLACE + "DeallocateRaw mklcpu 100",
        PLACE + "AllocateRaw mklcpu  70 0x7efb7825d040",
    ]
    assert most_bytes_alive(log) == 150


def test_a_log_without_the_allocator_is_no_zero():
    with pytest.raises(ValueError, match=r"no line of TensorFlow's CPU allocator"):
        most_bytes_alive(["[AllocateRaw somewhere else"])
