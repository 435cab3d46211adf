"""Fixtures that the whole suite shares: one demo data set, one set of records."""

from __future__ import annotations

import contextlib
import fcntl
import gc
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

# Files are handed to the workers whole and in this order, so that no long one is left to the end,
# when the other workers have nothing to do.
LONG_FILES = (
    "test_readme",
    "test_main_job",
    "test_models_contract",
    "test_backends_networks",
    "test_training_fit_killed",
    "test_experiments_benchmarks_networks",
    "test_models_resnet",
    "test_models_resnest",
    "test_models_res2net",
    "test_models_inception",
    "test_models_weights_photographs",
    "test_backends",
    "test_backends_xla",
    "test_experiments_stages_devices",
    "test_experiments_stages_succession",
    "test_training_fit",
)


# While the test files are imported nothing but what stays is made.
gc.disable()


def pytest_collection_finish() -> None:
    gc.freeze()
    gc.enable()


def pytest_collection_modifyitems(items) -> None:
    """The long files first; the order within a file stays."""
    places = {name: place for place, name in enumerate(LONG_FILES)}
    items.sort(key=lambda item: places.get(item.path.stem, len(places)))


@pytest.fixture(scope="module", autouse=True)
def _forgets_networks():
    """What a file has built is not kept: a worker would grow to gigabytes, and slow down.

    What was there before, modules above all, is no longer looked through: with TensorFlow imported
    a collection takes a second, and each training ends with one.
    """
    gc.freeze()
    yield
    if "keras" in sys.modules:
        sys.modules["keras"].utils.clear_session()
    gc.collect()


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


@pytest.fixture
def tools(capfd):
    """`python -m tfrecords_tools` in this process: arguments -> (exit code, stdout, stderr)."""
    from tfrecords_tools.__main__ import main

    before, visible = signal.getsignal(signal.SIGTERM), os.environ.get("CUDA_VISIBLE_DEVICES")

    def call(*arguments):
        try:
            code = main([str(argument) for argument in arguments])
        except SystemExit as end:  # argparse
            code = end.code
        out, err = capfd.readouterr()
        return code, out, err

    yield call
    # What the command sets is the process', which others share here.
    signal.signal(signal.SIGTERM, before)
    os.environ.pop("CUDA_VISIBLE_DEVICES", None)
    if visible is not None:
        os.environ["CUDA_VISIBLE_DEVICES"] = visible


@contextlib.contextmanager
def _alone(name: str, tmp_path_factory, worker_id: str):
    """A folder that all workers of the session share; inside, the one that holds it alone."""
    base = tmp_path_factory.getbasetemp()
    folder = (base if worker_id == "master" else base.parent) / name
    folder.mkdir(exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield folder


@pytest.fixture(scope="session")
def demo_raw(tmp_path_factory, worker_id) -> Path:
    """A small demo data set in GLDv2's layout, rendered once for the session."""
    small = {"landmarks": 10, "images-per-landmark": 20, "index-per-landmark": 8}
    small |= {"queries-per-landmark": 3, "seed": 7}
    flags = [word for name, value in small.items() for word in (f"--{name}", str(value))]
    with _alone("demo", tmp_path_factory, worker_id) as folder:
        if not (folder / "rendered").exists():
            _run_or_fail("tfrecords_tools", "demo", "--out", folder / "raw", *flags)
            (folder / "rendered").touch()
    return folder / "raw"


@pytest.fixture(scope="session")
def demo_records(demo_raw, tmp_path_factory, worker_id) -> Path:
    """The records of `demo_raw`: train, validation, index and test in one folder."""
    with _alone("demo", tmp_path_factory, worker_id) as folder:
        records = folder / "records"
        if not (folder / "converted").exists():
            common = ("convert", "--raw", demo_raw, "--out", records, "--shards", "2")
            validation = ("--validation-fraction", "0.2")
            _run_or_fail("tfrecords_tools", *common, "--split", "train", *validation)
            _run_or_fail("tfrecords_tools", *common, "--split", "index")
            _run_or_fail("tfrecords_tools", *common, "--split", "test")
            (folder / "converted").touch()
    return records


@pytest.fixture(scope="session")
def real_landmarks() -> Path:
    """Real photographs in GLDv2's layout; absent outside the founders' machines and CI."""
    folder = ROOT.parent / "shared" / "data" / "landmarks_real"
    if not folder.is_dir():
        pytest.skip("the real landmark photographs (../shared/data/landmarks_real) are not here")
    return folder
