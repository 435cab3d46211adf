"""Addresses and numbers against CVDF's README and the shell scripts that are published with it."""

from __future__ import annotations

import pytest

from tfrecords_tools.download.published import (
    BASE_URL,
    IMAGES,
    PublishedTar,
    parse_md5,
    parse_numbers,
    published_tables,
    published_tars,
)

ALL = ("train", "index", "test")


def test_addresses_are_the_published_ones():
    tar = PublishedTar("index", 7)
    assert tar.name == "index/images_007.tar"
    assert tar.url(BASE_URL) == "https://s3.amazonaws.com/google-landmark/index/images_007.tar"
    assert tar.md5_url(BASE_URL) == (
        "https://s3.amazonaws.com/google-landmark/md5sum/index/md5.images_007.txt"
    )
    urls = {table.name: table.url(BASE_URL) for table in published_tables(ALL)}
    assert len(urls) == 12
    root = "https://s3.amazonaws.com/google-landmark"
    assert urls["train.csv"] == f"{root}/metadata/train.csv"
    name = "recognition_solution_v2.1.csv"
    assert urls[name] == f"{root}/ground_truth/{name}"


def test_there_are_620_tars_and_five_million_images():
    tars = published_tars(ALL, None)
    assert len(tars) == 500 + 100 + 20
    assert [tars[0].stem, tars[499].name] == ["images_000", "train/images_499.tar"]
    assert tars[-1].name == "test/images_019.tar"
    assert sum(IMAGES.values()) == 5_012_248


def test_some_tars_of_some_splits():
    names = [tar.name for tar in published_tars(("test", "index"), frozenset({3, 0}))]
    assert names == [
        *("test/images_000.tar", "test/images_003.tar"),
        *("index/images_000.tar", "index/images_003.tar"),
    ]
    with pytest.raises(ValueError, match=r"test has tars 0 to 19, asked for is tar 99: name other"):
        published_tars(ALL, frozenset(range(100)))


@pytest.mark.parametrize(
    ("text", "numbers"),
    [("0-9", range(10)), ("7", [7]), ("0,3, 7-8", [0, 3, 7, 8]), ("5-5", [5])],
)
def test_numbers(text, numbers):
    assert parse_numbers(text) == frozenset(numbers)


@pytest.mark.parametrize("text", ["", "a", "3-1", "-1", "1-", "0,,2", "0.5", "1-2-3"])
def test_numbers_that_are_none(text):
    with pytest.raises(ValueError, match=r"tars are given as 0-9 or 0,3,7-12, got "):
        parse_numbers(text)


def test_the_checksum_is_the_first_word():
    """What `md5sum` prints; the whole line is what tensorflow-federated #3880 compares with."""
    digest = "825975950b2e22f0f66aa8fd26c1f153"
    for text in (f"{digest}  images_000.tar\n", digest, f" {digest.upper()} *images_000.tar"):
        assert parse_md5(text) == digest
    for text in ("", "<html>", digest[:-1], digest + "0", "images_000.tar " + digest):
        with pytest.raises(ValueError, match=r"expected an md5sum line .* got '"):
            parse_md5(text)
