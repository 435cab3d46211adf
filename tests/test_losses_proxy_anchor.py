"""Proxy-anchor loss: plain loops, by hand, at the limits, gradients, class ids."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from landmarks_tf.losses import ProxyAnchorLoss, proxy_anchor_losses
from tests import contracts
from tests.embedding_batches import value_and_gradient
from tests.reference import proxy_anchor as reference
from tests.reference.finite_differences import gradient

pytestmark = contracts.IGNORE_ARRAY_COPY


def batch_of(seed, rows=6, classes=5):
    random = np.random.default_rng(seed)
    labels = random.integers(0, classes, rows).astype(np.int32)
    return labels, random.uniform(-1, 1, (rows, classes)).astype(np.float32)


def test_contract(tmp_path):
    labels, cosines = batch_of(0)
    contracts.check_loss(lambda **options: ProxyAnchorLoss(**options), labels, cosines, tmp_path)


def test_by_hand():
    # Two rows of class 0; margin 0.1, scale 2. The third class is in no row, and is pushed off.
    cosines = np.float32([[0.6, 0.1, -0.3], [0.2, -0.5, 0.4]])
    pull = math.log(1 + math.exp(-2 * 0.5) + math.exp(-2 * 0.1))
    push = (
        0  # no row is foreign to class 0
        + math.log(1 + math.exp(2 * 0.2) + math.exp(2 * -0.4))
        + math.log(1 + math.exp(2 * -0.2) + math.exp(2 * 0.5))
    ) / 3
    loss = ProxyAnchorLoss(margin=0.1, scale=2.0)([0, 0], cosines)
    assert float(loss) == pytest.approx(pull + push, rel=1e-5)


@settings(max_examples=60, deadline=None)
@given(
    st.integers(0, 2**31), st.integers(1, 7), st.integers(2, 6), st.floats(0, 0.9), st.floats(1, 40)
)
def test_equals_the_loop_over_proxies(seed, rows, classes, margin, scale):
    labels, cosines = batch_of(seed, rows, classes)
    found = np.mean(proxy_anchor_losses(labels, cosines, margin=margin, scale=scale))
    expected = reference.loss(labels, cosines, margin, scale)
    np.testing.assert_allclose(found, expected, rtol=2e-5, atol=1e-5)


@pytest.mark.parametrize("label", [2, 7])
def test_from_a_share_of_the_rows_it_is_the_loss_of_all(label):
    labels, cosines = batch_of(4, rows=6)
    labels[5] = label  # 7 is no class: it spoils the other device's share too
    shares = [(labels[:2], cosines[:2]), (labels[2:4], cosines[2:4]), (labels[4:], cosines[4:])]
    handed = []  # what each device has for the others, in the order of its calls
    for own in shares:
        handed.append([])
        proxy_anchor_losses(*own, gather=lambda x: handed[-1].append(x) or x)
    together = iter([np.concatenate(parts) for parts in zip(*handed, strict=True)])
    found = proxy_anchor_losses(*shares[1], gather=lambda _: next(together))
    np.testing.assert_allclose(found, proxy_anchor_losses(labels, cosines), rtol=1e-6)
    # No tensor with a number for each row and class leaves a device.
    assert sorted(tuple(x.shape) for x in handed[0]) == [(1, 5), (2,), (2,), (2,)]


@pytest.mark.parametrize(
    ("labels", "cosines"),
    [
        ([0, 1], [[1, -1], [-1, 1]]),  # perfect
        ([0, 1], [[-1, 1], [1, -1]]),  # worst
        ([1, 1], [[0, 0], [0, 0]]),
        ([0], [[1 + 1e-6, -1 - 1e-6]]),
    ],
)
def test_finite_at_the_limits(labels, cosines):
    cosines = np.float32(cosines)
    value, slope = value_and_gradient(ProxyAnchorLoss(), labels, cosines)
    np.testing.assert_allclose(value, reference.loss(labels, cosines, 0.1, 32), rtol=1e-3)
    assert np.isfinite(slope).all()


def test_gradients_equal_finite_differences_also_under_xla():
    labels, cosines = batch_of(3)
    loss = ProxyAnchorLoss(0.1, 8.0)
    expected = gradient(lambda x: reference.loss(labels, x, 0.1, 8.0), cosines)
    for options in ({}, {"jit_compile": True}):
        _, found = value_and_gradient(loss, labels, cosines, **options)
        np.testing.assert_allclose(found, expected, rtol=1e-3, atol=2e-5)


def test_the_biggest_class_survives_every_policy():
    cosines = np.zeros((2, 203_094), np.float32)
    cosines[:, 203_093] = [1.0, 0.5]
    labels = [203_093, 203_093]
    pull = math.log(1 + math.exp(-32 * 0.9) + math.exp(-32 * 0.4))
    push = math.log(1 + 2 * math.exp(3.2)) * 203_093 / 203_094
    for policy in ("float32", *contracts.MIXED_POLICIES):
        with contracts.global_policy(policy):
            found = ProxyAnchorLoss()(np.array(labels), cosines)
        np.testing.assert_allclose(found, pull + push, rtol=1e-4)


@pytest.mark.parametrize("label", [-1, 5, math.nan, 2.5])
def test_a_label_that_is_no_class_spoils_the_batch(label):
    _, cosines = batch_of(0, rows=2)
    assert np.isnan(ProxyAnchorLoss(reduction="none")(np.float32([1, label]), cosines)).all()


def test_refusals():
    contracts.check_refusals(
        {
            "Received: margin=1.0": lambda: ProxyAnchorLoss(1.0),
            "Received: scale=0": lambda: ProxyAnchorLoss(scale=0),
            "computes in float32": lambda: ProxyAnchorLoss(dtype="float16"),
            "float64 of shape (2, 3)": lambda: proxy_anchor_losses([0, 0], np.zeros((2, 3))),
        }
    )
