"""Rows of length 1: against float64, and where there is no direction."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from landmarks_tf.layers import CosineClassifier, L2Normalization
from landmarks_tf.layers.l2_normalization import l2_normalize
from landmarks_tf.losses import ArcFaceLoss
from tests import contracts

pytestmark = contracts.IGNORE_ARRAY_COPY


def test_contract(tmp_path):
    rows = np.random.default_rng(0).normal(size=(4, 7)).astype(np.float32)
    contracts.check_layer(
        lambda: L2Normalization(name="embedding"), rows, tmp_path, always_float32=True
    )


def test_hand_derived():
    np.testing.assert_allclose(l2_normalize(np.float32([[3, 4], [0, -2]])), [[0.6, 0.8], [0, -1]])


@settings(max_examples=50, deadline=None)
@given(arrays(np.float32, (3, 5), elements=st.floats(-1e6, 1e6, width=32)))
def test_every_row_has_length_one_or_is_zero(rows):
    wide = rows.astype(np.float64)
    lengths = np.linalg.norm(wide, axis=1, keepdims=True)
    expected = np.where(lengths > 1e-12, wide / np.maximum(lengths, 1e-30), 0)
    # Squares of numbers below 1e-19 leave float32; such a row may come out as zero.
    kept = np.all((rows == 0) | (np.abs(rows) > 1e-15), axis=1)
    np.testing.assert_allclose(np.asarray(l2_normalize(rows))[kept], expected[kept], atol=2e-6)


def test_a_row_of_zeros_stays_zero_and_so_does_its_gradient():
    rows = tf.Variable([[0.0, 0.0, 0.0], [1.0, 2.0, 2.0]])
    with tf.GradientTape() as tape:
        unit = l2_normalize(rows)
        total = tf.reduce_sum(unit * [[1.0, 2.0, 3.0]])
    np.testing.assert_allclose(unit, [[0, 0, 0], [1 / 3, 2 / 3, 2 / 3]], rtol=1e-6)
    # By hand: (g - u (u . g)) / |x| with u = (1, 2, 2) / 3, g = (1, 2, 3), u . g = 11 / 3.
    by_hand = (np.array([1, 2, 3]) - np.array([1, 2, 2]) / 3 * 11 / 3) / 3
    np.testing.assert_allclose(tape.gradient(total, rows), [[0, 0, 0], by_hand], atol=1e-6)


@pytest.mark.parametrize("broken", [np.nan, np.inf])
def test_what_is_no_number_does_not_hide_as_zero(broken):
    """The loss must see that a network has broken, and only in the rows that have."""
    rows = np.ones((3, 4), np.float32)
    rows[1, 2] = broken
    found = np.asarray(L2Normalization()(rows))
    assert np.isnan(found[1]).any()
    np.testing.assert_allclose(found[[0, 2]], 0.5)
    cosines = CosineClassifier(5)(rows)
    assert np.isnan(float(ArcFaceLoss()(np.array([0, 1, 2]), cosines)))
