from __future__ import annotations

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
    shutil.rmtree(tmp_path / "train")
    with pytest.raises(OSError, match="train went away during the conversion: No such file"):
        images.check_still_there()
