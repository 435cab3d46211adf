"""Whole downloads from a real local server: faults, kills, full disks, and what is left of each."""

from __future__ import annotations

import contextlib
import dataclasses
import fcntl
import re
import resource
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.gldv2_server import Gldv2Server, gldv2_server, image_ids, tar_of_images
from tfrecords_tools.download.fetch import Patience
from tfrecords_tools.download.options import DownloadOptions
from tfrecords_tools.download.published import PublishedTar, published_tables
from tfrecords_tools.download.run import DownloadError, download, dry_run
from tfrecords_tools.download.state import DownloadFolder
from tfrecords_tools.raw import RawFolder

SPLITS = ("train", "index", "test")
TARS = (("train", 0), ("train", 1), ("index", 0), ("index", 1), ("test", 0), ("test", 1))
QUICK = Patience(
    tries=4, first_wait_s=0.001, longest_wait_s=0.01, silence_s=20, progress_bytes=5_000
)
OPTIONS = DownloadOptions(tars=frozenset({0, 1}), jobs=4, patience=QUICK)


def publish(server: Gldv2Server, images_per_tar: int = 12, size: int = 700) -> dict[str, bytes]:
    """Puts two tars a split and every CSV on the server; what should lie on disk afterwards."""
    expected = {}
    for split, number in TARS:
        tar, images = tar_of_images(image_ids(split, number, images_per_tar), size)
        server.add_tar(split, number, tar)
        expected |= {f"{split}/{name}": content for name, content in images.items()}
    for table in published_tables(SPLITS):
        ids = [name[-20:-4] for name in expected if name.startswith(table.name[:4])]
        rows = "".join(",".join([name, *["1"] * (len(table.columns) - 1)]) + "\n" for name in ids)
        content = f"{','.join(table.columns)}\n{rows or '1,2'}".encode()
        server.files[f"{table.folder}/{table.name}"] = expected[table.name] = content
    return expected


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


def fetch(server, out, **changes):
    """A download into `out`; (its report, the lines it says)."""
    lines = []
    options = dataclasses.replace(OPTIONS, base_url=server.url, **changes)
    return download(out, options, progress=False, say=lines.append), lines


def on_disk(out: Path) -> dict[str, bytes]:
    """Everything a reader of the data set would see: not the state, not what is on its way."""
    return {
        str(path.relative_to(out)): path.read_bytes()
        for path in out.rglob("*")
        if path.is_file() and ".download" not in path.parts
    }


def left_over(out: Path) -> list[str]:
    """Tars and parts that are still there."""
    found = (*out.rglob("*.tar"), *out.rglob("*.part"), *out.rglob("*.part.json"))
    return sorted(str(path.relative_to(out)) for path in found)


def test_everything_is_fetched_and_nothing_twice(server, expected, out):
    report, lines = fetch(server, out)
    assert on_disk(out) == expected
    assert left_over(out) == []
    assert (report.tars, report.images, report.tables, report.repairs) == (6, 72, 12, 0)
    sent = sum(len(content) for path, content in server.files.items() if "md5" not in path)
    assert report.bytes == sent
    assert lines[-3:] == [
        "train: 2 of 500 tars are here, 24 images",
        "index: 2 of 100 tars are here, 24 images",
        "test: 2 of 20 tars are here, 24 images",
    ]
    server.asked.clear()
    again, lines = fetch(server, out)
    assert server.asked == []  # it does not even need the network
    assert (again.tars, again.bytes) == (0, 0)
    assert lines[:2] == ["CSVs: 0 of 12 to fetch", "train: 0 of 2 tars to fetch"]


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


def test_only_the_tar_of_a_lost_image_is_fetched_again(server, expected, out):
    fetch(server, out)
    lost, cut = [f"train/{i[0]}/{i[1]}/{i[2]}/{i}.jpg" for i in image_ids("train", 1, 2)]
    (out / lost).unlink()
    (out / cut).write_bytes(b"half")
    server.asked.clear()
    report, lines = fetch(server, out)
    assert "train/images_001.tar was extracted, 1 of its images are gone: fetched again" in lines
    assert report.tars == 1
    assert [path for path in server.files if server.gets(path)] == [
        *("train/images_001.tar", "md5sum/train/md5.images_001.txt"),
    ]
    assert on_disk(out) == expected
    (out / cut).write_bytes(b"half")
    assert fetch(server, out)[0].tars == 0  # names are all there
    assert fetch(server, out, recheck=True)[0].tars == 1  # sizes are not
    assert on_disk(out) == expected


def test_notes_that_cannot_be_read_are_as_none(server, expected, out):
    fetch(server, out)
    folder = DownloadFolder(out)
    first, second = PublishedTar("index", 0), PublishedTar("index", 1)
    (out / "index/.download/images_000.json").write_text('{"md5": "')
    (out / "index/.download/images_001.images.npy").write_bytes(b"\x93NUMPY")
    (out / ".download/test.csv.json").write_text("[]")
    assert folder.note_of_tar(first) is None
    assert folder.images_of_tar(second) is None
    report, _ = fetch(server, out)
    assert (report.tars, report.tables) == (2, 0)  # of the CSV the server's length was enough
    assert folder.note_of_tar(first).images == 12


