"""Command line of the demo set."""

from __future__ import annotations

import argparse

import pytest

from tests.conftest import run_module
from tfrecords_tools.demo import cli
from tfrecords_tools.demo.plan import Settings


def parsed(*arguments: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    cli.add_arguments(parser)
    return parser.parse_args(arguments)


def test_the_defaults_are_those_of_the_settings():
    args = vars(parsed("--out", "x"))
    assert {name: args[name] for name in Settings().as_dict()} == Settings().as_dict()
    assert args["workers"] is None


def test_every_setting_is_an_option():
    args = parsed(
        *("--out", "x", "--landmarks", "7", "--seed", "9", "--images-per-landmark", "5"),
        *("--index-per-landmark", "3", "--queries-per-landmark", "2"),
        *("--no-landmark-share", "0.5", "--workers", "2", "--quiet"),
    )
    settings = Settings(**{name: getattr(args, name) for name in Settings().as_dict()})
    assert settings == Settings(7, 9, 5, 3, 2, 0.5)
    assert (args.workers, args.quiet) == (2, True)


def test_the_folder_is_required(capsys):
    with pytest.raises(SystemExit) as exit_info:
        parsed()
    assert exit_info.value.code == 2
    assert "--out" in capsys.readouterr().err


def test_a_run_and_a_second_run(tmp_path, capsys):
    arguments = (
        *("--out", str(tmp_path / "set"), "--landmarks", "6", "--images-per-landmark", "4"),
        *("--index-per-landmark", "2", "--queries-per-landmark", "1", "--workers", "1"),
    )
    assert cli.run(parsed(*arguments)) == 0
    first = capsys.readouterr()
    assert "classes of 2 to" in first.out
    assert "image" in first.err, "no progress bar"
    assert cli.run(parsed(*arguments, "--quiet")) == 0
    second = capsys.readouterr()
    assert "already complete; nothing to do" in second.out
    assert second.err == ""
    assert second.out.splitlines()[-1] == first.out.splitlines()[-1]


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("--landmarks", "3"), 1, "landmarks must lie in 6..5000, received 3."),
        (("--landmarks", "many"), 2, "invalid int value: 'many'"),
        (("--workers", "0"), 1, "workers must be a whole number of at least 1"),
        (("--landmark-count", "8"), 2, "unrecognized arguments"),
    ],
)
def test_mistakes_are_answered_without_a_traceback(tmp_path, arguments, code, message):
    done = run_module("tfrecords_tools", "demo", "--out", tmp_path / "set", *arguments)
    assert done.returncode == code
    assert message in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "set").exists()
