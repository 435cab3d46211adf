"""Fixtures that the whole suite shares: one demo data set, one set of records."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

# Keeps TensorFlow's start-up chatter out of the report; a failure is an exception all the same.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

# A shell starts what runs in its background with Ctrl-C ignored, and children would inherit that:
# the tests that interrupt a command would wait for nothing.
if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

ROOT = Path(__file__).resolve().parent.parent


def run_module(module: str, *arguments: str, **options) -> subprocess.CompletedProcess:
    """`python -m module arguments` from the project's root, output captured as text."""
    return subprocess.run(
        [sys.executable, "-m", module, *map(str, arguments)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        **options,
    )


def _run_or_fail(module: str, *arguments: str) -> None:
    done = run_module(module, *arguments)
    if done.returncode:
        pytest.fail(f"{module} {' '.join(map(str, arguments))} failed:\n{done.stdout}{done.stderr}")


@pytest.fixture(scope="session")
def demo_raw(tmp_path_factory) -> Path:
    """A small demo data set in GLDv2's layout, rendered once for the session."""
    folder = tmp_path_factory.mktemp("demo") / "raw"
    small = {"landmarks": 10, "images-per-landmark": 20, "index-per-landmark": 8}
    small |= {"queries-per-landmark": 3, "seed": 7}
    flags = [word for name, value in small.items() for word in (f"--{name}", str(value))]
    _run_or_fail("tfrecords_tools", "demo", "--out", folder, *flags)
    return folder


@pytest.fixture(scope="session")
def demo_records(demo_raw, tmp_path_factory) -> Path:
    """The records of `demo_raw`: train, validation, index and test in one folder."""
    folder = tmp_path_factory.mktemp("demo") / "records"
    common = ("convert", "--raw", demo_raw, "--out", folder, "--shards", "2")
    _run_or_fail("tfrecords_tools", *common, "--split", "train", "--validation-fraction", "0.2")
    _run_or_fail("tfrecords_tools", *common, "--split", "index")
    _run_or_fail("tfrecords_tools", *common, "--split", "test")
    return folder


@pytest.fixture(scope="session")
def real_landmarks() -> Path:
    """Real photographs in GLDv2's layout; absent outside the founders' machines and CI."""
    folder = ROOT.parent / "shared" / "data" / "landmarks_real"
    if not folder.is_dir():
        pytest.skip("the real landmark photographs (../shared/data/landmarks_real) are not here")
    return folder
