from __future__ import annotations

import argparse

import pytest

from tfrecords_tools.convert_arguments import add_arguments


def _parse(*arguments):
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    return parser.parse_args([*arguments, "--out", "o", "--split", "train"])


def test_what_is_not_given_is_none():
    """So that an option can be told from its default."""
    args = _parse("--raw", "r")
    for name in ("seed", "validation_split", "clean", "subset", "verify_pixels", "records"):
        assert getattr(args, name) is None
    assert (args.dialect, args.dry_run) == ("auto", False)


def test_one_source(capsys):
    assert _parse("--records", "a", "b").records == ["a", "b"]
    for arguments, message in (
        ([], "one of the arguments --raw --records is required"),
        (["--raw", "r", "--records", "a"], "not allowed with argument --raw"),
    ):
        with pytest.raises(SystemExit):
            _parse(*arguments)
        assert message in capsys.readouterr().err


def test_negatives():
    args = _parse("--raw", "r", "--no-verify-pixels", "--no-clean")
    assert (args.verify_pixels, args.clean) == (False, False)
