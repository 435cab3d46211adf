from __future__ import annotations

import argparse

import pytest

from tfrecords_tools.convert_arguments import add_arguments
from tfrecords_tools.options import ConvertOptions, UsageError, options_from
from tfrecords_tools.published_splits import PUBLISHED_SPLITS


def _parse(*arguments: str) -> ConvertOptions:
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    return options_from(parser.parse_args(["--raw", "r", "--out", "o", *arguments]))


def test_defaults_of_the_command_are_those_of_the_class():
    assert _parse("--split", "train") == ConvertOptions("train")


def test_every_option_reaches_its_field():
    options = _parse(
        *[
            "--split",
            "train",
            "--shards",
            "3",
            "--validation-fraction",
            "0.25",
            "--validation-split",
            "random",
        ],
        *["--min-images-per-class", "150", "--no-clean", "--seed", "300"],
        *["--reencode-short-side", "300", "--jpeg-quality", "85", "--workers", "2"],
    )
    assert options == ConvertOptions(
        split="train",
        shards=3,
        validation_fraction=0.25,
        validation_split="random",
        min_images_per_class=150,
        clean=False,
        seed=300,
        reencode_short_side=300,
        jpeg_quality=85,
    )


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"split": "validation"}, "split must be one of train, index, test, got 'validation'"),
        ({"validation_split": "x"}, "must be one of per-class, random, one-per-class, got 'x'"),
        ({"subset": "x"}, "subset must be one of full, clean, c2x, got 'x'"),
        ({"published_split": "x"}, "published_split must be one of delf, hav4ik, "),
        ({"subset": "full", "clean": False}, "subset says which images: leave clean out"),
        ({"sample_classes": 0}, "sample_classes must be at least 1, got 0"),
        (
            {"validation_split": "one-per-class", "validation_fraction": 0.1},
            "one-per-class takes one image of each class: leave validation_fraction out",
        ),
        (
            {"verify_pixels": False, "reencode_short_side": 64},
            "reencode_short_side decodes every image",
        ),
        ({"split": "index", "subset": "c2x"}, "subset is for split train, not for index"),
        ({"validation_fraction": 1.0}, "at least 0 and below 1, got 1.0"),
        ({"validation_fraction": -0.1}, "at least 0 and below 1, got -0.1"),
        ({"validation_fraction": float("nan")}, "at least 0 and below 1, got nan"),
        ({"shards": 0}, "shards must be from 1 to 99999, got 0"),
        ({"min_images_per_class": 0}, "min_images_per_class must be at least 1, got 0"),
        ({"seed": -1}, "seed must be from 0 to 4294967295, got -1"),
        ({"reencode_short_side": 2}, "reencode_short_side must be at least 16, got 2"),
        ({"reencode_short_side": 64, "jpeg_quality": 101}, "jpeg_quality must be from 1 to 100"),
        ({"jpeg_quality": 80}, "jpeg_quality has no effect without reencode_short_side"),
        ({"split": "index", "clean": True}, "clean is for split train, not for index"),
        ({"split": "test", "validation_fraction": 0.1}, "validation_fraction is for split train"),
        ({"split": "test", "min_images_per_class": 2}, "min_images_per_class is for split train"),
    ],
)
def test_bad_values(changes, message):
    with pytest.raises(ValueError, match=message):
        ConvertOptions(**({"split": "train"} | changes))


def test_the_command_names_flags():
    with pytest.raises(
        UsageError, match="--jpeg-quality has no effect without --reencode-short-side"
    ):
        _parse("--split", "train", "--jpeg-quality", "80")
    with pytest.raises(UsageError, match="--workers must be at least 1, got 0"):
        _parse("--split", "train", "--workers", "0")


def test_quality_applies_only_to_images_written_anew():
    assert ConvertOptions("train").quality is None
    assert ConvertOptions("train", reencode_short_side=300).quality == 90
    assert ConvertOptions("train", reencode_short_side=300, jpeg_quality=70).quality == 70


def test_which_images():
    assert ConvertOptions("train").images is None
    assert ConvertOptions("train", clean=True).images == "clean"
    assert ConvertOptions("train", clean=False).images == "full"
    assert ConvertOptions("train", subset="c2x").images == "c2x"


@pytest.mark.parametrize("name", PUBLISHED_SPLITS)
def test_a_published_split_sets_its_options(name):
    options = _parse("--split", "train", "--published-split", name, "--shards", "7")
    expected = ConvertOptions(
        "train", shards=7, published_split=name, **PUBLISHED_SPLITS[name].options
    )
    assert options == expected


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--seed", "4"], "--published-split s2 has --seed 300, got 4: leave --seed out"),
        (["--validation-fraction", "0.2"], "has --validation-fraction 0.1, got 0.2"),
        (["--no-clean"], "--published-split s2 says which images: no --clean"),
    ],
)
def test_options_against_a_published_split(arguments, message):
    with pytest.raises(UsageError, match=message):
        _parse("--split", "train", "--published-split", "s2", *arguments)


def test_options_that_a_published_split_has_anyway():
    options = _parse("--split", "train", "--published-split", "s2", "--seed", "300")
    assert (options.seed, options.min_images_per_class) == (300, 150)
