from __future__ import annotations

import io
import subprocess
import sys

from tests.conftest import ROOT
from tfrecords_tools.progress import progress_bar


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_a_bar_where_someone_watches(monkeypatch):
    monkeypatch.setattr(sys, "stderr", Terminal())
    with progress_bar(True, total=8, desc="train", unit=" images") as bar:
        for _ in range(8):
            bar.update()
    assert "train: 100%" in sys.stderr.getvalue()
    assert "8/8" in sys.stderr.getvalue()


def test_nothing_where_it_is_unwanted_or_unseen(monkeypatch, capsys):
    with progress_bar(True, total=8) as bar:
        bar.update(8)
    monkeypatch.setattr(sys, "stderr", terminal := Terminal())
    with progress_bar(False, total=8) as bar:
        bar.update(8)
    assert (capsys.readouterr().err, terminal.getvalue()) == ("", "")


PROGRAM = """
import io, os, sys
import tfrecords_tools.convert
assert "tqdm" not in sys.modules
from tfrecords_tools.progress import progress_bar
sys.stderr.isatty = lambda: True
with progress_bar(True, total=8) as bar:
    bar.update(8)
    print("tqdm" in sys.modules, len(os.listdir("/proc/self/task")))
"""


def test_it_costs_convert_no_import_and_a_drawn_one_no_thread():
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], cwd=ROOT, capture_output=True, text=True, check=True,
        env={"OPENBLAS_NUM_THREADS": "1"},
    )  # fmt: skip
    assert done.stdout == "True 1\n"
