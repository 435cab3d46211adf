"""Whole downloads from a real local server: faults, full disks, and what is left of each."""

from __future__ import annotations

import dataclasses
import fcntl
import re
import resource
import threading

import pytest

from tests.gldv2_downloads import (
    OPTIONS,
    QUICK,
    SPLITS,
    TARS,
    fetch,
    left_over,
    on_disk,
    publish,
)
from tests.gldv2_server import gldv2_server, image_ids, tar_of_images
from tfrecords_tools.download.published import published_tables
from tfrecords_tools.download.run import DownloadError, download, dry_run
from tfrecords_tools.raw import RawFolder


@pytest.fixture
def server():
    with gldv2_server() as served:
        yield served


@pytest.fixture
def expected(server):
    return publish(server)


@pytest.fixture
def out(tmp_path):
    return tmp_path / "gldv2"


def test_what_was_fetched_is_a_raw_folder(server, expected, out):
    """As `convert` reads it."""
    fetch(server, out)
    raw = RawFolder(out, "index")
    files = raw.files()
    assert len(files) == 24
    assert sorted(raw.listing(files).ids.tolist()) == files.tolist()


def test_the_worst_network_changes_nothing_but_the_time(server, expected, out):
    """Every file meets other faults; all come through, byte for byte, in one run."""
    paths = [f"{split}/images_{number:03d}.tar" for split, number in TARS]
    faults = [
        *(["cut", "no-range", "cut"], ["flipped", "reset"], ["short", "cut"]),
        *(["silent", "busy"], ["long", "chunked-cut"], ["page", "wrong-range", "error"]),
    ]
    server.faults |= {path: list(some) for path, some in zip(paths, faults, strict=True)}
    server.faults["md5sum/train/md5.images_000.txt"] = ["cut", "busy"]
    server.faults["metadata/train.csv"] = ["cut", "reset"]
    server.faults["ground_truth/retrieval_solution_v2.1.csv"] = ["long"]
    report, _ = fetch(server, out, patience=dataclasses.replace(QUICK, silence_s=1))
    assert on_disk(out) == expected
    assert left_over(out) == []
    assert report.repairs >= 10


def test_one_file_that_fails_leaves_the_others(server, expected, out):
    paths = ["train/images_001.tar", "index/images_000.tar", "metadata/train.csv"]
    server.faults = {
        paths[0]: ["flipped"] * 99, paths[1]: ["forbidden"] * 99, paths[2]: ["page"] * 99,
    }  # fmt: skip
    with pytest.raises(DownloadError) as error:
        fetch(server, out)
    text = str(error.value)
    assert text.startswith("3 file(s) could not be fetched:\n")
    assert re.search(r"\n  train/images_001.tar: .*its MD5 should be \w{32}, \d+ bytes came", text)
    assert re.search(r"\n  index/images_000.tar: .*the server refuses it .*\(403\)\n", text)
    assert re.search(r"\n  train.csv: .*no column id, url, landmark_id: .* found '<html>", text)
    assert text.endswith(
        "4 tar(s) and 11 CSV(s) were fetched and are kept: the same command continues"
    )
    lost = {name for name in expected if name not in on_disk(out)}
    assert len(lost) == 25  # 2 tars of 12 images, and train.csv
    assert not any(name.endswith(".tar") for name in left_over(out))
    server.faults, server.asked[:] = {}, []
    report, _ = fetch(server, out)
    assert on_disk(out) == expected
    assert (report.tars, report.tables) == (2, 1)
    assert {path for method, path, _ in server.asked if method == "GET"} == {
        *paths, "md5sum/train/md5.images_001.txt", "md5sum/index/md5.images_000.txt",
    }  # fmt: skip


def test_a_server_that_is_gone_is_not_asked_620_times(out):
    quick = dataclasses.replace(QUICK, tries=2)
    options = dataclasses.replace(OPTIONS, base_url="http://127.0.0.1:9", tars=None, patience=quick)
    with pytest.raises(DownloadError) as error:
        download(out, dataclasses.replace(options, jobs=1), progress=False, say=str)
    first, *files, stopped, kept = str(error.value).splitlines()
    assert first == "8 file(s) could not be fetched:"
    assert len(files) == 8
    assert files[0].endswith("/metadata/index.csv: Connection refused (2 tries)")
    assert stopped == "8 files failed one after the other: no more were tried"
    assert kept == "nothing new was fetched: the same command tries again"
    assert left_over(out) == []


def test_a_mirror_without_csvs_still_gives_its_tars(server, expected, out):
    for table in published_tables(SPLITS):
        del server.files[f"{table.folder}/{table.name}"]
    with pytest.raises(DownloadError, match=r"(?s)^12 file\(s\) could .*\n  and 2 more\n6 tar"):
        fetch(server, out)
    assert on_disk(out) == {name: value for name, value in expected.items() if "/" in name}


