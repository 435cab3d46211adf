"""Random erasing and cutout: how much is taken away, where, and what is put there."""

from __future__ import annotations

import numpy as np
import pytest

from tests.test_data_augment import many


def test_random_erasing_takes_a_box_of_2_to_40_percent():
    flat = np.full((30, 40, 3), 44, np.uint8)
    pictures = many(flat, 600, "random_erasing", mode="letterbox", image_size=40)
    inner = pictures[:, 5:35]
    erased = (inner != 44).any(-1)
    assert erased.any((1, 2)).mean() == pytest.approx(0.5, abs=0.06)
    shares, ratios = [], []
    for mask in erased[erased.any((1, 2))]:
        height, width = (np.ptp(np.flatnonzero(mask.any(axis))) + 1 for axis in (1, 0))
        assert mask.sum() > 0.97 * height * width  # noise is 44, 44, 44 once in 16 million
        shares.append(height * width / 1200)
        ratios.append(height / width)
    assert 0.012 < min(shares) < 0.05
    assert 0.35 < max(shares) < 0.43
    assert 0.25 < min(ratios) < 0.5
    assert 2 < max(ratios) < 3.8
    values = inner[erased].ravel()
    assert (values.min(), values.max()) == (0, 255)
    assert values.mean() == pytest.approx(127.5, abs=2)


def test_random_erasing_takes_the_share_of_pictures_that_is_asked_for():
    flat = np.full((40, 40, 3), 44, np.uint8)
    for share in (0, 0.25, 1):
        pictures = many(flat, 200, f"random_erasing:{share}", image_size=40)
        touched = (pictures != 44).any((1, 2, 3)).mean()
        assert touched == pytest.approx(share, abs=0.1 if share == 0.25 else 0)


def test_cutout_takes_a_square_around_any_pixel():
    flat = np.full((24, 24, 3), 200, np.uint8)
    pictures = many(flat, 500, "cutout:0.25", mode="squash")
    cut = (pictures == (124, 116, 104)).all(-1)
    assert ((pictures == 200).all(-1) | cut).all()
    areas = cut.sum((1, 2))
    assert areas.max() == 36  # 6 x 6, less where it is half outside
    assert areas.min() < 16
    assert (areas == 36).mean() == pytest.approx((19 / 24) ** 2, abs=0.07)
    assert cut.any(0).all()
    half = many(flat, 200, "cutout", mode="squash")
    assert (half == (124, 116, 104)).all(-1).sum((1, 2)).max() == 144
