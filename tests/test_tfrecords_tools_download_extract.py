"""Tars written by Python's tarfile and by GNU tar, good, hostile and damaged."""

from __future__ import annotations

import gzip
import io
import os
import shutil
import subprocess
import tarfile
import threading
import tracemalloc

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.gldv2_server import image_ids, tar_of_images
from tfrecords_tools.download.extract import (
    LARGEST_HEADER,
    LARGEST_IMAGE,
    ArchiveError,
    extract,
    image_name,
    read_contents,
)
from tfrecords_tools.download.fetch import StoppedError

IDS = image_ids("train", 0, 12)
ID = "0123456789abcdef"
NAME = f"0/1/2/{ID}.jpg"


def entry(name: str, content: bytes = b"x", **fields) -> tuple[tarfile.TarInfo, bytes]:
    info = tarfile.TarInfo(name)
    info.size = len(content)
    for field, value in fields.items():
        setattr(info, field, value)
    return info, content


def write_tar(path, entries, **options) -> None:
    with tarfile.open(path, "w", **options) as tar:
        for info, content in entries:
            tar.addfile(info, io.BytesIO(content))


def below(folder) -> dict[str, bytes]:
    """Every file below a folder, the hidden ones too."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def take_out(tmp_path, stop=None):
    folder = tmp_path / "train"
    folder.mkdir(exist_ok=True)
    path, staging = tmp_path / "t.tar", folder / ".download" / "t"
    return extract(path, folder, staging, stop=stop or threading.Event())


@pytest.mark.parametrize("prefix", ["", "./"])
def test_images_come_out_byte_for_byte(tmp_path, prefix):
    content, images = tar_of_images(IDS, prefix=prefix)
    (tmp_path / "t.tar").write_bytes(content)
    contents = take_out(tmp_path)
    assert below(tmp_path / "train") == images
    assert [image_name(number)[:16] for number in contents.images["id"]] == IDS
    assert contents.images["bytes"].tolist() == [700] * 12
    assert contents.others == ()
    assert not (tmp_path / "train/.download/t").exists()


@pytest.mark.parametrize("kind", ["gnu", "ustar", "pax", "v7"])
@pytest.mark.skipif(shutil.which("tar") is None, reason="GNU tar is not installed")
def test_tars_of_gnu_tar_with_its_folders(tmp_path, kind):
    source = tmp_path / "source"
    _, images = tar_of_images(IDS)
    for name, content in images.items():
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        (source / name).write_bytes(content)
    subprocess.run(
        ["tar", f"--format={kind}", "-cf", tmp_path / "t.tar", "-C", source, "."], check=True
    )
    assert len(take_out(tmp_path).images) == 12
    assert below(tmp_path / "train") == images


def test_what_is_there_is_replaced_and_nothing_else(tmp_path):
    write_tar(tmp_path / "t.tar", [entry(NAME, b"new")])
    leaf = tmp_path / "train/0/1/2"
    leaf.mkdir(parents=True)
    (leaf / f"{ID}.jpg").write_bytes(b"half of the old")
    (leaf / "0120000000000000.jpg").write_bytes(b"of another tar")
    take_out(tmp_path)
    assert below(leaf) == {f"{ID}.jpg": b"new", "0120000000000000.jpg": b"of another tar"}


def test_of_an_image_that_is_there_twice_the_last_counts(tmp_path):
    """As GNU tar has it."""
    write_tar(tmp_path / "t.tar", [entry(NAME, b"first"), entry(NAME, b"second")])
    contents = take_out(tmp_path)
    assert contents.images["bytes"].tolist() == [6]
    assert below(tmp_path / "train") == {NAME: b"second"}


@pytest.mark.parametrize(
    "name",
    [
        "README.txt",
        f"0/1/3/{ID}.jpg",  # another folder than its id's
        "0/1/2/0123456789ABCDEF.jpg",
        f"0/1/2/{ID}.jpeg",
        f"0/1/2/{ID}0.jpg",
        f"0/1/2/{ID}.jpg\n",
        f"train/{NAME}",
        "0/1/2/..jpg",
    ],
)
def test_other_files_are_left_in_the_tar(tmp_path, name):
    write_tar(tmp_path / "t.tar", [entry(name), entry(NAME, b"image")])
    assert take_out(tmp_path).others == (name,)
    assert below(tmp_path / "train") == {NAME: b"image"}


@pytest.mark.parametrize(
    ("name", "fields", "message"),
    [
        (f"../{NAME}", {}, r"'../0/1/2/.*, which would lie outside the data set's folder"),
        (f"0/1/2/../../{NAME}", {}, r"outside"),
        (f"0/1/2/..\\{ID}.jpg", {}, r"outside"),
        (f"/{NAME}", {}, r"outside"),
        ("\\\\server\\share", {}, r"outside"),
        ("..", {"type": tarfile.DIRTYPE}, r"outside"),
        (NAME, {"type": tarfile.SYMTYPE, "linkname": "/etc/passwd"}, r"is a symbolic link: expec"),
        ("0", {"type": tarfile.SYMTYPE, "linkname": "/tmp"}, r"is a symbolic link"),
        (NAME, {"type": tarfile.LNKTYPE, "linkname": "../x"}, r"is a hard link"),
        (NAME, {"type": tarfile.CHRTYPE}, r"is a device"),
        (NAME, {"type": tarfile.BLKTYPE}, r"is a device"),
        (NAME, {"type": tarfile.FIFOTYPE}, r"is a pipe"),
        (NAME, {"type": b"Z"}, r"of type b'Z'"),
    ],
)
def test_a_hostile_tar_is_refused_whole(tmp_path, name, fields, message):
    good, last = entry("0/1/2/0120000000000000.jpg"), entry("0/1/2/0120000000000001.jpg")
    info, content = entry(name, **fields)
    if fields:
        info.size, content = 0, b""
    write_tar(tmp_path / "t.tar", [good, (info, content), last])
    with pytest.raises(ArchiveError, match=message):
        take_out(tmp_path)
    assert below(tmp_path) == {"t.tar": (tmp_path / "t.tar").read_bytes()}


@pytest.mark.skipif(shutil.which("tar") is None, reason="GNU tar is not installed")
@pytest.mark.parametrize("version", ["0.0", "0.1", "1.0", "gnu"])
def test_a_sparse_file_is_refused(tmp_path, version):
    """A few kilobytes that would unpack to a gigabyte."""
    source = tmp_path / "0/1/2"
    source.mkdir(parents=True)
    with (source / f"{ID}.jpg").open("wb") as image:
        image.truncate(2**30)
        image.write(b"end")
    form = ["--format=gnu"] if version == "gnu" else ["--format=pax", f"--sparse-version={version}"]
    subprocess.run(
        ["tar", *form, "--sparse", "-cf", tmp_path / "t.tar", "-C", tmp_path, NAME], check=True
    )
    assert (tmp_path / "t.tar").stat().st_size < 100_000
    with pytest.raises(ArchiveError, match=r"a sparse file: it would unpack to more than it holds"):
        take_out(tmp_path)


def test_an_image_beyond_all_measure_is_refused(tmp_path):
    """The header alone says so; no gigabyte needs to be written here."""
    info, _ = entry(NAME)
    info.size = LARGEST_IMAGE + 1
    (tmp_path / "t.tar").write_bytes(info.tobuf())
    os.truncate(tmp_path / "t.tar", LARGEST_IMAGE + 2048)
    with pytest.raises(ArchiveError, match=r"of 268435457 bytes: expected images of at most 268"):
        take_out(tmp_path)


def test_a_header_beyond_all_measure_is_not_read(tmp_path):
    name = entry("././@LongLink", type=tarfile.GNUTYPE_LONGNAME)[0]
    name.size = LARGEST_HEADER * 64
    (tmp_path / "t.tar").write_bytes(name.tobuf(tarfile.GNU_FORMAT))
    os.truncate(tmp_path / "t.tar", LARGEST_HEADER * 65)
    tracemalloc.start()
    try:
        with pytest.raises(ArchiveError, match=r"no tar that can be read: a header of 67108"):
            read_contents(tmp_path / "t.tar")
        assert tracemalloc.get_traced_memory()[1] < 8 * LARGEST_HEADER
    finally:
        tracemalloc.stop()


def test_headers_within_headers_come_to_an_end(tmp_path):
    """tarfile reads them by recursion."""
    one = entry("x", type=tarfile.XGLTYPE)[0]
    one.size = 0
    (tmp_path / "t.tar").write_bytes(one.tobuf() * 5000)
    with pytest.raises(ArchiveError, match=r"no tar that can be read"):
        read_contents(tmp_path / "t.tar")


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda tar: b"", r"no tar that can be read: empty file"),
        (lambda tar: b"<html>" * 300, r"no tar that can be read"),
        (lambda tar: gzip.compress(tar), r"no tar that can be read"),
        (lambda tar: tar[:1200], r"no tar that can be read: unexpected end of data"),
        (lambda tar: tar[:1536] + b"!" + tar[1537:], r"has a broken entry at byte 1536"),
        (lambda tar: tar + b"\0" * 512 + tar, r"has a broken entry at byte"),
    ],
)
def test_a_damaged_tar_is_refused(tmp_path, damage, message):
    content, _ = tar_of_images(IDS)
    (tmp_path / "t.tar").write_bytes(damage(content))
    with pytest.raises(ArchiveError, match=message):
        take_out(tmp_path)
    assert not list((tmp_path / "train").rglob("*.jpg"))


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    changes=st.dictionaries(st.integers(0, 3 * 1536 - 1), st.integers(0, 255), max_size=6),
    length=st.integers(0, 3 * 1536 + 1024),
    kind=st.sampled_from([tarfile.GNU_FORMAT, tarfile.PAX_FORMAT]),
)
def test_no_damage_gets_past_or_is_a_traceback(tmp_path_factory, changes, length, kind):
    """Whatever is wrong, images lie within the tar and within the data set, or it is refused."""
    folder = tmp_path_factory.mktemp("damaged")
    names = [NAME, "0/1/2/" + "long" * 40, "0/1/2/0120000000000000.jpg"]
    write_tar(folder / "t.tar", [entry(name, b"i" * 400) for name in names], format=kind)
    content = bytearray((folder / "t.tar").read_bytes()[:length])
    for place, value in changes.items():
        if place < len(content):
            content[place] = value
    (folder / "t.tar").write_bytes(content)
    try:
        contents = read_contents(folder / "t.tar")
    except ArchiveError:
        return
    ends = contents.offsets + contents.images["bytes"]
    assert (contents.offsets >= 512).all()
    assert (ends <= len(content)).all()


def test_a_stop_leaves_whole_images(tmp_path):
    content, images = tar_of_images(IDS)
    (tmp_path / "t.tar").write_bytes(content)

    class AfterFive(threading.Event):
        asked = 0

        def is_set(self):
            self.asked += 1
            return self.asked > 5

    with pytest.raises(StoppedError):
        take_out(tmp_path, AfterFive())
    there = below(tmp_path / "train")
    assert len(there) == 5
    assert there.items() <= images.items()
    take_out(tmp_path)
    assert below(tmp_path / "train") == images
