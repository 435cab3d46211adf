"""Margins: what is one, in which unit, for how many classes."""

from __future__ import annotations

import math

import numpy as np

from landmarks_tf.losses import margins
from tests import contracts


def test_one_margin_or_one_for_each_class():
    assert margins.checked_angle(np.float64(0.5)) == 0.5
    assert isinstance(margins.checked_angle(0), float)
    each = margins.checked_angle([0, 0.25])
    assert each.dtype == np.float32 and each.tolist() == [0, 0.25]
    assert margins.margins_of(0.5, np.array([1, 0]), 2) == 0.5
    rows = margins.margins_of(each, np.array([1, 1, 0]), 2)
    np.testing.assert_array_equal(rows, [0.25, 0.25, 0])


def test_a_margin_survives_its_config():
    for margin in (0.35, np.linspace(0, 1, 9, dtype=np.float32)):
        again = margins.margin_from_config(margins.margin_config(margin))
        assert type(again) is type(margin)
        np.testing.assert_array_equal(again, margin)


def test_refusals():
    angle, difference = margins.checked_angle, margins.checked_difference
    contracts.check_refusals(
        {
            "In degrees? 28.6 degrees are 0.4992 radians": lambda: angle(28.6),
            "margin=2.0. In degrees?": lambda: angle([0.1, 2.0, 30]),
            "margin=1.5707963267948966": lambda: angle(math.pi / 2),
            "margin=-0.1.": lambda: angle(-0.1),
            "margin=inf.": lambda: angle(math.inf),
            "high=nan.": lambda: angle(math.nan, "high"),
            "difference of cosines in [0, 2), no angle. Received: margin=28": lambda: difference(
                28
            ),
            "margin=-1.0": lambda: difference([0.1, -1]),
            "float64 of shape (0,)": lambda: angle([]),
            "float64 of shape (1, 1)": lambda: difference([[0.1]]),
            "one for each class": lambda: angle("0.5"),
            "of the 3 classes that are scored. Received: 2 margins": lambda: margins.margins_of(
                np.zeros(2, np.float32), np.array([0]), 3
            ),
            "Received: scale=0": lambda: margins.checked_scale(0),
            "Received: scale=nan": lambda: margins.checked_scale(math.nan),
        }
    )
