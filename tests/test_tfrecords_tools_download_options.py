from __future__ import annotations

import argparse

import pytest

from tfrecords_tools.download.options import DownloadOptions, add_arguments, options_from
from tfrecords_tools.options import UsageError


def parse(*words: str) -> DownloadOptions:
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    return options_from(parser.parse_args(["--out", "data", *words]))


def test_by_default_everything_is_fetched():
    options = parse()
    assert options == DownloadOptions()
    assert options.splits == ("train", "index", "test")
    assert (options.tars, options.disk_budget_bytes) == (None, None)
    assert options.base_url == "https://s3.amazonaws.com/google-landmark"


def test_every_option_is_read():
    options = parse(
        *("--splits", "index", "test", "--tars", "0-2,7", "--jobs", "3", "--disk-budget", "2.5"),
        *("--base-url", "http://mirror.example/gldv2/", "--tries", "5", "--timeout", "9"),
        "--recheck",
    )
    assert (options.splits, options.tars) == (("index", "test"), frozenset({0, 1, 2, 7}))
    assert (options.jobs, options.disk_budget_bytes) == (3, 2_500_000_000)
    assert options.base_url == "http://mirror.example/gldv2"
    assert (options.patience.tries, options.patience.silence_s) == (5, 9)
    assert options.recheck
    assert parse("--keep-tars").keep_tars


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--jobs", "0"], r"jobs must be from 1 to 64, got 0"),
        (["--tars", "9-0"], r"tars are given as 0-9 or 0,3,7-12, got '9-0'"),
        (["--tars", "0-99"], r"test has tars 0 to 19, asked for is tar 99"),
        (["--splits", "test", "test"], r"splits must be some of .* each once; got test, test"),
        (["--disk-budget", "0"], r"--disk-budget must be above 0 GB, got 0"),
        (["--disk-budget", "nan"], r"--disk-budget must be above 0 GB, got nan"),
        (["--disk-budget", "5", "--keep-tars"], r"cannot go with keep_tars"),
        (["--base-url", "ftp://a.example"], r"must begin with https:// or http://: 'ftp://a.ex"),
        (["--base-url", "file:///etc"], r"must begin with https://"),
        (["--base-url", "http://"], r"must begin with https://"),
        (["--tries", "0"], r"--tries must be at least 1"),
        (["--timeout", "nan"], r"--timeout must be above 0"),
        (["--timeout", "0"], r"--timeout must be above 0"),
    ],
)
def test_what_makes_no_sense_is_a_usage_error(words, message):
    with pytest.raises(UsageError, match=message):
        parse(*words)
