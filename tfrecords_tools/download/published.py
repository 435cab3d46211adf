"""What is published of GLDv2, and where: 620 tars of images and 12 CSVs.

Source: https://github.com/cvdfoundation/google-landmark.
"""

from __future__ import annotations

import dataclasses
import re

BASE_URL = "https://s3.amazonaws.com/google-landmark"
TARS = {"train": 500, "index": 100, "test": 20}
ABOUT_BYTES = {"train": 10**9, "index": 850 * 10**6, "test": 500 * 10**6}  # of a tar
IMAGES = {"train": 4_132_914, "index": 761_757, "test": 117_577}

_HIERARCHY = (
    *("landmark_id", "category", "supercategory", "hierarchical_label"),
    "natural_or_human_made",
)
# split -> name -> (folder on the server, columns)
_TABLES = {
    "train": {
        "train.csv": ("metadata", ("id", "url", "landmark_id")),
        "train_clean.csv": ("metadata", ("landmark_id", "images")),
        "train_attribution.csv": ("metadata", ("id", "url", "author", "license", "title")),
        "train_label_to_category.csv": ("metadata", ("landmark_id", "category")),
        "train_label_to_hierarchical.csv": ("metadata", _HIERARCHY),
    },
    "index": {
        "index.csv": ("metadata", ("id",)),
        "index_image_to_landmark.csv": ("metadata", ("id", "landmark_id")),
        "index_label_to_category.csv": ("metadata", ("landmark_id", "category")),
        "index_label_to_hierarchical.csv": ("metadata", _HIERARCHY),
    },
    "test": {
        "test.csv": ("metadata", ("id",)),
        "recognition_solution_v2.1.csv": ("ground_truth", ("id", "landmarks", "Usage")),
        "retrieval_solution_v2.1.csv": ("ground_truth", ("id", "images", "Usage")),
    },
}
_MD5 = re.compile(r"[0-9a-f]{32}")
_RANGE = re.compile(r"([0-9]{1,4})(?:-([0-9]{1,4}))?")


@dataclasses.dataclass(frozen=True)
class PublishedTar:
    """One of a split's tars: `number` from 0 to `TARS[split] - 1`."""

    split: str
    number: int

    @property
    def stem(self) -> str:
        return f"images_{self.number:03d}"

    @property
    def name(self) -> str:
        """With its split, since each split has an images_000.tar: train/images_000.tar."""
        return f"{self.split}/{self.stem}.tar"

    def url(self, base_url: str) -> str:
        return f"{base_url}/{self.split}/{self.stem}.tar"

    def md5_url(self, base_url: str) -> str:
        return f"{base_url}/md5sum/{self.split}/md5.{self.stem}.txt"


@dataclasses.dataclass(frozen=True)
class PublishedTable:
    """One of the CSVs, with the columns that its header must have."""

    name: str
    folder: str
    columns: tuple[str, ...]

    def url(self, base_url: str) -> str:
        return f"{base_url}/{self.folder}/{self.name}"


def published_tars(splits: tuple[str, ...], numbers: frozenset[int] | None) -> list[PublishedTar]:
    """The tars of some splits, in that order; `numbers` None means all of each split.

    Raises:
        ValueError: a split has no tar of one of the numbers.
    """
    for split in splits:
        if numbers and max(numbers) >= TARS[split]:
            raise ValueError(
                f"{split} has tars 0 to {TARS[split] - 1}, asked for is tar {max(numbers)}: "
                "name other tars, or leave that split out"
            )
    return [
        PublishedTar(split, number)
        for split in splits
        for number in range(TARS[split])
        if numbers is None or number in numbers
    ]


def published_tables(splits: tuple[str, ...]) -> list[PublishedTable]:
    """The CSVs of some splits."""
    return [
        PublishedTable(name, folder, columns)
        for split in splits
        for name, (folder, columns) in _TABLES[split].items()
    ]


def parse_numbers(text: str) -> frozenset[int]:
    """The numbers of "0-9" or "0,3,7-12".

    Raises:
        ValueError: it is no such list, or a range runs backwards.
    """
    numbers: set[int] = set()
    for part in text.split(","):
        found = _RANGE.fullmatch(part.strip())
        first, last = (int(found[1]), int(found[2] or found[1])) if found else (1, 0)
        if first > last:
            raise ValueError(f"tars are given as 0-9 or 0,3,7-12, got {text!r}")
        numbers.update(range(first, last + 1))
    return frozenset(numbers)


def parse_md5(text: str) -> str:
    """The checksum of an md5sum line, `<32 hex digits>  images_000.tar`: its first word.

    Raises:
        ValueError: the first word is no MD5.
    """
    word = (text.split() or [""])[0].lower()
    if not _MD5.fullmatch(word):
        raise ValueError(
            f"expected an md5sum line (32 hexadecimal digits, then a name), got {text[:60]!r}"
        )
    return word