def test_what_is_no_checksum_stops_its_tar_only(server, expected, out):
    server.files["md5sum/test/md5.images_000.txt"] = b"<html>"
    words = r"test/images_000.tar: .*md5.images_000.txt: expected an md5sum line .* got '<html>'"
    with pytest.raises(DownloadError, match=words):
        fetch(server, out)
    assert server.gets("test/images_000.tar") == []
    assert len(on_disk(out)) == len(expected) - 12


def test_a_hostile_tar_is_refused_though_its_checksum_is_right(server, expected, out, tmp_path):
    evil, _ = tar_of_images(image_ids("train", 0, 3), extra=(("../../evil.jpg", b"x"),))
    server.add_tar("train", 0, evil)
    words = r"train/images_000.tar: .* holds '../../evil.jpg', which would lie outside"
    with pytest.raises(DownloadError, match=words):
        fetch(server, out)
    assert not list(tmp_path.rglob("evil.jpg"))
    gone = {f"train/{i[0]}/{i[1]}/{i[2]}/{i}.jpg" for i in image_ids("train", 0, 12)}
    assert on_disk(out).keys() == expected.keys() - gone
    assert left_over(out) == []


def test_other_files_in_a_tar_are_told(server, expected, out):
    tar, _ = tar_of_images(image_ids("train", 0, 12), extra=(("README", b"hello"),))
    server.add_tar("train", 0, tar)
    _, lines = fetch(server, out)
    assert on_disk(out) == expected
    assert any(
        "train/images_000.tar: 1 file(s) are no" in line and "'README'" in line for line in lines
    )


def test_the_disk_budget_bounds_what_is_under_way(server, expected, out):
    server.rate = 200_000
    size = len(server.files["train/images_000.tar"])
    fetch(server, out, splits=("train", "test"), disk_budget_bytes=int(2.5 * size))
    assert server.busiest == 2
    with pytest.raises(OSError, match=rf"has {size / 1000:.2f} kB, the budget is 10.00 kB"):
        fetch(server, out, disk_budget_bytes=10_000)


def test_a_dry_run_says_everything_and_writes_nothing(server, expected, out):
    lines = []
    options = dataclasses.replace(OPTIONS, base_url=server.url)
    dry_run(out, options, say=lines.append)
    assert not out.exists()
    assert {method for method, _, _ in server.asked} == {"HEAD"}
    size = sum(len(content) for path, content in server.files.items() if path.startswith("index/"))
    words = f"index: 2 of 2 tars to fetch (images_000 to images_001), {size / 1000:.2f} kB"
    assert words in lines
    assert lines[0].startswith("CSVs: 12 of 12 to fetch (train.csv, train_clean.csv, ")
    assert re.fullmatch(rf"disk: \S+ GB free in {out.parent}; .*", lines[-1])
    server.head_faults = {"index/images_000.tar": ["forbidden"], "test/images_000.tar": ["busy"]}
    lines.clear()
    dry_run(out, options, say=lines.append)
    assert f"{size / 2000:.2f} kB and 1 of unknown size" in lines[2]


def test_a_dry_run_without_a_network_asks_a_few_times_only(out):
    lines = []
    options = dataclasses.replace(OPTIONS, base_url="http://127.0.0.1:9", tars=None)
    dry_run(out, options, say=lines.append)
    assert lines[1] == (
        "train: 500 of 500 tars to fetch (images_000 to images_499), sizes unknown: the server "
        "does not tell, about 500.00 GB are published"
    )


def test_a_full_disk_says_so_and_the_download_goes_on_later(server, out):
    expected = publish(server, size=20_000)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    # No file may grow past this: writes fail as on a full disk, and the process lives on.
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, limits[1]))
    try:
        with pytest.raises(OSError, match=r"File too large\n(0 tar\(s\) and|nothing new)"):
            fetch(server, out)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert not list(out.rglob("*.jpg"))
    server.asked.clear()
    fetch(server, out)
    assert on_disk(out) == expected
    assert any(asked.startswith("bytes=") for _, _, asked in server.asked)


def test_a_folder_that_cannot_be_is_an_error(server, expected, out):
    out.write_text("")
    with pytest.raises(OSError, match=rf"{out} is a file: expected a folder, or nothing yet"):
        fetch(server, out)


def test_one_download_at_a_time(server, expected, out):
    fetch(server, out)
    with (out / ".download/lock").open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(OSError, match=rf"another process is downloading into {out}: wait"):
            fetch(server, out)


def test_no_thread_is_left(server, expected, out):
    before = threading.active_count()
    fetch(server, out)
    assert threading.active_count() <= before + 1  # the bar's own
