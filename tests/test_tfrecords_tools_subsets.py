from __future__ import annotations

import numpy as np
import pytest

from tests.reference import gldv2
from tfrecords_tools.options import ConvertOptions
from tfrecords_tools.raw import RawFolder, RawFolderError
from tfrecords_tools.subsets import list_images


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Clean: 5 of landmark 7 and 2 of 9; besides them 3 of 7, and 4 of landmark 8, which has no
    clean image."""
    root = tmp_path_factory.mktemp("raw")
    gldv2.write_folder(root, {7: 5, 9: 2}, unclean={7: 3, 8: 4})
    return root


def _list(folder, **options):
    source = RawFolder(folder, "train")
    return list_images(source, source.files(), ConvertOptions("train", **options))


@pytest.mark.parametrize(
    ("options", "counts"),
    [
        ({}, {7: 5, 9: 2}),
        ({"clean": True}, {7: 5, 9: 2}),
        ({"subset": "clean"}, {7: 5, 9: 2}),
        ({"clean": False}, {7: 8, 8: 4, 9: 2}),
        ({"subset": "full"}, {7: 8, 8: 4, 9: 2}),
        ({"subset": "c2x"}, {7: 8, 9: 2}),
    ],
)
def test_which_images(folder, options, counts):
    listing, clean = _list(folder, **options)
    landmarks, found = np.unique(listing.landmark_ids, return_counts=True)
    assert dict(zip(landmarks.tolist(), found.tolist(), strict=True)) == counts
    assert clean is None
    assert len(listing.known) == 14


def test_the_order_of_c2x_is_that_of_train_csv(folder):
    listing, _ = _list(folder, subset="c2x")
    rows = [line.split(",") for line in (folder / "train.csv").read_text().splitlines()[1:]]
    assert [i.decode() for i in listing.ids] == [row[0] for row in rows if row[2] in ("7", "9")]
    assert set(listing.sources) == {"train.csv", "train_clean.csv"}


@pytest.mark.parametrize(("subset", "size"), [("full", 14), ("c2x", 10)])
def test_clean_images_are_marked_for_a_split_one_per_class(folder, subset, size):
    listing, clean = _list(folder, subset=subset, validation_split="one-per-class")
    names = " ".join((folder / "train_clean.csv").read_text().splitlines()[1:]).replace(",", " ")
    expected = [i.decode() in names.split() for i in listing.ids]
    assert (len(clean), clean.tolist()) == (size, expected)


def test_c2x_needs_the_clean_list(tmp_path):
    gldv2.write_folder(tmp_path, {7: 5})
    with pytest.raises(RawFolderError, match=r"no train_clean\.csv"):
        (tmp_path / "train.csv").read_text()
        _list(tmp_path, subset="c2x")
    _, clean = _list(tmp_path, subset="full", validation_split="one-per-class")
    assert clean is None