def test_tables_that_are_there_already(server, expected, out):
    """One that another program fetched stays; another file of that name is put aside."""
    out.mkdir()
    (out / "train.csv").write_bytes(expected["train.csv"])
    (out / "test.csv").write_bytes(b"id\nmine\n")
    _, lines = fetch(server, out)
    assert server.gets("metadata/train.csv") == []
    there = on_disk(out)
    assert there.pop("test.csv.old") == b"id\nmine\n"
    assert there == expected
    assert (
        f"{out}/test.csv was another file than the published one: it is test.csv.old now" in lines
    )


def test_tars_are_kept_or_found(server, expected, out):
    fetch(server, out, keep_tars=True)
    kept = {f"{split}/images_{number:03d}.tar" for split, number in TARS}
    assert on_disk(out).keys() == expected.keys() | kept
    for split in SPLITS:  # as the published scripts leave a folder: tars, and no notes of ours
        for note in (out / split / ".download").iterdir():
            note.unlink()
    (out / "test/images_001.tar").write_bytes(b"half")
    server.asked.clear()
    report, _ = fetch(server, out)
    assert report.tars == 6
    assert [path for path in server.files if path in kept and server.gets(path)] == [
        "test/images_001.tar"
    ]
    assert (out / "train/images_000.tar").is_file()  # it was not ours to remove


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


# --- the command, killed -------------------------------------------------------------------------


def start(server, out, *more: str) -> subprocess.Popen:
    words = ("download", "--out", str(out), "--tars", "0-1", "--base-url", server.url)
    return subprocess.Popen(
        [sys.executable, "-m", "tfrecords_tools", *words, *more],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def wait_for(condition) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_killed_again_and_again_it_ends_with_the_same_files(server, out):
    """SIGKILL at several moments; what readers see is whole at each, and nothing is lost."""
    expected = publish(server, images_per_tar=60, size=8_000)
    server.rate = 400_000  # of each connection: a tar takes more than a second
    kills = 0
    for pause in (0.1, 0.3, 0.5, 0.7, 0.9, 60):
        process = start(server, out)
        wait_for(lambda process=process: server.sending or process.poll() is not None)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(pause)
        kills += process.poll() is None
        process.kill()
        process.communicate()
        assert on_disk(out).items() <= expected.items()
        wait_for(lambda: not server.sending)
        if process.returncode == 0:
            break
    assert kills >= 3
    assert on_disk(out) == expected
    assert left_over(out) == []
    ranges = [asked for path in server.files for asked in server.gets(path) if asked]
    assert len(ranges) >= 3  # what was there was not fetched again


def test_killed_while_it_extracts(server, out, monkeypatch):
    """A process that dies between two images: the tar is there, and is not fetched again."""
    expected = publish(server)
    script = (
        "import os, signal, sys\n"
        "from tfrecords_tools.download import extract\n"
        "copy, done = extract._copy, []\n"
        "def dying(*arguments):\n"
        "    copy(*arguments)\n"
        "    done.append(1)\n"
        "    if len(done) == 7: os.kill(os.getpid(), signal.SIGKILL)\n"
        "extract._copy = dying\n"
        "from tfrecords_tools.__main__ import main\n"
        "main(sys.argv[1:])\n"
    )
    words = ["download", "--out", str(out), "--tars", "0-1", "--base-url", server.url, "--jobs=1"]
    done = subprocess.run([sys.executable, "-c", script, *words], cwd=ROOT, check=False)
    assert done.returncode == -signal.SIGKILL
    assert len(list(out.rglob("[0-9a-f]/**/*.jpg"))) == 6
    assert left_over(out) == ["train/.download/images_000.tar"]
    assert on_disk(out).items() <= expected.items()
    server.asked.clear()
    fetch(server, out)
    assert server.gets("train/images_000.tar") == []
    assert on_disk(out) == expected
    assert not (out / "train/.download/images_000").exists()


def test_ctrl_c_ends_it_at_once_even_where_a_server_is_silent(server, expected, out):
    server.faults = {path: ["silent"] * 9 for path in server.files if path.endswith(".tar")}
    process = start(server, out)
    wait_for(lambda: server.gets("train/images_001.tar"))
    began = time.monotonic()
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=40)
    assert process.returncode == 130
    assert time.monotonic() - began < 20  # the silence would be borne for 60 s
    assert errors.endswith("interrupted: give the same command again to continue\n")
    server.faults = {}
    fetch(server, out)
    assert on_disk(out) == expected


def test_the_command_reports_and_its_errors_are_for_people(server, expected, out, tools):
    words = ["download", "--out", out, "--base-url", server.url, "--tars", "0-1"]
    code, told, _ = tools(*words, "--dry-run")
    assert code == 0
    assert "train: 2 of 2 tars to fetch" in told
    code, told, _ = tools(*words)
    assert code == 0
    assert "fetched " in told
    del server.files["md5sum/test/md5.images_000.txt"]
    (out / "test/.download/images_000.json").unlink()
    code, _, errors = tools(*words)
    assert code == 1
    assert errors.splitlines()[-3:-1] == [
        "error: 1 file(s) could not be fetched:",
        f"  test/images_000.tar: {server.url}/md5sum/test/md5.images_000.txt: the server has "
        "no such file (404)",
    ]
    assert tools(*words, "--jobs", "0")[0] == 2


def test_no_thread_is_left(server, expected, out):
    before = threading.active_count()
    fetch(server, out)
    assert threading.active_count() <= before + 1  # the bar's own
