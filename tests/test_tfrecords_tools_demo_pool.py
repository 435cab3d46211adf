"""Drawing in processes: killed, stopped, out of room."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tfrecords_tools.demo.layout import MARKER, PARTIAL_MARKER, write_demo
from tfrecords_tools.demo.plan import Settings, take_census
from tfrecords_tools.demo.pool import draw_all

ROOT = Path(__file__).resolve().parent.parent
SIZES = {"images_per_landmark": 12, "index_per_landmark": 6, "queries_per_landmark": 2}
COMMAND = [
    *(sys.executable, "-m", "tfrecords_tools", "demo", "--landmarks", "6", "--seed", "3"),
    *("--images-per-landmark", "12", "--index-per-landmark", "6", "--queries-per-landmark", "2"),
]


def pictures(folder: Path) -> list[Path]:
    return sorted(folder.rglob("????????????????.jpg"))


# The limit is set after the fork: JAX, once another test loaded it, warns of a fork by Python.
FILES_UP_TO_1500_BYTES = """
import os, resource, signal, sys
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (1500, 1500))
os.execv(sys.argv[1], sys.argv[1:])
"""


def start_and_wait(folder: Path, workers: int, first: tuple[str, ...] = ()) -> subprocess.Popen:
    """Starts the command and returns when some pictures are there, but not all."""
    process = subprocess.Popen(
        [*first, *COMMAND, "--out", str(folder), "--workers", str(workers)],
        cwd=ROOT,
        stderr=subprocess.PIPE,
        stdout=subprocess.PIPE,
        start_new_session=True,
    )
    for _ in range(3000):
        if len(pictures(folder)) >= 3 or process.poll() is not None:
            return process
        time.sleep(0.01)
    process.kill()
    pytest.fail("no picture appeared within 30 s")


def gone(pid: int) -> bool:
    """Whether a whole session of processes ends within five seconds."""
    for _ in range(500):
        try:
            os.killpg(pid, 0)
        except ProcessLookupError:
            return True
        time.sleep(0.01)
    return False


def test_a_killed_run_leaves_nothing_that_looks_whole_and_is_continued(tmp_path):
    folder = tmp_path / "set"
    process = start_and_wait(folder, workers=2)
    process.kill()  # the parent alone: its workers must notice
    process.communicate()
    assert gone(process.pid), "workers outlive their parent"
    done = len(pictures(folder))
    assert 3 <= done < len(take_census(Settings(landmarks=6, seed=3, **SIZES)).pictures)
    assert (folder / PARTIAL_MARKER).is_file()
    assert not (folder / MARKER).exists()
    assert not list(folder.glob("*.csv"))
    summary = write_demo(folder, landmarks=6, seed=3, workers=1, progress=False, **SIZES)
    assert 0 < summary.drawn <= len(pictures(folder)) - done
    assert (folder / MARKER).is_file()
    assert not list(folder.rglob("*.partial"))


@pytest.mark.parametrize("workers", [1, 2])
def test_ctrl_c_ends_quickly_without_a_traceback(tmp_path, workers):
    folder = tmp_path / "set"
    process = start_and_wait(folder, workers)
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does: to the whole group
    _, errors = process.communicate(timeout=30)
    assert process.returncode == 130, errors.decode()
    assert b"Traceback" not in errors
    assert not (folder / MARKER).exists()
    assert not list(folder.glob("*.csv"))
    assert not list(folder.rglob("*.partial"))
    assert gone(process.pid)


def test_a_limit_on_file_size_ends_with_the_reason(tmp_path):
    folder = tmp_path / "set"
    limited = (sys.executable, "-c", FILES_UP_TO_1500_BYTES)
    process = start_and_wait(folder, workers=2, first=limited)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 1
    assert b"The demo set could not be written (File too large)" in errors
    assert b"Traceback" not in errors
    assert not (folder / MARKER).exists()
    assert not list(folder.rglob("*.partial"))


def test_a_worker_that_is_killed_is_reported(tmp_path):
    folder = tmp_path / "set"
    process = start_and_wait(folder, workers=2)
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    workers = [
        int(pid) for pid in children if b"spawn_main" in Path(f"/proc/{pid}/cmdline").read_bytes()
    ]
    os.kill(workers[-1], signal.SIGKILL)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 1
    assert b"A process that drew pictures ended unexpectedly" in errors
    assert b"--workers 1" in errors
    assert not (folder / MARKER).exists()


def test_progress_counts_every_picture(tmp_path, capsys):
    settings = Settings(landmarks=6, images_per_landmark=4)
    some = list(take_census(settings).by_split["test"])[:3]
    draw_all(tmp_path, settings, some, workers=1, progress=True)
    assert len(pictures(tmp_path)) == 3
    assert "3/3" in capsys.readouterr().err
    draw_all(tmp_path, settings, [], workers=2, progress=False)
    assert len(pictures(tmp_path)) == 3
