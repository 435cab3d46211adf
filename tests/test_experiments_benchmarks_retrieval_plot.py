"""The picture of the search benchmark: it is one, and it shows the numbers."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image

from experiments.benchmarks.retrieval_plot import draw
from tests.test_experiments_benchmarks_retrieval_report import measured


def pixels(report):
    with Image.open(io.BytesIO(draw(report))) as picture:
        return np.asarray(picture.convert("RGB")).astype(int)


def test_two_panels_with_every_usable_subject():
    found = pixels(measured())
    assert found.shape[0] > 600 and found.shape[1] > 1200
    # The colours of ScaNN by our rule, and of hnswlib (styles by subject, whoever is there).
    for colour, least in (((0x1F, 0x83, 0xC9), 200), ((0x56, 0xB4, 0xE9), 200)):
        near = np.abs(found - colour).sum(axis=2) < 12
        left, right = np.array_split(near, 2, axis=1)
        assert left.sum() > least and right.sum() > least


def test_other_numbers_give_another_picture_and_a_missing_speed_is_left_out():
    other = measured()
    other["subjects"][4]["points"][0]["queries_per_s"] = {"all": 500.0, "one": None}
    assert (pixels(other) != pixels(measured())).any()
    other["subjects"] = other["subjects"][:2]  # nothing but lines across
    assert pixels(other).std() > 0
