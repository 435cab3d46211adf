"""Downloads into a folder that holds something: what is there stays, what is missing comes."""

from __future__ import annotations

import pytest

from tests.gldv2_downloads import SPLITS, TARS, fetch, left_over, on_disk, publish
from tests.gldv2_server import gldv2_server, image_ids
from tfrecords_tools.download.published import PublishedTar
from tfrecords_tools.download.state import DownloadFolder


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
