"""One published file of weights: where it lies, what it expects, how it is recognised."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from urllib.parse import urlsplit


@dataclass(frozen=True)
class PretrainedWeights:
    """A file of weights that somebody published.

    Attributes:
        name: its key in `PRETRAINED`.
        backbone: the network it fits, a key of `BACKBONES`.
        publisher: whose file it is.
        url: where it lies; None where nobody publishes a file that can be read here.
        published_hash: what its publisher states: "sha256:" and 8 or 64 hexadecimal digits, or
            "md5:" and 32; None where it states none.
        sha256: the whole SHA-256, or None where it is not known.
        licence: an SPDX identifier.
        image_size: side of the pictures that it was trained or evaluated on, in pixels.
        preprocessing: what it reads: a key of `PREPROCESSINGS`.
        top1: percentage of ImageNet's validation pictures that the whole network puts first.
        dialect: whose names its entries have: "torchvision", "timm", "lukemelas" (the author of
            efficientnet_pytorch) or "keras".
        note: what else one must know; empty for most.
    """

    name: str
    backbone: str
    publisher: str
    url: str | None
    published_hash: str | None
    sha256: str | None
    licence: str
    image_size: int
    preprocessing: str
    top1: float
    dialect: str
    note: str = ""

    @property
    def file_name(self) -> str:
        """Its name in Keras' cache."""
        name = PurePosixPath(urlsplit(self.url or "").path)
        return f"{self.name}{name.suffix}" if name.stem == "model" else name.name

    @property
    def expected_digests(self) -> tuple[tuple[str, str], ...]:
        """(algorithm, hexadecimal digits that the file's digest starts with), for what is known."""
        digests = []
        if self.published_hash:
            algorithm, digits = self.published_hash.split(":")
            digests.append((algorithm, digits))
        if self.sha256:
            digests.append(("sha256", self.sha256))
        return tuple(digests)

    def is_file(self, digests: dict[str, str]) -> bool:
        """Whether a file of these digests (`digests_of`) is this one, as far as is known."""
        expected = self.expected_digests
        return bool(expected) and all(digests[a].startswith(digits) for a, digits in expected)


def digests_of(path: str | Path) -> dict[str, str]:
    """A file's SHA-256 and MD5, as hexadecimal digits."""
    hashes = {"sha256": hashlib.sha256(), "md5": hashlib.md5(usedforsecurity=False)}
    with Path(path).open("rb") as file:
        while piece := file.read(1 << 20):
            for digest in hashes.values():
                digest.update(piece)
    return {name: digest.hexdigest() for name, digest in hashes.items()}
