from __future__ import annotations

import os
import pickle
import shutil

import pytest

from tests.reference import gldv2
from tfrecords_tools.image_source import FolderImages
from tfrecords_tools.images import BadImageError
from tfrecords_tools.raw import RawFolder


def test_files_of_a_raw_folder(tmp_path):
    name = next(iter(gldv2.write_folder(tmp_path, {7: 2})))
    images = pickle.loads(pickle.dumps(FolderImages(RawFolder(tmp_path, "train"))))
    data = gldv2.image_path(tmp_path, "train", name).read_bytes()
    assert images.image_bytes(name.encode()) == data
    images.check_still_there()
    with pytest.raises(BadImageError, match="missing"):
        images.image_bytes(b"0123456789abcdef")
    empty = gldv2.put(tmp_path, "train", "abcdef0123456789", b"")
    with pytest.raises(BadImageError, match="empty file"):
        images.image_bytes(b"abcdef0123456789")
    empty.unlink()
    os.mkfifo(empty)  # to open it must not wait for ever
    with pytest.raises(BadImageError, match="not a file"):
        images.image_bytes(b"abcdef0123456789")
    shutil.rmtree(tmp_path / "train")
    with pytest.raises(OSError, match="train went away during the conversion: No such file"):
        images.check_still_there()
