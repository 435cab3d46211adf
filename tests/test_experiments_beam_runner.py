"""Beam's options, and what is said of a pipeline that fails."""

from __future__ import annotations

import argparse
import subprocess
import sys

import pytest

from experiments.beam_runner import Runner, add_options, progress_bar, runner_of
from experiments.command import UsageError
from tests.conftest import ROOT
from tests.test_experiments_index_beam import PYTHON


def parsed(*words):
    parser = argparse.ArgumentParser()
    add_options(parser)
    return parser.parse_args(words)


def test_without_a_runner_there_are_no_flags():
    assert runner_of(parsed()) is None
    with pytest.raises(UsageError, match="--beam-options goes with --runner"):
        runner_of(parsed("--beam-options", "x"))


def test_flags_are_one_word_of_several(monkeypatch):
    monkeypatch.setitem(sys.modules, "apache_beam", sys)  # that it is there is all that is asked
    words = ("--runner", "FlinkRunner")
    assert runner_of(parsed(*words)) == Runner("FlinkRunner", [])
    found = runner_of(parsed(*words, "--beam-options=--region=R --labels='a b'"))
    assert found == Runner("FlinkRunner", ["--region=R", "--labels=a b"])
    with pytest.raises(UsageError, match="--beam-options cannot be read: No closing quotation"):
        runner_of(parsed(*words, "--beam-options='a"))


def test_without_beam_it_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "apache_beam", None)
    with pytest.raises(UsageError, match=r"--runner needs Apache Beam .*landmarks-tf\[beam\]"):
        runner_of(parsed("--runner", "DirectRunner"))


def test_the_bar_counts_files(tmp_path, capsys):
    paths = [tmp_path / name for name in "abc"]
    paths[0].touch()
    with progress_bar(paths, desc="search", unit=" blocks"):
        paths[2].touch()
    assert "2/3" in capsys.readouterr().err


@pytest.mark.skipif(
    not PYTHON.is_file(), reason="Apache Beam's environment is not here: `make peers` builds it"
)
def test_a_pipeline_runs_and_its_failure_is_an_error_of_the_system():
    program = (
        "import apache_beam as beam\n"
        "from experiments.beam_runner import Runner, run_pipeline\n"
        "for numbers in ([1, 2], [1, 0]):\n"
        "    def build(pipeline):\n"
        "        pipeline | beam.Create(numbers) | beam.Map(lambda n: print(6 // n))\n"
        "    try: run_pipeline(build, Runner('DirectRunner'), kept='finished parts')\n"
        "    except OSError as error: print('OSError:', error)\n"
    )
    done = subprocess.run(
        [PYTHON, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("6\n3\n6\nOSError: the Beam pipeline failed: ")
    assert "integer division or modulo by zero" in done.stdout
    assert "finished parts are kept: once this is mended, the same command continues" in done.stdout
