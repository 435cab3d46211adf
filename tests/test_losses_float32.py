"""The base of the losses: float32 whatever the policy, and nothing else accepted."""

from __future__ import annotations

import numpy as np
import pytest

from landmarks_tf.losses.float32 import Float32Loss
from tests import contracts


class Difference(Float32Loss):
    def __init__(self, **options):
        super().__init__(name="difference", **options)

    def call(self, y_true, y_pred):
        return y_pred[:, 0] - y_true


@pytest.mark.parametrize("policy", ["float32", *contracts.MIXED_POLICIES])
def test_a_big_class_id_survives_every_policy(policy):
    with contracts.global_policy(policy):
        rows = Difference(reduction="none")(np.array([203_093]), np.float32([[203_094]]))
    assert np.asarray(rows).tolist() == [1.0]


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float64", "mixed_bfloat16"])
def test_every_other_dtype_is_refused(dtype):
    with pytest.raises(ValueError, match=f"Difference computes in float32.*dtype='{dtype}'"):
        Difference(dtype=dtype)
