from __future__ import annotations

import os
import shutil

import numpy as np
import pytest
from PIL import Image

from tests.reference import gldv2
from tests.reference.gldv2 import picture
from tfrecords_tools.images import BadImageError, strict_decoding
from tfrecords_tools.integrity import pictures
from tfrecords_tools.integrity.journal import Journal
from tfrecords_tools.integrity.pictures import inspect, inspect_file
from tfrecords_tools.integrity.traits import from_bits
from tfrecords_tools.raw import RawFolder

SIZE = (48, 40)


@pytest.fixture
def raw(tmp_path):
    """150 train pictures: more than two batches."""
    (tmp_path / "train").mkdir()
    (tmp_path / "train.csv").write_text("id,landmark_id\n")
    data = picture("a", SIZE)
    for number in range(150):
        gldv2.put(tmp_path, "train", gldv2.image_id(f"{number}"), data)
    return RawFolder(tmp_path, "train")


def verdicts(raw, ids=None, journal=None, workers=2):
    journal = Journal(None) if journal is None else journal
    found = list(inspect(raw, raw.files() if ids is None else ids, journal, workers=workers))
    journal.close()
    return found


def test_every_image_has_a_verdict_in_order(raw):
    damaged = gldv2.image_path(raw.root, "train", gldv2.image_id("77"))
    damaged.write_bytes(picture("a", SIZE)[:-30])
    grey = gldv2.image_path(raw.root, "train", gldv2.image_id("3"))
    grey.write_bytes(picture("a", SIZE, mode="L"))
    found = verdicts(raw)
    assert [v.image_id for v in found] == raw.files().tolist()
    (bad,) = [v for v in found if v.fault]
    assert bad.image_id.decode() == damaged.stem
    assert bad.fault.startswith("truncated: ")
    (special,) = [v for v in found if v.traits]
    assert (special.image_id.decode(), from_bits(special.traits)) == (grey.stem, ["grey"])
    assert verdicts(raw, workers=1) == found


def test_proven_images_are_not_opened_again_but_bad_and_changed_ones_are(
    raw, tmp_path, monkeypatch
):
    place = tmp_path / "train.journal"
    ids = raw.files()
    paths = [raw.image_path(image_id) for image_id in ids.tolist()]
    paths[0].write_bytes(b"")
    assert not any(v.noted for v in verdicts(raw, journal=Journal(place)))
    # The same size and time as before: the inode tells.
    before = paths[1].stat()
    paths[1].write_bytes(bytes(before.st_size))
    os.utime(paths[1], ns=(before.st_atime_ns, before.st_mtime_ns))
    paths[2].write_bytes(b"changed")
    opened = []
    monkeypatch.setattr(
        pictures, "inspect_file", lambda path: opened.append(path) or inspect_file(path)
    )
    found = verdicts(raw, journal=Journal(place))
    assert [v.fault for v in found[:4]] == ["empty file", "not an image", "not an image", ""]
    assert [v.noted for v in found[:4]] == [False, False, False, True]
    assert sum(v.noted for v in found) == 147
    assert sorted(opened) == sorted(paths[:3])
    again = verdicts(raw, journal=Journal(place, again=True))
    assert [v.fault for v in again[:3]] == ["empty file", "not an image", "not an image"]
    assert len(opened) == 153


def test_stopped_in_the_middle_it_goes_on_where_it_was(raw, tmp_path):
    place = tmp_path / "train.journal"
    journal = Journal(place)
    running = inspect(raw, raw.files(), journal, workers=1)
    for _ in range(pictures.BATCH + 1):  # into the second batch: the first is noted
        next(running)
    running.close()
    journal.close()
    found = verdicts(raw, journal=Journal(place))
    assert pictures.BATCH <= sum(v.noted for v in found) < 150


def test_a_folder_that_went_away_is_not_a_million_missing_images(raw):
    ids = raw.files()
    shutil.rmtree(raw.images)
    with pytest.raises(OSError, match="went away during the check"):
        verdicts(raw, ids)


def test_what_is_no_image_file_at_all(raw, tmp_path):
    ids = np.array([b"abcd", b"bbcd", b"cbcd", b"dbcd"])
    gldv2.put(raw.root, "train", "abcd", b"<html>")
    path = gldv2.image_path(raw.root, "train", "bbcd")
    path.mkdir(parents=True)
    path = gldv2.image_path(raw.root, "train", "cbcd")
    path.parent.mkdir(parents=True)
    path.symlink_to(path.name)
    faults = [v.fault for v in verdicts(raw, ids)]
    assert faults == ["not an image", "not a file", "missing", "missing"]


def test_decompression_bombs_are_refused_by_their_header(tmp_path):
    """18 kB that would take 432 MB as RGB."""
    path = tmp_path / "a.jpg"
    Image.new("1", (12_000, 12_000)).save(path, "PNG")
    assert path.stat().st_size < 30_000
    with strict_decoding(), pytest.raises(BadImageError, match="too large: more than 100000000"):
        inspect_file(path)


def test_inspect_file(tmp_path):
    path = tmp_path / "a.jpg"
    path.write_bytes(picture("a", (20, 200), fmt="PNG"))
    assert inspect_file(path) == {"PNG in .jpg", "tiny", "extreme aspect"}
