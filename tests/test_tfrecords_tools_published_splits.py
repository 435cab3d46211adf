from __future__ import annotations

import pytest

from tfrecords_tools.options import ConvertOptions
from tfrecords_tools.published_splits import PUBLISHED_SPLITS, as_published


@pytest.mark.parametrize("name", PUBLISHED_SPLITS)
def test_each_is_a_valid_choice_of_options(name):
    options = ConvertOptions("train", published_split=name, **PUBLISHED_SPLITS[name].options)
    assert options.has_validation


def test_the_stated_numbers_add_up():
    """1,580,470 clean and 4,132,914 images in all, as the data set's own README counts them."""
    hav4ik, seungkee = PUBLISHED_SPLITS["hav4ik"], PUBLISHED_SPLITS["seungkee"]
    assert hav4ik.train + hav4ik.validation == 1_580_470
    assert seungkee.train + seungkee.validation == 4_132_914
    assert PUBLISHED_SPLITS["s2"].options["seed"] == 300


def test_what_was_found_beside_what_is_stated():
    found = {"train": 1_508_148, "validation": 72_322, "classes": 81_313}
    assert as_published("hav4ik", found) == (
        "hav4ik, as published: train 1,508,148, validation 72,322, classes 81,313"
    )
    assert as_published("hav4ik", found | {"train": 20}) == (
        "hav4ik was published with train 1,508,148, validation 72,322, classes 81,313; "
        "here: train 20 (other images than the source's)"
    )
