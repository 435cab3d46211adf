"""The U-Net's loss: by hand, and the contract of every loss."""

from __future__ import annotations

import numpy as np
import pytest

from landmarks_tf.losses import ReconstructionLoss
from tests import contracts

pytestmark = contracts.IGNORE_ARRAY_COPY


def test_contract(tmp_path):
    differences = np.random.default_rng(0).normal(size=(5, 4)).astype(np.float32)
    contracts.check_loss(ReconstructionLoss, np.array([3, 0, 2, 2, 1]), differences, tmp_path)


def test_by_hand():
    differences = np.zeros((2, 2, 2, 3), np.float32)
    differences[0, 0, 0] = (1, 2, 3)  # 14 over 12 numbers
    differences[1] = 0.5
    rows = ReconstructionLoss(reduction="none")(np.zeros(2), differences)
    np.testing.assert_allclose(rows, [14 / 12, 0.25], rtol=1e-6)


def test_labels_change_nothing():
    differences = np.ones((2, 4, 4, 3), np.float32)
    loss = ReconstructionLoss()
    assert float(loss(np.array([0, 1]), differences)) == float(loss(np.array([7, 7]), differences))


def test_half_precision_is_refused():
    with pytest.raises(ValueError, match=r"squares of small differences.*'float16'"):
        ReconstructionLoss(dtype="float16")
