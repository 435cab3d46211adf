"""How commands end, in this process and in processes whose output nobody reads to its end."""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pytest

from experiments.command import MeasurementError, exit_code
from experiments.settings import UnknownSettingError
from tests.conftest import ROOT


@pytest.mark.parametrize(
    ("error", "code", "told"),
    [
        (UnknownSettingError("no such"), 2, "error: no such\n"),
        (MeasurementError("it was killed"), 1, "error: it was killed\n"),
        (ValueError("too small"), 1, "error: too small\n"),
        (FileNotFoundError(2, "Not there", "x"), 1, "error: x: Not there\n"),
        (FileNotFoundError("there is no x"), 1, "error: there is no x\n"),
        (ImportError("no such package"), 1, "error: no such package\n"),
        # Both streams have their readers: it is the pipe to a process of the command that broke.
        (BrokenPipeError(32, "Broken pipe"), 1, "error: Broken pipe\n"),
        (KeyboardInterrupt(), 130, "\nstopped; goes on\n"),
    ],
)
def test_what_ends_a_command(error, code, told, capsys):
    def work():
        raise error

    assert exit_code(work, interrupted="stopped; goes on") == code
    assert capsys.readouterr().err == told


def test_the_work_decides_where_nothing_goes_wrong(capsys):
    assert exit_code(lambda: 1) == 1
    assert capsys.readouterr().err == ""


def test_a_mistake_of_ours_is_not_hidden():
    with pytest.raises(KeyError):
        exit_code(lambda: {}["x"])


# Where every line is written at once, the last one too is written while the work goes on.
BUFFERED = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}


def unread(*words, lines=0, both=False) -> tuple[int, bytes]:
    """Exit code and standard error of a process of which so many lines are read.

    Args:
        both: standard error goes into the same pipe, as after `2>&1`.
    """
    with subprocess.Popen(
        [sys.executable, *map(str, words)],
        cwd=ROOT,
        env=BUFFERED,
        stdin=subprocess.PIPE,  # it waits for the end of this
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT if both else subprocess.PIPE,
    ) as process:
        for _ in range(lines):
            assert process.stdout.readline()
        process.stdout.close()
        process.stdin.close()
        said = b"" if both else process.stderr.read()
        return process.wait(), said


@pytest.mark.parametrize(
    "words",
    [
        ("experiments.run", "--list"),
        ("experiments.rerank", "--list"),
        ("experiments.index", "build", "--exact", "--embeddings", "ROWS", "--out", "INDEX"),
    ],
    ids=lambda words: words[0],
)
def test_a_command_whose_words_go_unread_has_done_its_work(words, tmp_path):
    np.save(tmp_path / "rows.npy", np.eye(4, dtype=np.float32))
    places = {"ROWS": tmp_path / "rows.npy", "INDEX": tmp_path / "index"}
    assert unread("-m", *(places.get(word, word) for word in words)) == (0, b"")
    assert (tmp_path / "index" / "manifest.json").exists() == ("INDEX" in words)


# Waits for the end of its input, by when nobody reads its output; then does something.
_WORK = """
import os, subprocess, sys
from experiments.command import exit_code

def work():
    print("first", flush=True)
    sys.stdin.read()
    {do}
    return 3

sys.exit(exit_code(work))
"""


@pytest.mark.parametrize(
    ("do", "code", "told"),
    [
        ("for number in range(100_000): print(number)", 141, b""),
        ("print('last')", 3, b""),  # it was all done, and its own code stands
        ("print('last'); raise ValueError('too small')", 1, b"error: too small\n"),
        ("raise KeyboardInterrupt", 130, b"\ninterrupted\n"),
    ],
)
def test_where_nobody_reads_a_command_stops_without_a_traceback(do, code, told):
    words = ("-c", _WORK.format(do=do))
    assert unread(*words, lines=1) == (code, told)
    assert unread(*words, lines=1, both=True) == (code, b"")


def test_where_messages_go_unread_too_it_stops_at_once():
    do = "print('progress', file=sys.stderr); print('x' * 100_000, file=sys.stderr)"
    assert unread("-c", _WORK.format(do=do), lines=1, both=True) == (141, b"")


def test_a_pipe_to_a_process_of_its_own_is_an_error_all_the_same():
    do = "r, w = os.pipe(); os.close(r); os.write(w, b'x')"
    done = subprocess.run(
        [sys.executable, "-c", _WORK.format(do=do)],
        cwd=ROOT,
        input=b"",
        capture_output=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (1, b"error: Broken pipe\n")
