from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from tests.reference import gldv2
from tfrecords_tools import resume, workers
from tfrecords_tools.image_source import FolderImages
from tfrecords_tools.images import Reencoding
from tfrecords_tools.plan import SplitPlan
from tfrecords_tools.raw import RawFolder
from tfrecords_tools.shards import shard_task
from tfrecords_tools.workers import write_shards

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture
def make(tmp_path):
    """Tasks of four shards with 20 images between them, for an out folder of any name."""
    train = gldv2.write_folder(tmp_path / "raw", {70: 20})
    plan = SplitPlan(
        "train",
        np.array(list(train), "S16"),
        np.zeros(20, np.int32),
        np.array([0, 4, 9, 15, 20]),
        {},
    )

    def tasks(name, reencoding=None):
        out = tmp_path / name
        resume.state_folder(out, "train").mkdir(parents=True)
        images = FolderImages(RawFolder(tmp_path / "raw", "train"))
        return out, [shard_task(images, out, plan, shard, reencoding) for shard in range(4)]

    return tasks


def _write(out, tasks, workers=2):
    ticks = []
    notes = list(
        write_shards(tasks, out=out, group="train", workers=workers, progress=ticks.append)
    )
    return {note["name"]: note for note in notes}, sum(ticks)


def _bytes(out):
    return {path.name: path.read_bytes() for path in out.glob("train-*")}


def test_processes_and_threads_write_the_same(make, monkeypatch):
    out, tasks = make("threads")
    notes, ticks = _write(out, tasks)
    assert ticks == 20
    monkeypatch.setattr(workers, "IMAGES_PER_PROCESS", 5)
    other, tasks = make("processes")
    again, ticks = _write(other, tasks)
    assert ticks == 20
    assert _bytes(out) == _bytes(other)
    assert sorted(notes) == sorted(again) == [task.name for task in tasks]
    for name, note in again.items():
        assert note["offsets"].tolist() == notes[name]["offsets"].tolist()
        assert resume.load_note(other, "train", name)["sha256"] == note["sha256"]


def test_little_work_and_pictures_written_anew_start_no_process(make, monkeypatch):
    def fail(*_):
        raise AssertionError("a process was started")

    monkeypatch.setattr(workers, "_processes", fail)
    _write(*make("few"))
    monkeypatch.setattr(workers, "IMAGES_PER_PROCESS", 5)
    _write(*make("anew", Reencoding(16, 90)))
    _write(*make("alone"), workers=1)
    with pytest.raises(AssertionError, match="a process was started"):
        _write(*make("many"))


def test_a_shard_that_cannot_be_written_stops_the_others(make):
    out, tasks = make("out")
    (out / "train-00002-of-00004").mkdir()
    with pytest.raises(OSError, match=r"cannot write the shard .*train-00002-of-00004: Is a dir"):
        _write(out, tasks, workers=1)
    assert not list(out.glob(".*tmp*"))


# The pool of processes, in a program of its own: what is killed and interrupted here is real.
SLOW = """
import signal, sys, threading, time
from pathlib import Path
import numpy as np
from tfrecords_tools import resume, workers
from tfrecords_tools.plan import SplitPlan
from tfrecords_tools.shards import shard_task


class Slow:
    def image_bytes(self, image_id):
        time.sleep(0.05)
        return Path(sys.argv[1]).read_bytes()

    def check_still_there(self):
        pass


if __name__ == "__main__":
    workers.IMAGES_PER_PROCESS = 1
    if sys.argv[3] == "spawn":  # a second thread, and no fork is safe
        threading.Thread(target=threading.Event().wait, daemon=True).start()
    assert workers.start_method() == sys.argv[3]
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("the parent's answer"))
    out = Path(sys.argv[2])
    resume.state_folder(out, "train").mkdir(parents=True)
    ids = np.array([f"{i:016d}" for i in range(200)], "S16")
    plan = SplitPlan("train", ids, np.zeros(200, np.int32), np.array([0, 100, 200]), {})
    tasks = [shard_task(Slow(), out, plan, shard) for shard in range(2)]
    try:
        for note in workers.write_shards(
            tasks, out=out, group="train", workers=2,
            progress=lambda done: print(done, flush=True),
        ):
            print(note["name"], flush=True)
    except OSError as error:
        print("error:", error, flush=True)
    except KeyboardInterrupt:
        print("interrupted", flush=True)
"""


@pytest.fixture(params=["fork", "spawn"])
def slow(tmp_path, request):
    """The program, once its workers write; killed at the end of the test."""
    (tmp_path / "slow.py").write_text(SLOW)
    picture = tmp_path / "picture.jpg"
    picture.write_bytes(gldv2.picture("x"))
    process = subprocess.Popen(
        [sys.executable, tmp_path / "slow.py", picture, tmp_path / "out", request.param],
        env=os.environ | {"PYTHONPATH": str(ROOT), "OPENBLAS_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    while len(list((tmp_path / "out").glob(".train-*"))) < 2:
        assert process.poll() is None, process.communicate()[1]
        time.sleep(0.02)
    yield process, tmp_path / "out"
    process.kill()
    process.communicate()


def _workers_of(process) -> list[int]:
    """Process ids of what works for it."""
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    commands = {child: Path(f"/proc/{child}/cmdline").read_bytes() for child in children}
    return [int(child) for child, words in commands.items() if b"resource_tracker" not in words]


def _gone(pid: int, seconds: float = 10) -> bool:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            if "\nState:\tZ" in Path(f"/proc/{pid}/status").read_text():
                return True
        except (FileNotFoundError, ProcessLookupError):
            return True
        time.sleep(0.05)
    return False


def test_workers_end_with_a_parent_that_was_killed(slow):
    process, out = slow
    pids = _workers_of(process)
    assert len(pids) == 2
    process.kill()
    assert all(_gone(pid) for pid in pids)
    assert not list(out.glob("train-*"))


def test_ctrl_c_leaves_no_half_shard_and_no_traceback(slow):
    process, out = slow
    for pid in (process.pid, *_workers_of(process)):  # as a terminal sends it
        os.kill(pid, signal.SIGINT)
    output, errors = process.communicate(timeout=30)
    assert output.splitlines()[-1] == "interrupted"
    assert errors == ""
    assert not list(out.glob("*train-0*"))


def test_a_worker_that_is_killed_is_told(slow):
    process, out = slow
    os.kill(_workers_of(process)[0], signal.SIGKILL)
    output, errors = process.communicate(timeout=30)
    assert output.splitlines()[-1] == (
        "error: a worker process was killed from outside, most likely for want of memory: "
        "try fewer --workers"
    )
    assert errors == ""
    assert not list(out.glob("train-*"))


def test_a_worker_that_is_told_to_end_is_one_that_was_killed(slow):
    """Not an interruption, which a fork would tell with its parent's answer to the signal."""
    process, out = slow
    os.kill(_workers_of(process)[0], signal.SIGTERM)
    output, errors = process.communicate(timeout=30)
    assert output.splitlines()[-1].startswith("error: a worker process was killed from outside")
    assert errors == ""
    assert not list(out.glob("train-*"))
