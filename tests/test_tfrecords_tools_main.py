from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.reference import gldv2

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture
def run(tools):
    return tools


def test_the_matrix_library_starts_no_threads():
    program = (
        "import os, sys; from tfrecords_tools.__main__ import main; import contextlib\n"
        "with contextlib.suppress(SystemExit): main(['convert', '--help'])\n"
        "assert 'numpy' in sys.modules; print(len(os.listdir('/proc/self/task')))"
    )
    there = {name: value for name, value in os.environ.items() if "NUM_THREADS" not in name}
    done = subprocess.run(
        [sys.executable, "-c", program],
        env=there,
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.splitlines()[-1] == "1"


def test_help_names_the_commands(run):
    code, out, _ = run("--help")
    assert code == 0
    for name in ("demo", "download", "arrange", "check", "convert", "verify"):
        assert f"\n    {name} " in out


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("demo", ["--out DIR", "--landmarks N", "--seed S"]),
        ("convert", ["--raw DIR", "--split {train,index,test}", "--no-clean", "default: 128"]),
        ("download", ["--out DIR", "--disk-budget GB", "--dry-run", "default: 8"]),
        ("verify", ["--records DIR", "--split NAME", "exit code 1"]),
        ("check", ["--raw DIR", "--published", "--json FILE", "--no-decode", "else 1"]),
        ("arrange", ["--pictures DIR|CSV", "--query-fraction F", "--no-decode", "path,label"]),
    ],
)
def test_help_of_a_command(run, name, words):
    code, out, _ = run(name, "--help")
    assert code == 0
    assert all(word in " ".join(out.split()) for word in words)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "the following arguments are required: COMMAND"),
        (["convort"], "invalid choice: 'convort'"),
        (["convert", "--raw", "r", "--out", "o"], "required: --split"),
        (["convert", "--raw", "r", "--out", "o", "--split", "val"], "invalid choice: 'val'"),
        (
            ["convert", "--raw", "r", "--out", "o", "--split", "test", "--clean"],
            "error: --clean is for --split train, not for test; see --help",
        ),
        (["verify"], "required: --records"),
    ],
)
def test_usage_errors_are_2(run, arguments, message):
    code, out, err = run(*arguments)
    assert (code, out) == (2, "")
    assert message in err


def test_a_users_mistake_is_one_line_and_1(run, tmp_path):
    code, out, err = run("convert", "--raw", tmp_path, "--out", tmp_path / "o", "--split", "train")
    assert (code, out) == (1, "")
    assert err.startswith(f"error: {tmp_path} is no GLDv2 folder with split 'train'")
    assert err.count("\n") == 1
    assert not (tmp_path / "o").exists()
    code, _, err = run("verify", "--records", tmp_path)
    assert (code, err) == (
        1,
        f"error: {tmp_path} holds no records: no <split>.manifest.json, no shards\n",
    )


def test_an_error_of_the_system_names_the_file(run, tmp_path, monkeypatch):
    def fail(args):
        Path(tmp_path / "none").read_bytes()

    monkeypatch.setattr("tfrecords_tools.verify.run", fail)
    code, _, err = run("verify", "--records", tmp_path)
    assert (code, err) == (1, f"error: {tmp_path}/none: No such file or directory\n")


def test_ctrl_c_is_130_and_sigterm_143(run, monkeypatch):
    def interrupt(args):
        raise KeyboardInterrupt

    monkeypatch.setattr("tfrecords_tools.verify.run", interrupt)
    assert run("verify", "--records", "x")[0] == 130
    monkeypatch.setattr(
        "tfrecords_tools.verify.run", lambda args: os.kill(os.getpid(), signal.SIGTERM)
    )
    code, _, err = run("verify", "--records", "x")
    assert (code, err) == (143, "interrupted: give the same command again to continue\n")


def test_a_programming_error_is_not_hidden(run, monkeypatch):
    def fail(args):
        raise KeyError("a bug")

    monkeypatch.setattr("tfrecords_tools.verify.run", fail)
    with pytest.raises(KeyError, match="a bug"):
        run("verify", "--records", "x")


def test_convert_then_verify(run, tmp_path):
    gldv2.write_folder(tmp_path / "raw", {70: 5, 9: 10})
    out = tmp_path / "out"
    code, text, _ = run(
        *("convert", "--raw", tmp_path / "raw", "--out", out, "--split", "train"),
        *("--validation-fraction", "0.2", "--shards", "2"),
    )
    assert (code, text.splitlines()) == (
        0,
        [
            "validation: 3 records of 2 classes in 2 shard(s), no image left out",
            "train: 12 records of 2 classes in 2 shard(s), no image left out",
        ],
    )
    code, text, _ = run("verify", "--records", out)
    assert (code, text) == (0, "train: 12 records, all well\nvalidation: 3 records, all well\n")


@pytest.mark.parametrize(("unbuffered", "code"), [("", 0), ("1", 141)])
def test_output_that_nobody_reads_is_no_traceback(run, tmp_path, unbuffered, code):
    """Its last words go unread when all is done, or, written at once, while it is at work."""
    gldv2.write_folder(tmp_path / "raw", {70: 5, 9: 10})
    out = tmp_path / "out"
    assert run("convert", "--raw", tmp_path / "raw", "--out", out, "--split", "train")[0] == 0
    for words, expected in ((("--help",), 0), (("verify", "--records", out), code)):
        with subprocess.Popen(
            [sys.executable, "-m", "tfrecords_tools", *words],
            cwd=ROOT,
            env={**os.environ, "PYTHONUNBUFFERED": unbuffered},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        ) as process:
            process.stdout.close()
            assert process.stderr.read() == b""
            assert process.wait() == expected


def test_help_does_not_start_tensorflow():
    """It takes seconds; asking for help should not."""
    script = (
        "import sys; from tfrecords_tools.__main__ import main\n"
        "try: main(['convert', '--help'])\n"
        "except SystemExit: pass\n"
        "sys.exit('tensorflow' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, check=False
    )
    assert done.returncode == 0


def test_as_a_module():
    done = subprocess.run(
        [sys.executable, "-m", "tfrecords_tools", "verify", "--records", "/nonexistent"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (1, "error: there is no folder /nonexistent\n")
