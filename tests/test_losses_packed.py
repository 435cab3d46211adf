"""Numbers as text: bits come back, short where numbers repeat, damage is named."""

from __future__ import annotations

import base64
import zlib

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from landmarks_tf.losses.class_sizes import dynamic_margins
from landmarks_tf.losses.packed import pack_floats, unpack_floats
from tests import contracts


@given(st.lists(st.floats(width=32), max_size=50))
def test_every_bit_comes_back(numbers):
    before = np.array(numbers, np.float32)
    after = unpack_floats(pack_floats(before))
    assert after.dtype == np.float32
    np.testing.assert_array_equal(after.view(np.uint32), before.view(np.uint32))


def test_the_format_is_what_it_says():
    text = base64.b64encode(zlib.compress(b"\x00\x00\x80\x3f\x00\x00\x00\xc0")).decode()
    np.testing.assert_array_equal(unpack_floats(text), np.float32([1.0, -2.0]))


def test_margins_of_all_landmarks_stay_short():
    # Class sizes as skewed as GLDv2's: 203,094 of them, a few thousand different ones.
    sizes = np.random.default_rng(0).zipf(1.6, 203_094).clip(1, 10_247)
    margins = dynamic_margins(sizes)
    assert len(np.unique(margins)) > 300
    assert len(pack_floats(margins)) < 300_000


def test_damage_is_named():
    text = pack_floats(np.arange(9))
    contracts.check_refusals(
        {
            "begin with '0.35'": lambda: unpack_floats("0.35"),
            "Received 0 characters": lambda: unpack_floats(""),
            "as pack_floats writes them": lambda: unpack_floats(text[: len(text) // 2 // 4 * 4]),
            "base64 of zlib": lambda: unpack_floats(
                base64.b64encode(zlib.compress(b"123")).decode()
            ),
        }
    )
