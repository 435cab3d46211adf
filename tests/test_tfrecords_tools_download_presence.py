from __future__ import annotations

import numpy as np
import pytest

from tfrecords_tools.download.extract import IMAGE_DTYPE
from tfrecords_tools.download.presence import images_on_disk, missing_images

IDS = [0x0123456789ABCDEF, 0xFEDCBA9876543210, 0x00F0000000000001, 0xFFFFFFFFFFFFFFFF]


def write(folder, number: int, size: int) -> None:
    name = f"{number:016x}.jpg"
    leaf = folder / name[0] / name[1] / name[2]
    leaf.mkdir(parents=True, exist_ok=True)
    (leaf / name).write_bytes(b"x" * size)


def wanted(sizes: list[int]) -> np.ndarray:
    return np.array(list(zip(IDS, sizes, strict=True)), IMAGE_DTYPE)


def test_images_are_found_where_they_belong_and_nowhere_else(tmp_path):
    for size, number in enumerate(IDS):
        write(tmp_path, number, size)
    (tmp_path / "0/1/2/0123456789abcdef.jpg.tmp").touch()
    (tmp_path / "0/1/2/fff3456789abcdef.jpg").touch()  # of another folder
    (tmp_path / "0/1/2/0123456789ABCDEE.jpg").touch()
    (tmp_path / "a").touch()
    found = images_on_disk(tmp_path, sizes=True)
    assert found["id"].tolist() == sorted(IDS)
    assert found["bytes"].tolist() == [2, 0, 1, 3]
    assert images_on_disk(tmp_path, sizes=False)["bytes"].tolist() == [0, 0, 0, 0]
    assert len(images_on_disk(tmp_path / "none", sizes=True)) == 0


@pytest.mark.parametrize("sizes", [False, True])
def test_what_is_missing_is_counted(tmp_path, sizes):
    tar = wanted([5, 6, 7, 8])
    assert missing_images(tar, images_on_disk(tmp_path, sizes=sizes), sizes=sizes) == 4
    for number, size in zip(IDS[:3], (5, 6, 1), strict=True):
        write(tmp_path, number, size)
    there = images_on_disk(tmp_path, sizes=sizes)
    assert missing_images(tar, there, sizes=sizes) == (2 if sizes else 1)
