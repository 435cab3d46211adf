"""Layers that stay in float32."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from landmarks_tf.layers.float32 import Float32Layer
from tests.contracts import MIXED_POLICIES, global_policy


@pytest.mark.parametrize("policy", ["float32", "float64", "bfloat16", *MIXED_POLICIES])
def test_the_global_policy_does_not_reach_it(policy):
    with global_policy(policy):
        for layer in (Float32Layer(), Float32Layer(dtype=None), Float32Layer(dtype="float32")):
            assert (layer.compute_dtype, layer.variable_dtype) == ("float32", "float32")


def test_half_precision_inputs_are_cast_up():
    class Same(Float32Layer):
        def call(self, x):
            return x

    half = np.ones((2, 3), np.float16)
    assert keras.backend.standardize_dtype(Same()(half).dtype) == "float32"


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float64", *MIXED_POLICIES])
def test_any_other_dtype_is_refused(dtype):
    with pytest.raises(ValueError, match=f"float32 under every policy.*Received: dtype='{dtype}'"):
        Float32Layer(dtype=dtype)
