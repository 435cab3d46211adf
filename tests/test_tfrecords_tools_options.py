from __future__ import annotations

import argparse

import pytest

from tfrecords_tools.options import (
    ConvertOptions,
    UsageError,
    add_arguments,
    options_from,
)


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
        ({"validation_split": "x"}, "validation_split must be one of per-class, random, got 'x'"),
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
