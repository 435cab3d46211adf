from __future__ import annotations

import threading
import time

import pytest

from tfrecords_tools.download.disk import SPARE_BYTES, DiskBudget, NoRoomError, in_words

MB = 10**6


def budget(limit, left=None, free=10**15):
    left = dict(left or {})
    dropped = []

    def drop(name):
        dropped.append(name)
        left[name] = 0

    made = DiskBudget(limit, list(left), lambda name: left.get(name, 0), drop, lambda _: free)
    return made, left, dropped


def fetch_all(disk, sizes, folder, stay=0.05) -> int:
    """Takes room for all at once, each in a thread; the most bytes that were in at a time."""
    inside, most, lock = 0, 0, threading.Lock()

    def work(name):
        nonlocal inside, most
        with disk.room_for(name, sizes[name], folder, threading.Event()):
            with lock:
                inside += sizes[name]
                most = max(most, inside)
            time.sleep(stay)
            with lock:
                inside -= sizes[name]

    threads = [threading.Thread(target=work, args=(name,)) for name in sizes]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
        assert not thread.is_alive()
    return most


def test_the_budget_holds_and_is_used(tmp_path):
    sizes = {f"{i}.tar": (100 + 37 * i) * MB for i in range(12)}
    most = fetch_all(budget(1000 * MB)[0], sizes, tmp_path)
    assert 600 * MB < most <= 1000 * MB
    assert fetch_all(budget(None)[0], sizes, tmp_path, stay=0.5) > 2000 * MB


def test_the_disk_lets_in_what_it_has_room_for(tmp_path):
    """Each takes its size twice (tar and images): two of four times 100 MB fit beside the spare."""
    sizes = {f"{i}.tar": 100 * MB for i in range(4)}
    disk = budget(None, free=SPARE_BYTES + 450 * MB)[0]
    assert fetch_all(disk, sizes, tmp_path) == 200 * MB


def test_one_that_can_never_fit_is_an_error(tmp_path):
    stop = threading.Event()
    disk = budget(50 * MB)[0]
    with (
        pytest.raises(NoRoomError, match=r"a.tar has 51.00 MB, the budget is 50.00 MB"),
        disk.room_for("a.tar", 51 * MB, tmp_path, stop),
    ):
        pass
    disk = budget(None, free=300 * MB)[0]
    words = r"a.tar needs 100.00 MB \(the tar and its images\) and 268.44 MB to spare, 300.00 MB ar"
    with pytest.raises(NoRoomError, match=words), disk.room_for("a.tar", 50 * MB, tmp_path, stop):
        pass
    with (
        pytest.raises(ValueError, match=r"does not say how large a.tar is: no budget can be kept"),
        budget(50 * MB)[0].room_for("a.tar", None, tmp_path, stop),
    ):
        pass


def test_what_earlier_runs_left_counts_and_gives_way(tmp_path):
    """80 of 100 MB are left-overs: the largest are dropped until the tar at hand fits."""
    stop = threading.Event()
    left = {"a.tar": 10 * MB, "b.tar": 40 * MB, "c.tar": 30 * MB}
    disk, _, dropped = budget(100 * MB, left)
    with disk.room_for("a.tar", 50 * MB, tmp_path, stop):
        assert dropped == ["b.tar"]  # 50 + 30 fit
    with disk.room_for("c.tar", 50 * MB, tmp_path, stop):
        assert dropped == ["b.tar"]


def test_what_a_failed_tar_leaves_counts_again(tmp_path):
    stop = threading.Event()
    disk, left, dropped = budget(100 * MB, {"a.tar": 0})
    with (
        pytest.raises(RuntimeError, match=r"lost"),
        disk.room_for("a.tar", 90 * MB, tmp_path, stop),
    ):
        left["a.tar"] = 60 * MB
        raise RuntimeError("lost")
    with disk.room_for("b.tar", 50 * MB, tmp_path, stop):
        assert dropped == ["a.tar"]


def test_a_stop_ends_the_wait(tmp_path):
    stop = threading.Event()
    disk = budget(100 * MB)[0]
    let_in = threading.Event()

    def wait():
        with disk.room_for("b.tar", 90 * MB, tmp_path, stop):
            let_in.set()

    with disk.room_for("a.tar", 90 * MB, tmp_path, stop):
        thread = threading.Thread(target=wait)
        thread.start()
        assert not let_in.wait(0.05)
        stop.set()
        thread.join(10)
        assert let_in.is_set()


@pytest.mark.parametrize(
    ("size", "words"),
    [(0, "0 bytes"), (999, "999 bytes"), (1000, "1.00 kB"), (123_456_789, "123.46 MB")],
)
def test_sizes_in_words(size, words):
    assert in_words(size) == words
    assert in_words(1_500_000_000) == "1.50 GB"
