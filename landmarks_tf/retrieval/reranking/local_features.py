"""Local features of pictures: OpenCV's SIFT as RootSIFT, and a folder that keeps them.

Sources: Lowe, Distinctive Image Features from Scale-Invariant Keypoints, IJCV 2004; Arandjelovic
and Zisserman, Three things everyone should know to improve object retrieval, CVPR 2012 (RootSIFT:
descriptors divided by their sum, then square roots).
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import numpy as np

from landmarks_tf.retrieval.files import read_json, write_json, write_npy

_FORMAT_VERSION = 1
_STORED = np.dtype([("xy", "<f4", (2,)), ("descriptor", "u1", (128,))])
_KEPT_IN_MEMORY = 2_048  # pictures' features: about 150 MB of 500 each


class LocalFeatures(NamedTuple):
    """Keypoints of one picture.

    Attributes:
        xy: (n, 2) float32, pixels of the picture as given, from its upper left corner.
        descriptors: (n, 128) uint8, SIFT as OpenCV gives it (whole numbers, 0..255).
    """

    xy: np.ndarray
    descriptors: np.ndarray


@dataclass(frozen=True)
class FeatureSettings:
    """What decides a picture's local features.

    Attributes:
        max_features: the strongest are kept.
        contrast: SIFT's threshold on the contrast of an extremum; less finds more and weaker ones.
        longest_side_px: larger pictures are shrunk to it first.
    """

    max_features: int = 500
    contrast: float = 0.02
    longest_side_px: int = 640


def import_opencv():
    """The module cv2, with what is used of it.

    Raises:
        ImportError: it is not installed, with what to do.
    """
    try:
        import cv2
    except ImportError as error:
        raise ImportError(
            "geometric verification needs OpenCV: pip install 'landmarks-tf[geometry]', or "
            f"pip install opencv-python-headless ({error})"
        ) from None
    if not hasattr(cv2, "USAC_MAGSAC") or not hasattr(cv2, "SIFT_create"):
        raise ImportError(
            f"geometric verification needs OpenCV 4.5 or newer with SIFT, found {cv2.__version__}"
        )
    return cv2


def describe(picture, settings: FeatureSettings = FeatureSettings()) -> LocalFeatures:
    """The local features of one picture.

    Args:
        picture: (H, W, 3) uint8, RGB.
        settings: how many, and of what.

    Raises:
        ValueError: not such a picture.
        ImportError: OpenCV is not installed.
    """
    cv2 = import_opencv()
    picture = np.asarray(picture)
    if picture.ndim != 3 or picture.shape[2] != 3 or picture.dtype != np.uint8 or not picture.size:
        raise ValueError(
            f"expected a picture of shape (H, W, 3) uint8, received {picture.dtype} of shape "
            f"{picture.shape}"
        )
    grey = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)
    shrink = min(1.0, settings.longest_side_px / max(grey.shape))
    if shrink < 1:
        size = [max(1, round(side * shrink)) for side in grey.shape[::-1]]
        grey = cv2.resize(grey, size, interpolation=cv2.INTER_AREA)
    sift = cv2.SIFT_create(nfeatures=settings.max_features, contrastThreshold=settings.contrast)
    keypoints, descriptors = sift.detectAndCompute(grey, None)
    if descriptors is None:
        return LocalFeatures(np.empty((0, 2), np.float32), np.empty((0, 128), np.uint8))
    # OpenCV may give some more than asked for where strengths are equal.
    keypoints, descriptors = (part[: settings.max_features] for part in (keypoints, descriptors))
    xy = np.array([point.pt for point in keypoints], np.float32) / np.float32(shrink)
    return LocalFeatures(xy, descriptors.astype(np.uint8))


def root_sift(descriptors: np.ndarray) -> np.ndarray:
    """(n, 128) SIFT -> (n, 128) float32 unit rows, whose products are Hellinger similarities."""
    values = descriptors.astype(np.float32)
    return np.sqrt(values / np.maximum(values.sum(axis=1, keepdims=True), 1.0))


class FeatureStore:
    """Local features on disk, a file for each picture, whole or absent.

    Args:
        folder: made if need be.
        settings: of the features.

    Raises:
        ValueError: the folder holds features of other settings.
    """

    def __init__(self, folder: str | Path, settings: FeatureSettings = FeatureSettings()):
        self.folder, self.settings = Path(folder), settings
        mark = self.folder / "settings.json"
        mine = {"format_version": _FORMAT_VERSION, **asdict(settings)}
        if mark.exists():
            found = read_json(mark, what="local features")
            if found != mine:
                raise ValueError(
                    f"{self.folder} holds local features of other settings ({found}, wanted "
                    f"{mine}); delete it or use another folder"
                )
        else:
            self.folder.mkdir(parents=True, exist_ok=True)
            write_json(mark, mine)
        self._read = lru_cache(_KEPT_IN_MEMORY)(self._read_file)

    def missing(self, ids: Iterable[str]) -> list[str]:
        """Those whose features are not there yet, in order."""
        return [image_id for image_id in ids if not self._path(image_id).is_file()]

    def add(self, image_id: str, features: LocalFeatures) -> None:
        """Keeps a picture's features."""
        rows = np.empty(len(features.xy), _STORED)
        rows["xy"], rows["descriptor"] = features
        path = self._path(image_id)
        path.parent.mkdir(exist_ok=True)
        write_npy(path, rows)

    def get(self, image_id: str) -> LocalFeatures:
        """A picture's features.

        Raises:
            FileNotFoundError: they were never added.
            ValueError: the file is damaged.
        """
        return self._read(image_id)

    def _read_file(self, image_id: str) -> LocalFeatures:
        path = self._path(image_id)
        try:
            rows = np.load(path, allow_pickle=False)
        except FileNotFoundError:
            raise FileNotFoundError(f"there are no local features of picture {image_id}") from None
        except (ValueError, EOFError) as error:
            raise ValueError(f"local features: {path} is damaged ({error}); delete it") from None
        if rows.dtype != _STORED:
            raise ValueError(f"local features: {path} holds {rows.dtype}; delete it")
        return LocalFeatures(rows["xy"], rows["descriptor"])

    def _path(self, image_id: str) -> Path:
        if not image_id or os.sep in image_id or image_id.startswith("."):
            raise ValueError(f"an image id names a file here, received {image_id!r}")
        return self.folder / image_id[:2] / f"{image_id}.npy"
