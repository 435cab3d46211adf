"""Margins and weights by class size: by hand, against a loop, and what is refused."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from landmarks_tf.losses import class_weights, dynamic_margins
from tests import contracts
from tests.reference import class_sizes as reference


def test_hand_derived_margins():
    # n ** -1/4 of 1, 16, 81 is 1, 1/2, 1/3; onto 0.05..0.5 that is a quarter of the way for 16.
    np.testing.assert_allclose(dynamic_margins([1, 16, 81]), [0.5, 0.1625, 0.05], rtol=1e-6)
    np.testing.assert_allclose(dynamic_margins([4, 1, 2], 0, 0.3, 1), [0, 0.3, 0.1], rtol=1e-6)


@settings(max_examples=60)
@given(
    sizes=st.lists(st.integers(1, 20_000), min_size=2, max_size=30).filter(lambda n: len({*n}) > 1),
    low=st.floats(0, 0.5),
    width=st.floats(0.01, 1),
    power=st.floats(0.05, 2),
)
def test_margins_equal_the_loop(sizes, low, width, power):
    margins = dynamic_margins(np.array(sizes), low, low + width, power)
    expected = reference.dynamic_margins(sizes, low, low + width, power)
    assert margins.dtype == np.float32
    np.testing.assert_allclose(margins, expected, rtol=1e-5, atol=1e-6)
    assert margins.argmax() == np.argmin(sizes)


def test_classes_of_one_size_have_the_middle_margin():
    np.testing.assert_allclose(dynamic_margins([7, 7, 7], 0.1, 0.4), [0.25] * 3, rtol=1e-6)


def test_hand_derived_weights():
    weights = class_weights(np.array([1, 9_999, 2]))
    expected = [1 / math.log(2), 1 / math.log(10_000), 1 / math.log(3)]
    assert weights.dtype == np.float32
    np.testing.assert_allclose(weights, expected, rtol=1e-6)


@given(st.lists(st.integers(1, 20_000), min_size=1, max_size=30))
def test_weights_equal_the_loop(sizes):
    np.testing.assert_allclose(class_weights(sizes), reference.class_weights(sizes), rtol=1e-6)


@pytest.mark.parametrize("by_size", [dynamic_margins, class_weights])
def test_sizes_that_are_no_counts(by_size):
    contracts.check_refusals(
        {
            "0 for class 1 (1 such of 3 classes)": lambda: by_size([3, 0, 5]),
            "-2 for class 0 (2 such": lambda: by_size([-2, 0]),
            "1.5 for class 1": lambda: by_size([2, 1.5]),
            "nan for class 0": lambda: by_size([math.nan, 3]),
            "inf for class 0": lambda: by_size([math.inf, 3]),
            "of shape (0,)": lambda: by_size([]),
            "of shape (1, 2)": lambda: by_size([[1, 2]]),
            "<U1 of shape (1,)": lambda: by_size(["a"]),
        }
    )


def test_margins_out_of_range():
    contracts.check_refusals(
        {
            "28.6 degrees are 0.4992 radians": lambda: dynamic_margins([1, 2], 0.05, 28.6),
            "Received: low=0.5, high=0.1": lambda: dynamic_margins([1, 2], 0.5, 0.1),
            "Received: low=-0.1": lambda: dynamic_margins([1, 2], -0.1),
            "Received: power=0": lambda: dynamic_margins([1, 2], power=0),
            "Received: power=nan": lambda: dynamic_margins([1, 2], power=math.nan),
        }
    )
